//! Preflight: pods that the agent refuses to handle.

use std::path::Path;

use log::warn;
use pod::bounded;
use pod::bounds::Input;
use pod::procfs::Procfs;

use crate::options::{Form, Options, Placement};
use crate::os::Linux;
use crate::os::linux::own_pid;
use crate::proxy::recognition;
use crate::task::Source;

/// Kubelet writes this file in every container that does not have its own.
const HOSTS: &str = "/etc/hosts";
/// Its first line in a pod with the network of the node (Kubernetes, `pkg/kubelet/kubelet_pods.go`,
/// `managedHostsHeaderWithHostNetwork`).
const HOST_NETWORK: &[u8] = b"# Kubernetes-managed hosts file (host network).";

/// Why the agent refuses to handle this pod: all reasons. Empty if it does not refuse.
pub(super) fn refusals(world: &Linux, options: &Options) -> Vec<String> {
    // With --proxy-pid the agent is on a shared host, and meant to be.
    let heading = || bounded::beginning(Path::new(HOSTS), Input::HostsHeading);
    let hosts = options.proxy_pid.is_none().then(heading).flatten().unwrap_or_default();
    let proc = world.proc();
    let mut refusals: Vec<String> = host_network(&hosts).into_iter().collect();
    if Source::of(options) == Source::Processes {
        let alone = recognition::is_alone(world, options).then(|| cannot_see(options));
        refusals.extend(alone.into_iter().chain(host_processes(options, proc)));
    }
    refusals
}

/// Whether the processes are those of the node. Only the node has the threads of the kernel, and process 2 is always their parent (Linux,
/// `init/main.c`, `rest_init`).
pub(super) fn is_node(proc: &Procfs) -> bool {
    proc.process(2).is_some_and(|process| process.comm == "kthreadd" && process.parent == 0)
}

/// With the processes of the node, the first process of a container cannot be told from the others, because its parent, the runtime, is
/// there too.
fn host_processes(options: &Options, proc: &Procfs) -> Option<String> {
    let is_given = options.pid.is_some() || options.proxy_pid.is_some();
    (!is_given && is_node(proc)).then(|| {
        "hostPID: true is not supported: use shareProcessNamespace: true instead, or start the command of the main container with \
         exeunt-agent exec"
            .to_owned()
    })
}

/// Why an agent that is alone cannot see the end of the task, and what to do. In a shared PID namespace, process 1 is `pause`.
fn cannot_see(options: &Options) -> String {
    let (why, remedy) = match (options.form.form, options.placement) {
        (Form::Classic, _) => {
            ("istio-proxy is a regular container", "add the annotation sidecar.istio.io/nativeSidecar: \"true\" to the pod")
        }
        (Form::Native | Form::Ambient, _) | (Form::Absent | Form::Unknown, Some(Placement::Regular)) => {
            ("the agent is a regular container", "make it an init container with restartPolicy: Always, behind istio-proxy")
        }
        (Form::Absent | Form::Unknown, Some(Placement::Native) | None) => (
            "no istio-proxy has told its form",
            "add the annotation sidecar.istio.io/nativeSidecar: \"true\" to the pod, and list the agent behind istio-proxy",
        ),
    };
    format!(
        "the agent cannot see the end of the task, because {why} and the pod does not share its processes: {remedy}; or add \
         shareProcessNamespace: true; or start the command of the main container with exeunt-agent exec"
    )
}

fn host_network(hosts: &[u8]) -> Option<String> {
    let is_node = hosts.starts_with(HOST_NETWORK);
    is_node.then(|| {
        "hostNetwork: true is not supported: Istio injects no proxy there, and the listeners are those of the node".to_owned()
    })
}

/// `options` without the agent's own container among the main ones: the agent cannot wait for its own end. It says so.
pub(super) fn without_itself(world: &Linux, options: &Options) -> Options {
    let own = world.proc().container(own_pid()).map(|container| container.name);
    own.map_or_else(|| options.clone(), |own| without(options, &own))
}

