//! SIGTERM, taken as a message: held back, seen when it has come, and never an interruption.
//!
//! Kubelet sends it when the pod is deleted, and to a native sidecar as soon as the last main container has ended, which is when our
//! work begins. In both the pod's grace period runs from then on.

use core::time::Duration;
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use crate::sys;

/// Kept of the grace period for the verdict: kubelet's SIGKILL leaves none.
const MARGIN: Duration = Duration::from_secs(2);

/// The signal, held back.
#[derive(Debug)]
pub(crate) struct Termination {
    /// Readable once it has come. `None` where it could not be held back.
    fd: Option<OwnedFd>,
    came: Cell<Option<Instant>>,
    grace: Duration,
}

// === impl Termination ===

impl Termination {
    /// Holds it back from now on; `grace` is the pod's.
    pub(crate) fn hold(grace: Duration) -> Self {
        Self { fd: sys::hold_termination().ok(), came: Cell::new(None), grace }
    }

    /// What shows its coming, until it has come.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().filter(|_| self.came.get().is_none()).map(AsFd::as_fd)
    }

    /// Whether it has come.
    pub(crate) fn has_come(&self) -> bool {
        if let Some(fd) = self.fd() {
            let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            let ready = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&now));
            if ready.is_ok_and(|ready| ready > 0) {
                self.came.set(Some(Instant::now()));
            }
        }
        self.came.get().is_some()
    }

    /// What is left of the grace period; `None` while it does not run.
    pub(crate) fn grace_left(&self) -> Option<Duration> {
        self.has_come();
        self.noticed_grace_left()
    }

    /// The same by what was noticed so far: between the task's end and the signal every system call counts.
    pub(crate) fn noticed_grace_left(&self) -> Option<Duration> {
        let end = self.came.get()? + self.grace.saturating_sub(MARGIN);
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Sleeps until it has come.
    pub(crate) fn wait(&self) {
        while let Some(fd) = self.fd() {
            let ready = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None);
            if ready.is_err_and(|error| error != rustix::io::Errno::INTR) {
                return;
            }
            self.has_come();
        }
    }
}
