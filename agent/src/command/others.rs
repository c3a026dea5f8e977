//! Who else may need the proxy that `complete` is asked to end. To end a proxy before its task is the worst mistake there is, and a person
//! makes it easily.

use log::warn;
use pod::procfs::Procfs;

use super::preflight;
use crate::options::main_containers::can_be_main;
use crate::options::{Form, Options, Verb};
use crate::os::Linux;
use crate::os::linux::own_pid;

/// Who has called `complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The program of a main container, which knows that its own work is done.
    Task,
    /// Somebody else: a person by `kubectl exec` or `kubectl debug`, or a hook.
    Person,
}

/// What is known of one main container.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Other {
    /// It runs, and this is its first process.
    Runs(String, i32),
    /// The pod has it, and its processes are not visible.
    Unseen(String),
}

/// The processes that this one sees, and what is known of the pod.
#[derive(Debug)]
struct View<'a> {
    proc: &'a Procfs,
    pid: i32,
    /// The container of this process.
    own: Option<String>,
    /// The regular containers without the proxy. Empty if Envoy does not tell them.
    regular: &'a [String],
}

/// What speaks against ending the proxy now, one clause each.
pub(super) fn objections(world: &Linux, options: &Options) -> Vec<String> {
    // With --proxy-pid the agent is on a shared host, and the containers there are not those of one pod.
    if options.proxy_pid.is_some() {
        return Vec::new();
    }
    let own = world.proc().container(own_pid()).map(|container| container.name);
    View { proc: world.proc(), pid: own_pid(), own, regular: &options.regular }.objections(options)
}

// === impl View ===

