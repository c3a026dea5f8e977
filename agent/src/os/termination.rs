//! SIGTERM as a message: blocked, and read from a file descriptor, so that it interrupts nothing.
//!
//! Kubelet sends it when a pod is deleted, and to a native sidecar when the last main container has ended. From then on the grace
//! period of the pod runs. It can come again: if the first one was not from kubelet, the second one is.

use std::cell::Cell;
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::read;

use super::sys;
use super::world::Source;

/// The blocked signal.
#[derive(Debug)]
pub struct Termination {
    /// Readable when the signal has come. `None` if it could not be blocked.
    fd: Option<OwnedFd>,
    came: Cell<Option<Instant>>,
}

// === impl Termination ===

impl Termination {
    /// Blocks SIGTERM from now on.
    #[must_use]
    pub fn block() -> Self {
        Self { fd: sys::block_termination().ok(), came: Cell::new(None) }
    }

    /// A file descriptor that is readable when SIGTERM has come, until the kernel is asked for it.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Whether SIGTERM has come.
    #[must_use]
    pub fn has_come(&self) -> bool {
        self.came(Source::Kernel).is_some()
    }

    /// When SIGTERM came last.
    #[must_use]
    pub fn came(&self, source: Source) -> Option<Instant> {
        if source == Source::Kernel
            && let Some(fd) = &self.fd
        {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let ready = poll(&mut [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)], Some(&now));
            if ready.is_ok_and(|ready| ready > 0) {
                // Taken out, so that the next one is seen, too.
                #[expect(clippy::disallowed_methods, reason = "it has one size")]
                let _ = read(fd, &mut [0; size_of::<libc::signalfd_siginfo>()]);
                self.came.set(Some(Instant::now()));
            }
        }
        self.came.get()
    }

    /// Sleeps until SIGTERM has come, at most for `time`. Returns whether it has come.
    pub fn wait_for(&self, time: Duration) -> bool {
        if let Some(fd) = self.fd() {
            let time = Timespec::try_from(time).ok();
            let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], time.as_ref());
        } else {
            sleep(time);
        }
        self.has_come()
    }
}
