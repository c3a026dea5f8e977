//! Names that Istio, Kubernetes and exeunt give to things of a pod. `facts.yaml` holds those that are ours equal to the rest of the project.

/// The container of the agent.
pub const AGENT: &str = "exeunt";
/// The program of the agent, and the last part of its image's name.
pub const AGENT_PROGRAM: &str = "exeunt-agent";
/// The name of a container that `kubectl exeunt end` adds begins so. A pod keeps every ephemeral container, so each try has a name of its own.
pub const RESCUE: &str = "exeunt-end-";
/// The container of Istio's proxy.
pub const PROXY: &str = "istio-proxy";
/// The label by which the plugin selects a pod. Its value is `on`.
pub const DRAIN_LABEL: &str = "exeunt.dev/drain";
/// The label by which a pod or a Namespace agrees that stuck pods are ended (`on`), or a pod refuses (`off`).
pub const REAP_LABEL: &str = "exeunt.dev/reap";
/// The annotations of exeunt: what a pod tells its agent, and what the policy says of a pod that it leaves alone.
pub const ANNOTATIONS: [&str; 7] = [
    "exeunt.dev/also-wait",
    "exeunt.dev/container",
    "exeunt.dev/quit-endpoints",
    "exeunt.dev/quit-signals",
    "exeunt.dev/restart-policy",
    "exeunt.dev/restart-rules",
    "exeunt.dev/skipped",
];
/// The variable of the proxy that opens the signal listener.
pub const LISTENER_VARIABLE: &str = "ISTIO_META_HTTP_PROXY_PORT";
/// The port of the signal listener.
pub const SIGNAL_PORT: u16 = 15190;
/// The port of Envoy's admin interface.
pub const ADMIN_PORT: u16 = 15000;
/// The port of pilot-agent's status server.
pub const STATUS_SERVER_PORT: u16 = 15020;
/// The annotation with which Istio CNI marks a pod of an ambient mesh.
pub const AMBIENT: &str = "ambient.istio.io/redirection";
/// The annotation that makes the proxy native, or classic.
pub const NATIVE: &str = "sidecar.istio.io/nativeSidecar";
/// The label, earlier also annotation, with which a pod wants a proxy or not.
pub const INJECT: &str = "sidecar.istio.io/inject";
/// The annotation for the port of pilot-agent's status server.
pub const STATUS_PORT: &str = "status.sidecar.istio.io/port";
/// The annotation for the way in which Istio captures traffic.
pub const INTERCEPTION: &str = "sidecar.istio.io/interceptionMode";

/// Containers that never end by themselves and are never the task. The file is a link to that of the Airflow package, which the agent reads,
/// too.
const ENDLESS_HELPERS: &str = include_str!("endless_helpers.txt");

/// Whether the container `name` never ends by itself and is never the task.
#[must_use]
pub fn is_endless_helper(name: &str) -> bool {
    let lines = ENDLESS_HELPERS.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()).any(|helper| helper == name)
}
