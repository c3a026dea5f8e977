//! The system calls that rustix lacks, and the only unsafe code of the agent: the exit status of a process that is not a child
//! (rustix has `waitid`, for children only), and signals (rustix leaves them to the libc).
#![allow(unsafe_code)]

use core::mem::MaybeUninit;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub mod process;

/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)` with the size of the struct in Linux 6.13 (`PIDFD_INFO_SIZE_VER0`, 64 bytes;
/// `include/uapi/linux/pidfd.h`). Newer kernels accept it.
const PIDFD_GET_INFO: u32 = 0xc040_ff0b;
/// Requests, and marks the presence of, the exit code: Linux 6.15 and newer.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `struct pidfd_info` of Linux 6.13. The libc crate has it for glibc only.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// pid, tgid, ppid; then real, effective, saved and file system uid and gid.
    ids: [u32; 11],
    exit_code: i32,
}

/// The status of the process behind `pidfd`, as `wait(2)` gives it. `None` while its parent has not reaped it.
///
/// # Errors
/// Where the kernel is older than Linux 6.15 or does not tell.
pub fn wait_status(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request has the size of this struct in it, and every bit pattern is a value of the struct. A file that is not a pidfd
    // returns ENOTTY.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as libc::Ioctl, &raw mut info) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_struct_has_the_layout_of_the_kernel() {
        assert_eq!(size_of::<PidfdInfo>(), 64);
        assert_eq!(core::mem::offset_of!(PidfdInfo, exit_code), 60);
        assert_eq!(u32::try_from(size_of::<PidfdInfo>()).unwrap(), (PIDFD_GET_INFO >> 16) & 0x3fff);
    }
}