impl View<'_> {
    fn objections(&self, options: &Options) -> Vec<String> {
        let (caller, shared) = (self.caller(), self.is_shared());
        let mut objections = Vec::new();
        if caller == Caller::Person && options.form.form == Form::Unknown {
            let what = "nothing tells the form of istio-proxy: a native one must not be ended, because kubelet starts it again";
            objections.push(format!("{what}; give --proxy classic if it is a regular container"));
        }
        let others = self.others(options, caller, shared);
        if caller == Caller::Person && !shared && others.is_empty() && self.regular.is_empty() && options.containers.is_empty() {
            objections.push(
                "nothing tells which containers the pod has and whether they still run: look, then give --force".to_owned(),
            );
        }
        for other in others {
            match other {
                Other::Runs(name, pid) => objections.push(format!(
                    "{name} still runs (process {pid}) and would lose its network: call again when it has ended, or give --force"
                )),
                Other::Unseen(name) if caller == Caller::Person => objections.push(format!(
                    "{name} may still run and would lose its network: the pod does not share its processes, so look by kubectl get \
                     pod, then give --force"
                )),
                // A script that ends its pod cannot look either, and without the call the pod would stay.
                Other::Unseen(name) => warn!("{name} may still run: the pod does not share its processes, so the caller must know"),
            }
        }
        objections
    }

    /// Who has called. The program of a container is an ancestor of what it calls; `kubectl exec` and hooks enter from outside.
    fn caller(&self) -> Caller {
        let Some(own) = &self.own else { return Caller::Task };
        let is_main = self.regular.is_empty() || self.regular.contains(own);
        let by_root = self.proc.root_of(own).is_none_or(|root| self.descends_from(root.pid) && !self.is_watch(root.pid));
        if is_main && by_root { Caller::Task } else { Caller::Person }
    }

    fn descends_from(&self, ancestor: i32) -> bool {
        let parent = |pid: &i32| self.proc.process(*pid).map(|process| process.parent).filter(|parent| *parent > 0);
        core::iter::successors(Some(self.pid), parent).any(|pid| pid == ancestor)
    }

    /// Whether this process sees those of the other containers. Then process 1 is `pause`, which is in no container.
    fn is_shared(&self) -> bool {
        self.proc.container(1).is_none() && !preflight::is_node(self.proc)
    }

    /// The main containers, except that of a task that has called.
    fn others(&self, options: &Options, caller: Caller, shared: bool) -> Vec<Other> {
        let names = match (options.containers.as_slice(), self.regular, shared) {
            ([], [], true) => self.seen(),
            ([], [], false) => self.own.iter().cloned().collect(),
            ([], regular, _) => regular.iter().filter(|name| can_be_main(name)).cloned().collect(),
            (given, ..) => given.to_vec(),
        };
        let is_callers = |name: &String| caller == Caller::Task && Some(name) == self.own.as_ref();
        names.into_iter().filter(|name| !is_callers(name)).filter_map(|name| self.state(name, shared)).collect()
    }

    /// The containers that run.
    fn seen(&self) -> Vec<String> {
        let roots = self.proc.processes().filter(|process| process.parent == 0 && process.state != b'Z');
        let mut names: Vec<String> =
            roots.filter_map(|root| self.proc.container(root.pid)).map(|container| container.name).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| can_be_main(name));
        names
    }

    /// `None` if it does not run, or is the agent.
    fn state(&self, name: String, shared: bool) -> Option<Other> {
        match self.proc.root_of(&name) {
            Some(root) if root.pid == self.pid || self.is_watch(root.pid) => None,
            Some(root) => Some(Other::Runs(name, root.pid)),
            None if shared => None,
            None => Some(Other::Unseen(name)),
        }
    }

    /// Whether `pid` is an agent beside the main containers. An agent around a command is a main container, and one whose arguments are
    /// unknown can be one.
    fn is_watch(&self, pid: i32) -> bool {
        let (name, of) = (|pid| self.proc.process(pid).map(|process| process.comm), self.proc.arguments(pid));
        pid != self.pid
            && name(pid).is_some_and(|comm| Some(comm) == name(self.pid))
            && of.is_some_and(|words| words.iter().all(|word| word != Verb::Exec.name()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::testing::options;

    /// A made-up `/proc`.
    struct Pod(PathBuf);

    impl Drop for Pod {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// PID, name, parent, container (empty: none), and the command line.
    type Line = (i32, &'static str, i32, &'static str, &'static str);

    const PAUSE: Line = (1, "pause", 0, "", "/pause");
    const WATCH: Line = (7, "exeunt-agent", 0, "exeunt", "/exeunt-agent watch");
    const MAIN: Line = (20, "sh", 0, "main", "sh script");
    const SECOND: Line = (30, "python3", 0, "second", "python3 second.py");
    const PROXY: Line = (40, "pilot-agent", 0, "istio-proxy", "pilot-agent proxy");
    /// `complete`, called by the script of `main`.
    const BY_SCRIPT: Line = (50, "exeunt-agent", 20, "main", "exeunt-agent complete");
    /// `complete`, by `kubectl exec` or `kubectl debug`.
    const IN_MAIN: Line = (50, "exeunt-agent", 0, "main", "exeunt-agent complete");
    const IN_AGENT: Line = (50, "exeunt-agent", 0, "exeunt", "exeunt-agent complete");
    const IN_RESCUE: Line = (50, "exeunt-agent", 0, "rescue", "exeunt-agent complete");

    /// The objections of the last process to `line`, in a pod with these processes and regular containers.
    fn objections(line: &str, regular: &[&str], processes: &[Line]) -> Vec<String> {
        static NUMBER: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        let pod = Pod(std::env::temp_dir().join(format!("exeunt-others-{}-{number}", std::process::id())));
        for (pid, comm, parent, container, arguments) in processes {
            let folder = pod.0.join(pid.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("stat"), format!("{pid} ({comm}) S {parent} {}{pid} 0 0\n", "0 ".repeat(17))).unwrap();
            fs::write(folder.join("cmdline"), arguments.replace(' ', "\0") + "\0").unwrap();
            let mount = format!("1 2 0:3 /pods/u/containers/{container}/0000000{} /x rw - ext4 d rw\n", parent % 10);
            fs::write(folder.join("mountinfo"), if container.is_empty() { String::new() } else { mount }).unwrap();
        }
        let regular: Vec<String> = regular.iter().map(ToString::to_string).collect();
        let proc = Procfs::at(&pod.0);
        let pid = processes.last().unwrap().0;
        let own = proc.container(pid).map(|container| container.name);
        View { proc: &proc, pid, own, regular: &regular }.objections(&options(line))
    }

    const CLASSIC: &str = "complete --proxy classic";

    #[test]
    fn a_script_ends_the_proxy_of_its_pod_unless_another_main_container_runs() {
        let both = ["main", "second"];
        assert_eq!(objections(CLASSIC, &both, &[PAUSE, WATCH, MAIN, PROXY, BY_SCRIPT]), [""; 0]);
        let told = objections(CLASSIC, &both, &[PAUSE, WATCH, MAIN, SECOND, PROXY, BY_SCRIPT]);
        assert!(matches!(told.as_slice(), [one] if one.starts_with("second still runs (process 30) and would lose")), "{told:?}");
        assert_eq!(objections(CLASSIC, &[], &[PAUSE, MAIN, SECOND, PROXY, BY_SCRIPT]).len(), 1, "Envoy does not tell the names");
        assert_eq!(objections("complete", &[], &[PAUSE, MAIN, PROXY, BY_SCRIPT]), [""; 0]);
    }

    #[test]
    fn named_containers_are_the_only_main_ones() {
        let all = [PAUSE, WATCH, MAIN, SECOND, PROXY, BY_SCRIPT];
        assert_eq!(objections("complete --proxy classic --container main", &["main", "second"], &all), [""; 0]);
        assert_eq!(objections("complete --proxy classic --container second", &["main", "second"], &all).len(), 1);
    }

    #[test]
    fn a_person_does_not_end_the_proxy_of_a_task_that_runs() {
        for caller in [IN_MAIN, IN_AGENT, IN_RESCUE] {
            let told = objections(CLASSIC, &["main", "exeunt"], &[PAUSE, WATCH, MAIN, PROXY, caller]);
            assert!(matches!(told.as_slice(), [one] if one.starts_with("main still runs (process 20)")), "{caller:?}: {told:?}");
            let told = objections(CLASSIC, &[], &[PAUSE, WATCH, MAIN, PROXY, caller]);
            assert!(told.iter().any(|one| one.starts_with("main still runs")), "{caller:?}: {told:?}");
        }
        for caller in [IN_AGENT, IN_RESCUE] {
            assert_eq!(objections(CLASSIC, &["main"], &[PAUSE, WATCH, PROXY, caller]), [""; 0], "{caller:?}");
        }
    }

    #[test]
    fn a_person_who_cannot_see_the_others_must_look() {
        let alone = (1, "exeunt-agent", 0, "rescue", "exeunt-agent complete");
        let told = objections(CLASSIC, &["main"], &[alone]);
        assert!(matches!(told.as_slice(), [one] if one.starts_with("main may still run")), "{told:?}");
        let told = objections(CLASSIC, &[], &[(1, "exeunt-agent", 0, "exeunt", "/exeunt-agent watch"), IN_AGENT]);
        assert!(matches!(told.as_slice(), [one] if one.starts_with("nothing tells which containers")), "{told:?}");
        let in_main = [(1, "python3", 0, "main", "python3"), (50, "exeunt-agent", 0, "main", "exeunt-agent complete")];
        let told = objections(CLASSIC, &["main"], &in_main);
        assert!(matches!(told.as_slice(), [one] if one.starts_with("main still runs (process 1)")), "{told:?}");
    }

    #[test]
    fn a_script_that_cannot_see_the_others_is_believed() {
        let script = [(1, "sh", 0, "main", "sh script"), (50, "exeunt-agent", 1, "main", "exeunt-agent complete")];
        assert_eq!(objections(CLASSIC, &["main", "second"], &script), [""; 0]);
        assert_eq!(objections("complete", &[], &script), [""; 0]);
    }

    #[test]
    fn a_person_does_not_end_a_proxy_of_unknown_form() {
        let told = objections("complete", &["main"], &[PAUSE, WATCH, PROXY, IN_AGENT]);
        assert!(matches!(told.as_slice(), [one] if one.starts_with("nothing tells the form of istio-proxy")), "{told:?}");
    }

    #[test]
    fn helpers_and_agents_need_no_proxy_and_a_wrapped_command_does() {
        let xcom = (60, "sh", 0, "airflow-xcom-sidecar", "sh -c trap");
        assert_eq!(objections(CLASSIC, &[], &[PAUSE, WATCH, MAIN, xcom, PROXY, BY_SCRIPT]), [""; 0]);
        let wrapped = (30, "exeunt-agent", 0, "second", "/exeunt-agent exec -- job");
        assert_eq!(objections(CLASSIC, &[], &[PAUSE, WATCH, MAIN, wrapped, PROXY, BY_SCRIPT]).len(), 1);
    }
}
