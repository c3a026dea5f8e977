//! The system calls that rustix lacks, and the only unsafe code of the agent: the ioctl that tells how a process has ended that
//! is not our child (rustix has waitid, which tells of children only), and what is done about a signal (rustix leaves that to the
//! libc).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use rustix::ioctl;

pub(crate) mod process;

/// `struct pidfd_info` as Linux 6.13 has it (`PIDFD_INFO_SIZE_VER0`, 64 bytes; `include/uapi/linux/pidfd.h`). Newer kernels take
/// it.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// pid, tgid, ppid; then real, effective, saved and file system uid and gid.
    ids: [u32; 11],
    exit_code: i32,
}

/// Asks for, and marks the presence of, `exit_code`: Linux 6.15 and newer.
const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: ioctl::Opcode = ioctl::opcode::read_write::<PidfdInfo>(0xff, 11);

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
/// `SIG_ERR` is never looked for: both signals exist, and both may be handled.
const SIG_IGN: usize = 1;

/// `sigprocmask(2)` and `signalfd(2)`, as on x86 and ARM.
const SIG_BLOCK: i32 = 0;
const SFD_CLOEXEC: i32 = 0o2_000_000;

/// `sigset_t`: 1,024 bits in glibc and in musl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct SigSet([u64; 16]);

unsafe extern "C" {
    /// `signal(3)`, which std links anyway; the others lie beside it.
    fn signal(number: i32, action: usize) -> usize;
    fn sigprocmask(how: i32, set: *const SigSet, old: *mut SigSet) -> i32;
    fn signalfd(fd: i32, set: *const SigSet, flags: i32) -> i32;
}

/// The status, as `wait(2)` gives it, of the process behind `pidfd`. `None` while it has not been reaped; an error where the
/// kernel is older or will not tell.
pub(crate) fn wait_status(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the opcode belongs to this very struct, whose layout is the kernel's and whose every bit pattern is a value; a file
    // that is no pidfd answers ENOTTY.
    unsafe { ioctl::ioctl(pidfd, ioctl::Updater::<{ PIDFD_GET_INFO }, PidfdInfo>::new(&mut info))? };
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}

/// Ignores SIGINT: Airflow ends its own helper with it, by a pattern that may hit others.
pub(crate) fn ignore_interrupt() {
    // SAFETY: SIG_IGN is no function and is never called.
    unsafe { signal(SIGINT, SIG_IGN) };
}

/// Holds SIGTERM back from now on, and gives what shows its coming.
pub(crate) fn hold_termination() -> io::Result<OwnedFd> {
    let mut set = SigSet::default();
    if let Some(word) = set.0.first_mut() {
        *word = 1 << (SIGTERM - 1);
    }
    // SAFETY: the set is as large as the libc's, and there is one thread.
    if unsafe { sigprocmask(SIG_BLOCK, &raw const set, core::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above; -1 asks for a new descriptor.
    let fd = unsafe { signalfd(-1, &raw const set, SFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_struct_is_the_kernels() {
        assert_eq!(size_of::<PidfdInfo>(), 64);
        assert_eq!(core::mem::offset_of!(PidfdInfo, exit_code), 60);
        assert_eq!(PIDFD_GET_INFO, 0xc040_ff0b);
    }
}
