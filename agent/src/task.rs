//! The main container: when its process is there, when it has ended, and how.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use pod::pidfd::{Exit, Process};
use pod::procfs::Procfs;

use crate::log;
use crate::options::Options;
use crate::sys;

/// Until the main container is there, how often it is looked for: even `true` is there for 40 ms.
const LOOK: Duration = Duration::from_millis(10);
/// After this a line says what is waited for: an image may take its time, a wrong name takes for ever.
const LONG: Duration = Duration::from_mins(1);
/// The runtime reaps the process within 2 ms; only then does the kernel tell its status.
const REAPING: Duration = Duration::from_millis(20);

/// The main container's first process.
#[derive(Debug)]
pub(crate) struct Task {
    /// `None`: it had ended before it could be taken hold of.
    process: Option<Process>,
    uid: Option<u32>,
    /// Whether the kernel will tell its exit status.
    tells_status: bool,
}

// === impl Task ===

impl Task {
    /// Waits until the main container's process is there, and takes hold of it. `None` if we were asked to leave before.
    pub(crate) fn find(options: &Options) -> Option<Self> {
        let proc = Procfs::default();
        if let Some(pid) = options.pid {
            return Some(Self::holding(&proc, pid, Process::open(&proc, pid)));
        }
        let mut overdue = Some(Instant::now() + LONG);
        loop {
            let found = proc.root_of(&options.container).and_then(|root| Process::open(&proc, root.pid));
            if let Some(process) = found {
                return Some(Self::holding(&proc, process.pid(), Some(process)));
            }
            if sys::terminated() {
                return None;
            }
            if overdue.is_some_and(|overdue| Instant::now() >= overdue) {
                log::line(&format!("there is no container {} yet; the pod needs shareProcessNamespace", options.container));
                overdue = None;
            }
            sleep(LOOK);
        }
    }

    fn holding(proc: &Procfs, pid: i32, process: Option<Process>) -> Self {
        let fd = process.as_ref().and_then(Process::fd);
        let tells_status = fd.is_some_and(|fd| sys::wait_status(fd).is_ok());
        Self { uid: proc.uid(pid), tells_status, process }
    }

    /// Its process id, if it is there.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its real uid. Of the runtime's stage before the container's own program it is the runtime's.
    pub(crate) const fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// Sleeps until it has ended, at most for `timeout`. Whether it has.
    pub(crate) fn has_ended_within(&self, timeout: Duration) -> bool {
        self.process.as_ref().is_none_or(|process| process.wait(Some(timeout)))
    }

    /// Sleeps until it has ended.
    pub(crate) fn wait(&self) {
        while self.process.as_ref().is_some_and(|process| !process.wait(None)) {}
    }

    /// How it has ended, now that it has.
    pub(crate) fn exit(&self) -> Exit {
        let Some(process) = self.process.as_ref().filter(|_| self.tells_status) else { return Exit::Unknown };
        process.wait_reaped(REAPING);
        let status = process.fd().and_then(|fd| sys::wait_status(fd).ok().flatten());
        status.map_or(Exit::Unknown, Exit::from_wait_status)
    }
}
