//! The pod's `/etc/hosts`. Kubelet writes it whenever it creates a container of the pod, when the image is there and before it asks the
//! runtime (Kubernetes, `pkg/kubelet/kubelet_pods.go`, `makeHostsMount`), and mounts the same file into all of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where kubelet mounts it.
const HOSTS: &str = "/etc/hosts";
/// The beginning of a file that kubelet has written (Kubernetes, `pkg/kubelet/kubelet_pods.go`, `managedHostsHeader`).
const KUBELETS: &[u8] = b"# Kubernetes-managed hosts file";
/// A process tells its start in hundredths of a second, and the file its last change in ticks of the kernel.
const RESOLUTION: Duration = Duration::from_millis(10);

/// The file, as it was when the agent looked first.
#[derive(Debug)]
pub struct Hosts {
    path: PathBuf,
    first: SystemTime,
    started: SystemTime,
}

// === impl Hosts ===

impl Hosts {
    /// Looks for the first time, in a process that runs for `age`. `None` if the file is not kubelet's.
    #[must_use]
    pub fn look(age: Duration) -> Option<Self> {
        Self::look_at(Path::new(HOSTS), SystemTime::now().checked_sub(age)?)
    }

    fn look_at(path: &Path, started: SystemTime) -> Option<Self> {
        let mut beginning = [0; KUBELETS.len()];
        File::open(path).ok()?.read_exact(&mut beginning).ok()?;
        (beginning == KUBELETS).then_some(())?;
        Some(Self { path: path.to_owned(), first: changed(path)?, started })
    }

    /// Whether kubelet has created a container since this process started.
    #[must_use]
    pub fn tells_of_another(&self) -> bool {
        self.first > self.started + RESOLUTION || changed(&self.path).is_some_and(|now| now != self.first)
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_after_the_start_tells_of_another_container() {
        let path = std::env::temp_dir().join(format!("exeunt-hosts-{}", std::process::id()));
        let write = |at: SystemTime| {
            fs::write(&path, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        let start = SystemTime::now();
        let seconds = Duration::from_secs;
        write(start - seconds(1));
        let hosts = Hosts::look_at(&path, start).unwrap();
        assert!(!hosts.tells_of_another(), "kubelet wrote it for the agent itself");
        write(start + seconds(1));
        assert!(hosts.tells_of_another());
        assert!(Hosts::look_at(&path, start).unwrap().tells_of_another(), "the agent was slow to look");
        write(start - seconds(1));
        let hosts = Hosts::look_at(&path, start).unwrap();
        write(start - seconds(2));
        assert!(hosts.tells_of_another(), "the clock was set back");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_that_is_not_kubelets_tells_nothing() {
        let path = std::env::temp_dir().join(format!("exeunt-hosts-other-{}", std::process::id()));
        for text in ["127.0.0.1 localhost\n# a longer comment than that of kubelet\n", ""] {
            fs::write(&path, text).unwrap();
            assert!(Hosts::look_at(&path, SystemTime::now()).is_none(), "{text}");
        }
        fs::remove_file(&path).unwrap();
        assert!(Hosts::look_at(&path, SystemTime::now()).is_none());
    }
}
