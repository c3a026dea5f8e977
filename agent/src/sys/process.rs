//! What it takes to be an init: signals that wait in the kernel's queue until they are asked for, and a fork. rustix leaves both to
//! the libc, for they are safe only in a program that knows all of its threads; this one has one.

use core::ffi::c_long;
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};

use rustix::process::getpid;
use rustix::termios::tcsetpgrp;

use super::{SIG_BLOCK, SigSet, signal, sigprocmask};

// As on x86 and ARM (signal(7)).
pub(crate) const SIGHUP: i32 = 1;
pub(crate) const SIGINT: i32 = super::SIGINT;
pub(crate) const SIGQUIT: i32 = 3;
pub(crate) const SIGKILL: i32 = 9;
const SIGPIPE: i32 = 13;
pub(crate) const SIGTERM: i32 = super::SIGTERM;
pub(crate) const SIGCHLD: i32 = 17;
pub(crate) const SIGCONT: i32 = 18;
pub(crate) const SIGSTOP: i32 = 19;
pub(crate) const SIGTSTP: i32 = 20;
pub(crate) const SIGTTIN: i32 = 21;
pub(crate) const SIGTTOU: i32 = 22;

const SIG_DFL: usize = 0;
const SIG_SETMASK: i32 = 2;

/// The beginning of a `siginfo_t`, which has 128 bytes (`include/uapi/asm-generic/siginfo.h`): as 64-bit machines have it, those
/// that the agent is built for.
#[repr(C, align(8))]
struct SigInfo {
    number: i32,
    error: i32,
    code: i32,
    pad: i32,
    pid: i32,
    rest: [u8; 108],
}

/// `struct timespec`.
#[repr(C)]
struct TimeSpec {
    seconds: c_long,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn sigfillset(set: *mut SigSet) -> i32;
    fn sigtimedwait(set: *const SigSet, info: *mut SigInfo, timeout: *const TimeSpec) -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
    #[link_name = "fork"]
    fn fork_process() -> i32;
}

/// Every signal, held back: none is lost, none interrupts, each is taken by [`Signals::next`]. A process that is sent one of the
/// kernel's own (a fault of ours) ends by it all the same.
#[derive(Debug)]
pub(crate) struct Signals {
    all: SigSet,
    /// What was held back before, and will be again in the command.
    before: SigSet,
}

// === impl Signals ===

impl Signals {
    /// Holds them back from now on. Nothing is ignored by that: a signal that the kernel would have thrown away is queued, too.
    pub(crate) fn hold() -> Self {
        let (mut all, mut before) = (SigSet::default(), SigSet::default());
        // SAFETY: both sets are as large as the libc's, and outlive the calls. SIG_DFL is no function and is never called: a parent
        // that ignores SIGCHLD would have the kernel reap our children in our place, and their ends were never told.
        unsafe {
            sigfillset(&raw mut all);
            sigprocmask(SIG_BLOCK, &raw const all, &raw mut before);
            signal(SIGCHLD, SIG_DFL);
        }
        Self { all, before }
    }

    /// The next one, at the latest after `timeout`; without one it may take for ever. `None`: the time is up, or there was nothing
    /// that anybody has to know of.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Option<i32> {
        let time = timeout.map(|timeout| TimeSpec {
            seconds: timeout.as_secs().try_into().unwrap_or(c_long::MAX),
            nanoseconds: timeout.subsec_nanos().into(),
        });
        let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        let mut info = SigInfo { number: 0, error: 0, code: 0, pad: 0, pid: 0, rest: [0; 108] };
        // SAFETY: the three live longer than the call, and are the libc's by their layout; no time at all is a null pointer.
        let number = unsafe { sigtimedwait(&raw const self.all, &raw mut info, time) };
        // Our own stderr may have no reader any more; the command's has nothing to do with that.
        let ours = number == SIGPIPE && info.pid == getpid().as_raw_pid();
        (number > 0 && !ours).then_some(number)
    }

    /// No longer holds them back: those that have come in between do now what they do.
    pub(crate) fn release(&self) {
        set_mask(&self.before);
    }

    /// Has `command`, once forked and before it becomes its program, take over `terminal` for its process group, and receive signals as
    /// we once did.
    pub(crate) fn prepare(&self, command: &mut Command, terminal: Option<OwnedFd>) {
        let before = self.before;
        let last_words = move || {
            if let Some(terminal) = &terminal {
                // By the child, before it can read a byte. From a group in the background that takes a SIGTTOU which is held back. Where
                // it fails, a command without the terminal is better than none.
                let _ = tcsetpgrp(terminal, getpid());
            }
            set_mask(&before);
            Ok(())
        };
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; this makes three system calls and allocates nothing.
        unsafe { command.pre_exec(last_words) };
    }
}

fn set_mask(mask: &SigSet) {
    // SAFETY: the set is as large as the libc's; there is one thread.
    unsafe { sigprocmask(SIG_SETMASK, &raw const *mask, core::ptr::null_mut()) };
}

/// Sends `signal` to the process `pid`, or with its negative to a process group. Whoever has gone needs none.
pub(crate) fn send(pid: i32, signal: i32) -> io::Result<()> {
    const ESRCH: i32 = 3;
    // SAFETY: no memory is involved.
    if unsafe { kill(pid, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(ESRCH) { Ok(()) } else { Err(error) }
}

/// Has a child of its own do `work`, and end by what it gives. The child holds back what we hold back, and whatever becomes of it, we
/// go on.
pub(crate) fn fork(work: impl FnOnce() -> u8) -> io::Result<i32> {
    // SAFETY: there is one thread, so that no lock is held by somebody whom the child lacks.
    match unsafe { fork_process() } {
        0 => exit(work().into()),
        pid if pid > 0 => Ok(pid),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_are_the_libcs() {
        assert_eq!((size_of::<SigInfo>(), size_of::<SigSet>(), size_of::<TimeSpec>()), (128, 128, 16));
        assert_eq!(core::mem::offset_of!(SigInfo, pid), 16);
    }
}
