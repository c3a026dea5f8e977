//! Watches a process that is not a child of this one: when it ends, and how.

use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::sleep;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::procfs::Procfs;
use crate::zombie::Zombie;

/// Without pidfd: how often to check in `/proc` whether the process still runs.
const LOOK: Duration = Duration::from_millis(100);

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
    /// The kernel does not show it.
    Unknown,
}

/// One specific process. The kernel may later give its pid to another process; this handle never means that other one.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    /// When it started: a later process with the same pid has another start time.
    start: u64,
    /// `None` if the kernel has no pidfd.
    fd: Option<OwnedFd>,
    /// What shows its exit status where its pidfd does not.
    zombie: Option<Zombie>,
    proc: Procfs,
}

// === impl Exit ===

impl Exit {
    /// Reads a status as `wait(2)` returns it.
    #[must_use]
    pub fn from_wait_status(status: i32) -> Self {
        let [low, high, ..] = status.to_le_bytes();
        match low & 0x7f {
            0 => Self::Code(high),
            // 0x7f means stopped, not ended; the kernel never reports it here.
            0x7f => Self::Unknown,
            signal => Self::Signal(signal),
        }
    }
}

// === impl Process ===

impl Process {
    /// Opens the process `pid`; `None` if it does not exist.
    ///
    /// If the kernel has no pidfd (Linux before 5.3, gVisor) or seccomp denies it, the process is checked every 100 ms instead.
    #[must_use]
    pub fn open(proc: &Procfs, pid: i32) -> Option<Self> {
        let before = proc.process(pid)?;
        let fd = match pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(rustix::io::Errno::SRCH) => return None,
            Err(_) => None,
        };
        // Between the two calls the kernel may have given the pid to another process.
        let same = proc.process(pid).is_some_and(|now| now.start == before.start);
        same.then(|| Self { pid, start: before.start, fd, zombie: None, proc: proc.clone() })
    }

    /// Its pid.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// The pidfd; `None` if the kernel has none.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Sleeps until the process has ended, at most for `timeout`; with `None`, without a limit. True: it has ended. A zombie has ended.
    #[must_use]
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        // A pidfd is readable once every thread has ended, even if the process is not reaped yet (pidfd_open(2)).
        let ended = self.fd().and_then(|fd| poll_for(fd, PollFlags::IN, timeout).ok());
        ended.unwrap_or_else(|| self.look(timeout))
    }

    /// Sleeps until the parent has reaped the process, at most for `timeout`. After that the kernel shows the exit status. Before Linux
    /// 6.9 this always takes the whole timeout, because a pidfd shows no hang-up there.
    pub fn wait_reaped(&self, timeout: Duration) {
        if let Some(fd) = self.fd() {
            // The result does not matter: the caller asks for the exit status next.
            let _ = poll_for(fd, PollFlags::empty(), Some(timeout));
        }
    }

    /// Prepares to see its exit status in `/proc`, for a kernel whose pidfd does not show it. Returns whether it can be seen there.
    pub fn watch_status(&mut self) -> bool {
        self.zombie = self.zombie.take().or_else(|| Zombie::open(&self.proc, self.pid));
        self.zombie.is_some()
    }

    /// How it has ended, as `/proc` shows it until its parent has reaped it. `None` if that was not prepared.
    #[must_use]
    pub fn status(&self) -> Option<Exit> {
        self.zombie.as_ref().map(Zombie::exit)
    }

    fn look(&self, timeout: Option<Duration>) -> bool {
        let began = Instant::now();
        loop {
            let now = self.proc.process(self.pid);
            if now.is_none_or(|now| now.start != self.start || matches!(now.state, b'Z' | b'X')) {
                return true;
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            sleep(left.unwrap_or(LOOK).min(LOOK));
        }
    }
}

/// Waits for one of `events`, or a hang-up, at most for `timeout`. True: it has come.
fn poll_for(fd: BorrowedFd<'_>, events: PollFlags, timeout: Option<Duration>) -> rustix::io::Result<bool> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::from_borrowed_fd(fd, events)], left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            // A signal, or a debugger.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_wait_status_is_read() {
        let table = [
            (0, Exit::Code(0)),
            (0x0300, Exit::Code(3)),
            (0xff00, Exit::Code(255)),
            (9, Exit::Signal(9)),
            (0x8b, Exit::Signal(11)),
        ];
        for (status, exit) in table {
            assert_eq!(Exit::from_wait_status(status), exit);
        }
        assert_eq!(Exit::from_wait_status(0x137f), Exit::Unknown);
    }

    #[test]
    fn the_end_of_a_process_is_seen_before_and_after_it_is_reaped() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let proc = Procfs::default();
        let process = Process::open(&proc, pid).unwrap();
        let looked_at = Process { fd: None, ..Process::open(&proc, pid).unwrap() };
        assert!(!process.wait(Some(Duration::from_millis(1))));
        assert!(!looked_at.wait(Some(Duration::from_millis(1))));
        child.kill().unwrap();
        assert!(process.wait(None));
        assert!(looked_at.wait(None), "a zombie has ended");
        child.wait().unwrap();
        assert!(process.wait(Some(Duration::ZERO)));
        assert!(Process::open(&proc, pid).is_none());
    }
}
