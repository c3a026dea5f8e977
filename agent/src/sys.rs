//! The system calls that rustix lacks, and the only unsafe code of the agent: the ioctl that tells how a process has ended that
//! is not our child (rustix has waitid, which tells of children only), and what is done about a signal (rustix leaves that to the
//! libc).
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::os::fd::BorrowedFd;

use rustix::ioctl;

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

static TERMINATED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// `signal(3)`, which std links anyway.
    fn signal(number: i32, action: usize) -> usize;
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

/// Ignores SIGTERM: kubelet sends it to a native sidecar as soon as the main container has ended, when the work begins.
pub(crate) fn ignore_termination() {
    // SAFETY: as above.
    unsafe { signal(SIGTERM, SIG_IGN) };
}

/// From now on SIGTERM is only noted.
pub(crate) fn note_termination() {
    extern "C" fn note(_signal: i32) {
        TERMINATED.store(true, Ordering::Relaxed);
    }
    let note: extern "C" fn(i32) = note;
    // SAFETY: the handler lives for ever, has the signature that signal(3) wants, and only stores to an atomic.
    unsafe { signal(SIGTERM, note as usize) };
}

/// Whether SIGTERM has come while it was noted.
pub(crate) fn terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
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