fn without(options: &Options, own: &str) -> Options {
    let mut options = options.clone();
    if options.pid.is_none() && options.containers.iter().any(|name| name == own) {
        let warning = format!(
            "--container: {own:?} is not allowed: the agent runs in this container and cannot wait for its end; it is ignored"
        );
        warn!("{warning}");
        options.warnings.push(warning);
        options.containers.retain(|name| name != own);
    }
    options
}

/// `options` without the helpers that are to end, if the agent sees no other container: then kubelet must tell the end of the task, and it does so only
/// after the end of all regular containers. The agent says what to do.
pub(super) fn with_possible_helpers(world: &Linux, options: &Options) -> Options {
    let is_alone = options.helpers.are_to_end() && recognition::is_alone(world, options);
    if is_alone { without_helpers(options) } else { options.clone() }
}

fn without_helpers(options: &Options) -> Options {
    let mut options = options.clone();
    (options.helpers.endpoints, options.helpers.signals) = (Vec::new(), Vec::new());
    let warning = "--quit-endpoint and --quit-signal are ignored, because the pod does not share its processes: add \
                   shareProcessNamespace: true, or make the helper an init container with restartPolicy: Always, which kubelet ends";
    warn!("{warning}");
    options.warnings.push(warning.to_owned());
    options
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;
    use crate::testing::options;

    #[test]
    fn the_agent_does_not_wait_for_its_own_container() {
        let corrected = without(&options("watch --container exeunt --container base"), "exeunt");
        assert_eq!(corrected.containers, ["base"]);
        assert!(
            matches!(corrected.warnings.as_slice(), [one] if one.starts_with("--container: \"exeunt\" is not allowed")),
            "{:?}",
            corrected.warnings
        );
        for line in ["watch --container base", "watch --pid 7 --container exeunt"] {
            assert_eq!(without(&options(line), "exeunt"), options(line), "{line}");
        }
    }

    #[test]
    fn an_agent_that_is_alone_leaves_the_helpers_to_kubelet() {
        let native = "watch --proxy native --placement native";
        let alone = without_helpers(&options(&format!("{native} --quit-endpoint http://127.0.0.1:1/ --quit-signal cache=TERM")));
        assert_eq!((Source::of(&alone), alone.helpers), (Source::Kubelet, options(native).helpers));
        assert!(
            matches!(alone.warnings.as_slice(), [one] if one.contains("shareProcessNamespace: true")),
            "{:?}",
            alone.warnings
        );
    }

    #[test]
    fn an_agent_that_cannot_see_the_end_of_the_task_names_every_remedy() {
        let classic = cannot_see(&options("watch --proxy classic --placement native"));
        assert!(
            classic.starts_with("the agent cannot see the end of the task, because istio-proxy is a regular container"),
            "{classic}"
        );
        for remedy in ["sidecar.istio.io/nativeSidecar: \"true\"", "shareProcessNamespace: true", "exeunt-agent exec"] {
            assert!(classic.contains(remedy), "{classic}");
        }
        for line in ["watch --proxy native --placement regular", "watch --placement regular"] {
            let regular = cannot_see(&options(line));
            assert!(regular.contains("make it an init container with restartPolicy: Always"), "{line}: {regular}");
        }
    }

    #[test]
    fn the_processes_of_the_node_are_known_by_those_of_the_kernel() {
        let root = std::env::temp_dir().join(format!("exeunt-refusal-{}", process::id()));
        fs::create_dir_all(root.join("2")).unwrap();
        for (comm, parent, refused) in [("kthreadd", 0, true), ("pause", 0, false), ("kthreadd", 1, false)] {
            fs::write(root.join("2/stat"), format!("2 ({comm}) S {parent} {}9 0 0\n", "0 ".repeat(17))).unwrap();
            let proc = Procfs::at(&root);
            assert_eq!(host_processes(&options("watch"), &proc).is_some(), refused, "{comm}, child of {parent}");
            assert_eq!(host_processes(&options("watch --pid 7"), &proc), None, "the process was given");
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_network_of_the_node_is_known_by_the_hosts_file() {
        assert!(host_network(b"# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n").is_some());
        for hosts in ["# Kubernetes-managed hosts file.\n127.0.0.1 localhost\n", "127.0.0.1 localhost\n", ""] {
            assert_eq!(host_network(hosts.as_bytes()), None, "{hosts}");
        }
    }
}
