//! A thin reader of `/proc`. What cannot be read counts as absent: a process may end at any time, and some files of other uids cannot be
//! read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::bounded::{self, Bounded};
use crate::bounds::Input;
use crate::container::{self, Container};
use crate::stat::{self, Stat, number};

/// A mounted `/proc`.
#[derive(Clone, Debug)]
pub struct Procfs {
    root: PathBuf,
}

/// One instance of a container: kubelet gives every restart a new id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Kubelet's id of it, as [`Container::instance`] has it.
    pub id: String,
    /// Its first process: when that ends, the instance ends.
    pub root: Stat,
}

// === impl Procfs ===

impl Default for Procfs {
    fn default() -> Self {
        Self::at("/proc")
    }
}

impl Procfs {
    /// The `/proc` that is mounted at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All processes of this pid namespace, in any order.
    pub fn processes(&self) -> impl Iterator<Item = Stat> {
        numbers(&self.root, Input::Processes).filter_map(|pid| self.process(pid))
    }

    /// The process `pid`. It has the state of a zombie only if none of its threads lives: a first thread that has called
    /// `pthread_exit(3)` is one, and its process runs on.
    #[must_use]
    pub fn process(&self, pid: i32) -> Option<Stat> {
        let mut stat = stat::parse(&bounded::whole(&self.file(pid, "stat"), Input::Stat)?)?;
        if is_over(stat.state) {
            let read = |thread| bounded::whole(&self.file(pid, &format!("task/{thread}/stat")), Input::Stat);
            let threads = self.threads(pid).filter_map(|thread| stat::parse(&read(thread)?));
            let mut states = threads.map(|thread| thread.state).filter(|state| !is_over(*state));
            stat.state = states.next().unwrap_or(stat.state);
        }
        Some(stat)
    }

    /// The ids of the threads of `pid`, of which the first has the id of the process.
    pub fn threads(&self, pid: i32) -> impl Iterator<Item = i32> + use<> {
        numbers(&self.file(pid, "task"), Input::Threads)
    }

    /// The id that the kernel has given last to a process or a thread of this pid namespace (`proc_loadavg(5)`).
    #[must_use]
    pub fn last_id(&self) -> Option<i32> {
        stat::last_id(&bounded::whole(&self.root.join("loadavg"), Input::Loadavg)?)
    }

    /// How many of the ids above `after` were given to processes and threads that are gone. `None` if the kernel does not tell the last id.
    #[must_use]
    pub fn unused_ids(&self, after: i32) -> Option<u32> {
        // The last id comes first: what starts meanwhile can only make the result smaller.
        let last = self.last_id()?;
        let alive = numbers(&self.root, Input::Processes)
            .flat_map(|pid| self.threads(pid))
            .filter(|id| *id > after && *id <= last)
            .count();
        Some(u32::try_from(last.saturating_sub(after)).unwrap_or(0).saturating_sub(u32::try_from(alive).unwrap_or(u32::MAX)))
    }

    /// The real uid of `pid`.
    #[must_use]
    pub fn uid(&self, pid: i32) -> Option<u32> {
        stat::uid(&bounded::beginning(&self.file(pid, "status"), Input::Status)?)
    }

    /// The arguments of `pid`. `None` also if they are too long.
    #[must_use]
    pub fn arguments(&self, pid: i32) -> Option<Vec<String>> {
        Some(stat::arguments(&bounded::whole(&self.file(pid, "cmdline"), Input::Arguments)?))
    }

    /// The container that `pid` runs in. A first thread that has ended has no mounts any more, but the others have.
    #[must_use]
    pub fn container(&self, pid: i32) -> Option<Container> {
        self.container_by(pid, "mountinfo").unwrap_or_else(|_| {
            let by_thread = |thread| self.container_by(pid, &format!("task/{thread}/mountinfo")).ok();
            self.threads(pid).find_map(by_thread).flatten()
        })
    }

    /// The container that this file of mounts names.
    fn container_by(&self, pid: i32, mountinfo: &str) -> io::Result<Option<Container>> {
        let file = bounded::open(&self.file(pid, mountinfo))?;
        container::find(Bounded::new(file, Input::Mountinfo)).or_else(|error| match error.kind() {
            // The threads usually have the same mounts, and a process can have thousands of threads.
            io::ErrorKind::FileTooLarge => Ok(None),
            _ => Err(error),
        })
    }

