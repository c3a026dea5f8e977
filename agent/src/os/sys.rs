//! The system calls that rustix lacks, and the only unsafe code of the agent: the exit status of a process that is not a child
//! (rustix has `waitid`, for children only), and signals (rustix leaves them to the libc).
#![allow(unsafe_code)]

use core::mem::MaybeUninit;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub mod process;

/// Requests, and marks the presence of, the exit code in `pidfd_info`: Linux 6.15 and newer.
const PIDFD_INFO_EXIT: u64 = libc::PIDFD_INFO_EXIT as u64;

/// The status of the process behind `pidfd`, as `wait(2)` gives it. `None` while its parent has not reaped it.
///
/// # Errors
/// Where the kernel is older than Linux 6.15 or does not tell.
pub fn wait_status(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut info = MaybeUninit::<libc::pidfd_info>::zeroed();
    // SAFETY: all zeros is a value of the struct, and so is everything that the kernel writes. The request has the size of the struct in it,
    // and kernels that know a smaller or a larger one accept it. A file that is not a pidfd returns ENOTTY.
    let (result, info) = unsafe {
        (*info.as_mut_ptr()).mask = PIDFD_INFO_EXIT;
        (libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, info.as_mut_ptr()), info.assume_init())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}

/// Ignores SIGINT: Airflow sends it to its own helper, by a pattern that can match other processes.
pub fn ignore_interrupt() {
    // SAFETY: SIG_IGN is not a function and is never called.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}

/// Blocks SIGTERM from now on. Returns a file descriptor that is readable once it has come.
///
/// # Errors
/// Those of `sigprocmask(2)` and `signalfd(2)`.
pub fn block_termination() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set. There is one thread.
    let set: libc::sigset_t = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        set.assume_init()
    };
    // SAFETY: the set outlives the call.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above; -1 requests a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
