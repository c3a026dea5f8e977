//! How a process has ended that is not a child, on kernels that do not tell it through a pidfd (Linux before 6.15): from its end until its
//! parent reaps it, the process is a zombie, and the last field of `/proc/PID/stat` has its status (`proc_pid_stat(5)`).
//!
//! The kernel shows the status only to those who may trace the process, such as the same uid and gid without privileges, and to all others
//! a zero, which looks like success. The links of the process's namespaces need the same right, and a zombie has no namespaces: to whom the
//! status is shown, the link does not exist, and to others it is denied.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::bounded::{beginning_of, open};
use crate::bounds::Input;
use crate::pidfd::Exit;
use crate::procfs::Procfs;
use crate::stat;

/// The files of one process in `/proc`, held open: when it has ended, every microsecond counts.
#[derive(Debug)]
pub struct Zombie {
    stat: File,
    link: PathBuf,
}

// === impl Zombie ===

impl Zombie {
    /// For the process `pid`. `None` if this process may not see its status.
    #[must_use]
    pub fn open(proc: &Procfs, pid: i32) -> Option<Self> {
        let folder = proc.root().join(pid.to_string());
        let link = folder.join("ns/net");
        fs::read_link(&link).ok()?;
        Some(Self { stat: open(&folder.join("stat")).ok()?, link })
    }

    /// How the process has ended. [`Exit::Unknown`] if it has not ended, or was reaped, or has become another user's.
    #[must_use]
    pub fn exit(&self) -> Exit {
        // First the right, then the status: if the process is still there then, it was there before.
        let may_see = fs::read_link(&self.link).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let text = if may_see { beginning_of(&self.stat, Input::Stat) } else { None };
        text.as_deref().and_then(stat::exit_status).map_or(Exit::Unknown, Exit::from_wait_status)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_zombie_tells_how_it_has_ended_until_it_is_reaped() {
        for (script, exit) in [("exit 0", Exit::Code(0)), ("exit 3", Exit::Code(3)), ("kill -9 $$", Exit::Signal(9))] {
            let mut child = Command::new("sh").args(["-c", &format!("sleep 0.3; {script}")]).spawn().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            let proc = Procfs::default();
            let zombie = Zombie::open(&proc, pid).unwrap();
            assert_eq!(zombie.exit(), Exit::Unknown, "it runs");
            while proc.process(pid).is_some_and(|process| process.state != b'Z') {
                sleep(Duration::from_millis(5));
            }
            assert_eq!(zombie.exit(), exit);
            child.wait().unwrap();
            assert_eq!(zombie.exit(), Exit::Unknown, "it was reaped");
        }
    }
}
