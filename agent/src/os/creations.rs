//! How often kubelet has created a container in the pod.
//!
//! Kubelet writes the pod's `/etc/hosts` before it creates a container: after the image is there, and before it asks the runtime
//! (Kubernetes, `pkg/kubelet/kubelet_pods.go`, `makeHostsMount`). The file is mounted into every container. So inotify tells each
//! creation, and keeps it until the agent asks, however late that is.

use core::mem::MaybeUninit;
use core::time::Duration;
use std::cell::Cell;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::SystemTime;

use pod::bounded;
use pod::bounds::Input;
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};

use super::world::Creations;

/// The file that kubelet writes.
pub(super) const HOSTS: &str = "/etc/hosts";
/// The beginning of a file that kubelet has written (`managedHostsHeader`).
const KUBELETS: &[u8] = b"# Kubernetes-managed hosts file";
/// A process tells its start in hundredths of a second, and the file its last change in ticks of the kernel.
const RESOLUTION: Duration = Duration::from_millis(10);
/// How often, and how far apart, the agent reads a file that is empty.
const READINGS: u32 = 100;
const BETWEEN_READINGS: Duration = Duration::from_millis(1);

/// The watch on that file.
#[derive(Debug)]
pub(super) struct HostsFile {
    path: PathBuf,
    inotify: OwnedFd,
    /// What is in the file. Kubelet always writes the same.
    text: Vec<u8>,
    creations: Cell<Creations>,
    /// Whether somebody else has written the file, so the writes tell nothing any more.
    is_spoilt: Cell<bool>,
}

// === impl HostsFile ===

impl HostsFile {
    /// Watches the file at `path` from now on. `age` is the time since the agent's process started: if the file was written in it, at
    /// least one container has been created meanwhile. `None` where the file cannot be watched, or is not kubelet's.
    pub(super) fn watch(path: &Path, age: Duration) -> Option<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        // Two equal events in a row become one; with MODIFY between them they stay two.
        add_watch(&inotify, path, WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE).ok()?;
        let written = fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
        let text = written_text(path).filter(|text| text.starts_with(KUBELETS))?;
        let is_new = SystemTime::now().duration_since(written).is_ok_and(|since| since + RESOLUTION < age);
        let creations = Creations { count: is_new.into(), is_exact: !is_new };
        Some(Self { path: path.to_owned(), inotify, text, creations: Cell::new(creations), is_spoilt: Cell::new(false) })
    }

    /// A file descriptor that is readable once a container was created.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// The creations so far. `None` if somebody else writes the file, too.
    pub(super) fn creations(&self) -> Option<Creations> {
        let new = self.new_writes();
        if new > 0 {
            let Creations { count, is_exact } = self.creations.get();
            self.creations.set(Creations { count: count.saturating_add(new), is_exact });
            // A reading while kubelet writes finds only the beginning.
            let is_kubelets = bounded::whole(&self.path, Input::Hosts).is_some_and(|text| self.text.starts_with(&text));
            self.is_spoilt.set(self.is_spoilt.get() || !is_kubelets);
        }
        (!self.is_spoilt.get()).then(|| self.creations.get())
    }

    /// How often the file was closed by somebody who wrote it, since the last question.
    fn new_writes(&self) -> u32 {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut writes = 0;
        // Somebody may write the file faster than this reads.
        for _ in 0..Input::HostsWrites.most() {
            let Ok(event) = reader.next() else { break };
            if event.events().contains(ReadFlags::CLOSE_WRITE) {
                writes += 1;
            }
        }
        writes
    }
}

/// What is in the file at `path`. Kubelet empties it before it writes it, which it may do just now for the next container: an empty file is
/// read again, at most for a tenth of a second.
fn written_text(path: &Path) -> Option<Vec<u8>> {
    let mut text = bounded::whole(path, Input::Hosts)?;
    for _ in 1..READINGS {
        if !text.is_empty() {
            break;
        }
        sleep(BETWEEN_READINGS);
        text = bounded::whole(path, Input::Hosts)?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n";
    const SECOND: Duration = Duration::from_secs(1);

    /// A folder that is removed at the end.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn hosts(name: &str) -> (Folder, PathBuf) {
        let folder = std::env::temp_dir().join(format!("exeunt-hosts-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("etc-hosts");
        fs::write(&file, TEXT).unwrap();
        (Folder(folder), file)
    }

    #[test]
    fn each_write_of_kubelet_is_a_creation_however_late_the_agent_asks() {
        let (_folder, file) = hosts("count");
        std::thread::sleep(Duration::from_millis(20));
        let watched = HostsFile::watch(&file, Duration::from_millis(1)).unwrap();
        assert_eq!(watched.creations(), Some(Creations { count: 0, is_exact: true }));
        for _ in 0..3 {
            fs::write(&file, TEXT).unwrap();
        }
        let _ = fs::read(&file);
        assert_eq!(watched.creations(), Some(Creations { count: 3, is_exact: true }));
        for _ in 0..200 {
            fs::write(&file, TEXT).unwrap();
        }
        assert_eq!(watched.creations().map(|creations| creations.count), Some(203), "more than one buffer of events");
    }

    #[test]
    fn a_write_before_the_watch_and_after_the_start_is_at_least_one_creation() {
        let (_folder, file) = hosts("before");
        let watched = HostsFile::watch(&file, 60 * SECOND).unwrap();
        assert_eq!(watched.creations(), Some(Creations { count: 1, is_exact: false }));
    }

    #[test]
    fn a_file_that_kubelet_is_writing_just_now_is_kubelets() {
        let (_folder, file) = hosts("writing");
        fs::write(&file, "").unwrap();
        let kubelet = std::thread::spawn({
            let file = file.clone();
            move || {
                sleep(Duration::from_millis(20));
                fs::write(file, TEXT).unwrap();
            }
        });
        let watched = HostsFile::watch(&file, Duration::ZERO).expect("kubelet's file");
        kubelet.join().unwrap();
        assert_eq!(watched.creations().map(|creations| creations.count), Some(1));
    }

    #[test]
    fn writes_of_somebody_else_tell_nothing() {
        let (_folder, file) = hosts("spoilt");
        let watched = HostsFile::watch(&file, Duration::ZERO).unwrap();
        fs::write(&file, format!("{TEXT}10.0.0.1 db\n")).unwrap();
        assert_eq!(watched.creations(), None);
        fs::write(&file, TEXT).unwrap();
        assert_eq!(watched.creations(), None, "and so it stays");
    }

    #[test]
    fn a_file_that_is_not_kubelets_tells_nothing() {
        let (_folder, file) = hosts("other");
        for text in ["127.0.0.1 localhost\n# a longer comment than that of kubelet\n", ""] {
            fs::write(&file, text).unwrap();
            assert!(HostsFile::watch(&file, Duration::ZERO).is_none(), "{text}");
        }
        fs::remove_file(&file).unwrap();
        assert!(HostsFile::watch(&file, Duration::ZERO).is_none());
    }
}
