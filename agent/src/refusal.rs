//! What the agent has no business with: it says so, and touches nothing.

use std::fs;
use std::process;

use pod::procfs::Procfs;

use crate::options::Options;

/// Kubelet's file, in every container that does not bring its own.
const HOSTS: &str = "/etc/hosts";
/// How it begins in a pod on the node's own network (kubernetes, `pkg/kubelet/kubelet_pods.go`,
/// `managedHostsHeaderWithHostNetwork`).
const HOST_NETWORK: &str = "# Kubernetes-managed hosts file (host network).";

/// Why this pod is none of ours, all reasons at once; empty where it is.
pub(crate) fn reasons(options: &Options) -> Vec<String> {
    // Whoever names the proxy's process knows that it is on a shared host.
    let hosts = if options.proxy_pid.is_none() { fs::read_to_string(HOSTS).unwrap_or_default() } else { String::new() };
    let proc = Procfs::default();
    let own = proc.container(process::id().cast_signed()).map(|container| container.name);
    let itself = own.and_then(|own| itself(options, &own));
    let host_processes = host_processes(options, &proc);
    host_network(&hosts).into_iter().chain(alone(options, process::id())).chain(host_processes).chain(itself).collect()
}

/// Among the node's processes no container's first one is told from its others: each has its runtime for a parent. The kernel's own
/// are seen nowhere else, and the parent of all of them is always the second (Linux, `init/main.c`, `rest_init`).
fn host_processes(options: &Options, proc: &Procfs) -> Option<String> {
    let told = options.pid.is_some() || options.proxy_pid.is_some();
    let node = !told && proc.process(2).is_some_and(|process| process.comm == "kthreadd" && process.parent == 0);
    node.then(|| {
        "hostPID: true is not supported: shareProcessNamespace: true in its place; or wrap the main container's command with \
         exeunt-agent exec"
            .to_owned()
    })
}

/// In a shared process namespace the first process is the pod's own, `pause`.
fn alone(options: &Options, pid: u32) -> Option<String> {
    (options.pid.is_none() && pid == 1).then(|| {
        "shareProcessNamespace: true is missing in the pod: without it the agent cannot see the main container; or wrap its command \
         with exeunt-agent exec"
            .to_owned()
    })
}

fn host_network(hosts: &str) -> Option<String> {
    let told = hosts.starts_with(HOST_NETWORK);
    told.then(|| {
        "hostNetwork: true is not supported: the network is the node's, Istio injects no proxy there, and what listens is not the \
         pod's to end"
            .to_owned()
    })
}

fn itself(options: &Options, own: &str) -> Option<String> {
    let waits = options.pid.is_none() && options.containers.iter().any(|name| name == own);
    waits.then(|| format!("--container: {own:?} is not allowed: it is the agent's own container, whose end it cannot wait for"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::options::Invocation;

    fn options(line: &str) -> Options {
        match Invocation::parse(line.split(' ').map(OsString::from), |_| None) {
            Ok(Invocation::Run(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_agent_that_is_to_wait_for_itself_says_so() {
        let reason = itself(&options("watch --container exeunt"), "exeunt").unwrap();
        assert!(reason.starts_with("--container: \"exeunt\" is not allowed"), "{reason}");
        assert_eq!(itself(&options("watch --container base"), "exeunt"), None);
    }

    #[test]
    fn the_first_process_of_its_namespace_cannot_see_the_main_container() {
        assert!(alone(&options("watch"), 1).unwrap().starts_with("shareProcessNamespace: true is missing"));
        assert_eq!((alone(&options("watch"), 7), alone(&options("watch --pid 7"), 1)), (None, None));
    }

    #[test]
    fn a_pod_among_the_nodes_processes_is_known_by_the_kernels() {
        let root = std::env::temp_dir().join(format!("exeunt-refusal-{}", process::id()));
        fs::create_dir_all(root.join("2")).unwrap();
        for (comm, parent, refused) in [("kthreadd", 0, true), ("pause", 0, false), ("kthreadd", 1, false)] {
            fs::write(root.join("2/stat"), format!("2 ({comm}) S {parent} {}9 0 0\n", "0 ".repeat(17))).unwrap();
            let proc = Procfs::at(&root);
            assert_eq!(host_processes(&options("watch"), &proc).is_some(), refused, "{comm}, child of {parent}");
            assert_eq!(host_processes(&options("watch --pid 7"), &proc), None, "it was told which process");
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_pod_on_the_nodes_network_is_known_by_kubelets_hosts_file() {
        assert!(host_network("# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n").is_some());
        for hosts in ["# Kubernetes-managed hosts file.\n127.0.0.1 localhost\n", "127.0.0.1 localhost\n", ""] {
            assert_eq!(host_network(hosts), None, "{hosts}");
        }
    }
}
