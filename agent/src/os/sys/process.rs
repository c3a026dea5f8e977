//! What an init process needs: signals that wait in the queue of the kernel until it reads them, and a fork. rustix leaves both to
//! the libc, because they are safe only in a program that knows all its threads. The agent has one.

use core::mem::MaybeUninit;
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};

pub use libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
use libc::{SIGPIPE, sigset_t};
use rustix::process::getpid;
use rustix::termios::tcsetpgrp;

/// All signals, blocked: none is lost, none interrupts, each is read by [`Signals::next`]. A signal that the kernel raises for a fault
/// of the process still ends it.
#[derive(Debug)]
pub struct Signals {
    all: SignalSet,
    /// The mask of before, which the command gets back.
    before: SignalSet,
}

/// A set of signals.
#[derive(Clone, Copy)]
struct SignalSet(sigset_t);

impl core::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SignalSet")
    }
}

// === impl Signals ===

impl Signals {
    /// Blocks all signals from now on. A signal that the process would otherwise ignore is queued too.
    #[must_use]
    pub fn block() -> Self {
        let (mut all, mut before) = (MaybeUninit::<sigset_t>::uninit(), MaybeUninit::<sigset_t>::uninit());
        // SAFETY: `sigfillset` and `sigprocmask` initialise the two sets. SIG_DFL is not a function and is never called: if the parent
        // ignores SIGCHLD, the kernel would reap the children, and their exit status would be lost.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::sigprocmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
            libc::signal(SIGCHLD, libc::SIG_DFL);
            Self { all: SignalSet(all.assume_init()), before: SignalSet(before.assume_init()) }
        }
    }

    /// Waits for the next signal, at most for `timeout`; without one as long as it takes. `None`: the time is over, or nothing has come
    /// that matters.
    #[must_use]
    pub fn next(&self, timeout: Option<Duration>) -> Option<i32> {
        let time = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the three outlive the call; a null pointer means no timeout. All zeros is a value of `siginfo_t`.
        let (number, sender) = unsafe {
            let number = libc::sigtimedwait(&raw const self.all.0, info.as_mut_ptr(), time);
            (number, info.assume_init().si_pid())
        };
        // The reader of our own stderr may be gone; that is not a signal to the command.
        let ours = number == SIGPIPE && sender == getpid().as_raw_pid();
        (number > 0 && !ours).then_some(number)
    }

    /// Unblocks the signals. Those that came in between take effect now.
    pub fn unblock(&self) {
        set_mask(&self.before);
    }

    /// Makes `command`, between fork and exec, take over `terminal` for its process group and unblock the signals.
    pub fn prepare(&self, command: &mut Command, terminal: Option<OwnedFd>) {
        let before = self.before;
        let before_exec = move || {
            if let Some(terminal) = &terminal {
                // The child does this before it can read a byte. From a background group the call raises SIGTTOU, which is blocked. If
                // it fails, a command without the terminal is better than none.
                let _ = tcsetpgrp(terminal, getpid());
            }
            set_mask(&before);
            Ok(())
        };
        // SAFETY: only async-signal-safe calls are allowed between fork and exec. This makes three system calls and no allocation.
        unsafe { command.pre_exec(before_exec) };
    }
}

fn set_mask(mask: &SignalSet) {
    // SAFETY: the set outlives the call; there is one thread.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const mask.0, core::ptr::null_mut()) };
}

/// Sends `signal` to the process `pid`, or to the process group `-pid`. A process that has ended needs none.
///
/// # Errors
/// Those of `kill(2)` other than ESRCH.
pub fn send(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    if unsafe { libc::kill(pid, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

/// Runs `work` in a child process, which exits with its result. The child blocks the signals that this process blocks. Returns its PID.
///
/// # Errors
/// Those of `fork(2)`.
pub fn fork(work: impl FnOnce() -> u8) -> io::Result<i32> {
    // SAFETY: there is one thread, so no other thread can hold a lock.
    match unsafe { libc::fork() } {
        0 => exit(work().into()),
        pid if pid > 0 => Ok(pid),
        _ => Err(io::Error::last_os_error()),
    }
}