    /// The first process of the newest instance of the container called `name`.
    #[must_use]
    pub fn root_of(&self, name: &str) -> Option<Stat> {
        self.instance_of(name, None).map(|instance| instance.root)
    }

    /// The newest instance of the container called `name`, but not the one whose id is `ended`.
    ///
    /// In a shared pid namespace the parent of a container's first process is the runtime, which is outside: 0. Processes that
    /// `kubectl exec` or a lifecycle hook starts have the same parent, but start later than the first one, and may outlive it.
    /// Without `ended` such a process would look like a new instance.
    #[must_use]
    pub fn instance_of(&self, name: &str, ended: Option<&str>) -> Option<Instance> {
        let mut instances: Vec<Instance> = Vec::new();
        for process in self.processes().filter(|process| process.parent == 0 && !is_over(process.state)) {
            let container = self.container(process.pid);
            let wanted = |it: &Container| it.name == name && Some(it.instance.as_str()) != ended;
            let Some(Container { instance: id, .. }) = container.filter(wanted) else { continue };
            match instances.iter_mut().find(|known| known.id == id) {
                Some(known) if process.start < known.root.start => known.root = process,
                Some(_) => {}
                None => instances.push(Instance { id, root: process }),
            }
        }
        instances.into_iter().max_by_key(|instance| instance.root.start)
    }

    /// Adds the inodes of the sockets of `pid` to `inodes`. False: this process may not read them (only root and the same uid may), or there
    /// are too many.
    pub fn socket_inodes(&self, pid: i32, inodes: &mut Vec<u64>) -> bool {
        let folder = self.file(pid, "fd");
        let Ok(mut names) = bounded::names(&folder, Input::Descriptors) else { return false };
        for name in names.by_ref() {
            let target = fs::read_link(folder.join(name)).unwrap_or_default();
            inodes.extend(socket_inode(target.as_os_str().as_encoded_bytes()));
        }
        !names.is_cut()
    }

    /// The network namespace of `pid`. Only root and the same uid may read it.
    #[must_use]
    pub fn network(&self, pid: i32) -> Option<PathBuf> {
        fs::read_link(self.file(pid, "ns/net")).ok()
    }

    /// The path of a file of `pid`.
    fn file(&self, pid: i32, file: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(file)
    }
}

/// Whether a process or thread of this state has ended.
const fn is_over(state: u8) -> bool {
    matches!(state, b'Z' | b'X')
}

/// The numbers among the names in `folder`.
fn numbers(folder: &Path, input: Input) -> impl Iterator<Item = i32> + use<> {
    let names = bounded::names(folder, input).into_iter().flatten();
    names.filter_map(|name| number(name.as_encoded_bytes()))
}

