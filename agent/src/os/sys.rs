//! The system calls that rustix lacks, and the only unsafe code of the agent: the exit status of a process that is not a child
//! (rustix has `waitid`, for children only), and signals (rustix leaves them to the libc).
#![allow(unsafe_code)]

use core::mem::MaybeUninit;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub mod process;

/// Requests, and marks the presence of, the exit code in `pidfd_info`: Linux 6.15 and newer.
const PIDFD_INFO_EXIT: u64 = libc::PIDFD_INFO_EXIT as u64;

/// The status of the process behind `pidfd`, as `wait(2)` gives it. `None` while its parent has not reaped it, and if the kernel tells it
/// only then. It is that of the whole process, whichever of its threads ended first (Linux, `kernel/exit.c`, `release_task`).
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
        unless_it_runs(io::Error::last_os_error())
    } else {
        Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
    }
}

/// Before Linux 6.15.3 the kernel refuses to describe a process whose parent is outside the PID namespace, as that of a container is, and
/// says that there is none (ESRCH). Linux 6.15 has its status all the same, once its parent has reaped it.
fn unless_it_runs(error: io::Error) -> io::Result<Option<i32>> {
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(None) } else { Err(error) }
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
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use pod::pidfd::Process;
    use pod::procfs::Procfs;

    use super::*;

    #[test]
    fn a_kernel_that_hides_a_running_process_can_still_tell_its_end() {
        assert_eq!(unless_it_runs(io::Error::from_raw_os_error(libc::ESRCH)).unwrap(), None);
        for number in [libc::ENOTTY, libc::EINVAL] {
            assert_eq!(unless_it_runs(io::Error::from_raw_os_error(number)).unwrap_err().raw_os_error(), Some(number));
        }
    }

    #[test]
    fn the_status_is_that_of_the_process_and_not_of_its_first_thread() {
        // The first thread leaves with 0, as by pthread_exit(3). Later another one ends the process with 3.
        let script = "import ctypes, os, threading, time\n\
                      def end():\n  time.sleep(0.1)\n  os._exit(3)\n\
                      threading.Thread(target=end).start()\n\
                      print('starts', flush=True)\n\
                      ctypes.CDLL(None).syscall(ctypes.c_long(60 if os.uname().machine == 'x86_64' else 93), ctypes.c_long(0))";
        let mut child = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 7]).unwrap();
        let process = Process::open(&Procfs::default(), child.id().cast_signed()).unwrap();
        assert!(process.wait(Some(Duration::from_secs(10))));
        assert_eq!(child.wait().unwrap().code(), Some(3));
        match wait_status(process.fd().unwrap().as_fd()) {
            Ok(status) => assert_eq!(status, Some(0x0300)),
            Err(error) => eprintln!("SKIPPED: this kernel does not tell the exit status ({error})"),
        }
    }
}