/// The inode in a link of `/proc/PID/fd`, such as `socket:[31337]` (`proc_pid_fd(5)`).
fn socket_inode(target: &[u8]) -> Option<u64> {
    number(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use std::thread::sleep;

    use super::*;

    /// A made-up `/proc`.
    struct Pod(Procfs);

    impl Drop for Pod {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.root());
        }
    }

    /// The `/proc` of a pod: pause, the task with processes of an earlier instance, and the proxy.
    fn pod() -> Pod {
        let root = std::env::temp_dir().join(format!("exeunt-procfs-{}-{:?}", std::process::id(), std::thread::current().id()));
        let _ = fs::remove_dir_all(&root);
        let processes = [
            (1, "pause", 'S', 0, 10, ""),
            (70, "sleep (exec)", 'S', 0, 900, "base/5b1c0f9e"),
            (31, "python3", 'S', 0, 400, "base/5b1c0f9e"),
            (33, "worker", 'S', 31, 410, "base/5b1c0f9e"),
            (29, "true", 'Z', 0, 300, "base/11111111"),
            (30, "bash (exec)", 'S', 0, 350, "base/11111111"),
            (40, "pilot-agent", 'S', 0, 500, "istio-proxy/00c0ffee"),
        ];
        for (pid, comm, state, parent, start, mount) in processes {
            let directory = root.join(pid.to_string());
            let zeros = "0 ".repeat(17);
            fs::create_dir_all(directory.join("fd")).unwrap();
            fs::write(directory.join("stat"), format!("{pid} ({comm}) {state} {parent} {zeros}{start} 0 0\n")).unwrap();
            fs::write(directory.join("status"), "Name:\tx\nUid:\t1000\t1000\t1000\t1000\n").unwrap();
            let mountinfo =
                if mount.is_empty() { String::new() } else { format!("1 2 0:3 /pods/u/containers/{mount} /x rw - ext4 d rw\n") };
            fs::write(directory.join("mountinfo"), mountinfo).unwrap();
        }
        fs::create_dir_all(root.join("sys")).unwrap();
        fs::write(root.join("31/cmdline"), b"python3\0task.py\0").unwrap();
        symlink("socket:[4711]", root.join("31/fd/3")).unwrap();
        symlink("/dev/null", root.join("31/fd/0")).unwrap();
        Pod(Procfs::at(root))
    }

    #[test]
    fn an_exec_that_outlives_its_instance_is_not_a_new_instance() {
        let made_up = pod();
        let pod = &made_up.0;
        let found = |ended| pod.instance_of("base", ended).map(|instance| (instance.id, instance.root.pid));
        assert_eq!(found(None), Some(("5b1c0f9e".to_owned(), 31)), "of two instances the newer one");
        assert_eq!(found(Some("11111111")), found(None));
        fs::remove_dir_all(pod.root().join("31")).unwrap();
        fs::remove_dir_all(pod.root().join("70")).unwrap();
        assert_eq!(found(None), Some(("11111111".to_owned(), 30)), "without knowing what has ended it looks like one");
        assert_eq!(found(Some("11111111")), None);
    }

    #[test]
    fn the_root_of_a_container_is_its_oldest_living_child_of_the_runtime() {
        let made_up = pod();
        let pod = &made_up.0;
        assert_eq!(pod.root_of("base").map(|process| process.pid), Some(31));
        assert_eq!(pod.root_of("istio-proxy").map(|process| process.comm), Some("pilot-agent".to_owned()));
        assert_eq!(pod.root_of("absent"), None);
        assert_eq!(pod.processes().count(), 7);
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_runs_on() {
        let end_first_thread = "import ctypes, threading, time\n\
            threading.Thread(target=time.sleep, args=(60,)).start()\n\
            ctypes.CDLL(None).syscall({'x86_64': 60}.get(__import__('os').uname().machine, 93), 0)";
        let mut child = Command::new("python3").args(["-c", end_first_thread]).spawn().unwrap();
        let (proc, pid) = (Procfs::default(), i32::try_from(child.id()).unwrap());
        let state = |file: String| stat::parse(&fs::read(file).unwrap()).unwrap().state;
        while state(format!("/proc/{pid}/stat")) != b'Z' {
            sleep(Duration::from_millis(1));
        }
        assert_eq!(proc.process(pid).unwrap().state, b'S', "its other thread sleeps");
        child.kill().unwrap();
        while proc.process(pid).unwrap().state != b'Z' {
            sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
    }

    #[test]
    fn the_ids_of_threads_that_live_are_not_unused() {
        let made_up = pod();
        let pod = &made_up.0;
        assert_eq!((pod.last_id(), pod.unused_ids(40)), (None, None));
        fs::write(pod.root().join("loadavg"), "0.1 0.1 0.1 1/9 72\n").unwrap();
        for id in ["31/task/31", "40/task/40", "40/task/45", "70/task/70"] {
            fs::create_dir_all(pod.root().join(id)).unwrap();
        }
        assert_eq!(pod.last_id(), Some(72));
        assert_eq!(pod.unused_ids(40), Some(30), "of 41 to 72 the two ids 45 and 70 are alive");
        assert_eq!(pod.unused_ids(72), Some(0));
    }

    #[test]
    fn uid_arguments_and_sockets_of_a_process_are_read() {
        let made_up = pod();
        let pod = &made_up.0;
        assert_eq!(pod.uid(31), Some(1000));
        assert_eq!(pod.arguments(31), Some(vec!["python3".to_owned(), "task.py".to_owned()]));
        let mut inodes = Vec::new();
        assert!(pod.socket_inodes(31, &mut inodes));
        assert_eq!(inodes, [4711]);
    }

    #[test]
    fn a_process_that_has_ended_is_absent() {
        let made_up = pod();
        let pod = &made_up.0;
        assert_eq!((pod.process(999), pod.uid(999), pod.container(999)), (None, None, None));
        assert!(!pod.socket_inodes(999, &mut Vec::new()));
    }
}
