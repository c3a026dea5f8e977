//! Istio's ports. Connections on them never carry data of the workload, so nothing waits for them.
//!
//! Source: Istio, "Application Requirements: Ports used by Istio"; `tools/packaging/common/envoy_bootstrap.json`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of `localhost`. In a pod with IPv6 only, another process of the pod is reached on the second one.
pub const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Envoy's virtual outbound listener. Every connection that leaves the pod is redirected to it.
pub const OUTBOUND: u16 = 15001;
/// Envoy's virtual inbound listener. Every connection that enters the pod is redirected to it.
pub const INBOUND: u16 = 15006;
/// The port for connections of an ambient mesh (HBONE), of ztunnel or of a sidecar in such a mesh.
pub const HBONE: u16 = 15008;
/// Envoy's admin interface, unless `proxyAdminPort` is set.
pub const ADMIN: u16 = 15000;
/// pilot-agent's status server (health, merged metrics, `/quitquitquit`), unless `statusPort` is set.
pub const STATUS: u16 = 15020;
/// Envoy's health check listener, for kubelet's probes.
pub const HEALTH: u16 = 15021;
/// Envoy's metrics listener, for Prometheus.
pub const METRICS: u16 = 15090;
/// pilot-agent's debug interface to istiod.
pub const DEBUG: u16 = 15004;
/// pilot-agent's DNS proxy.
pub const DNS: u16 = 15053;

/// The control ports of a pod, without the signal ports.
pub const CONTROL: [u16; 6] = [ADMIN, STATUS, HEALTH, METRICS, DEBUG, DNS];
/// istiod's ports: xDS without TLS, xDS and certificates with TLS, metrics, webhook.
pub const ISTIOD: [u16; 4] = [15010, 15012, 15014, 15017];
/// The listeners that show Envoy in a pod, the most certain one first.
pub const OF_ENVOY: [u16; 4] = [OUTBOUND, INBOUND, HEALTH, METRICS];
/// pilot-agent's listeners. pilot-agent has the same uid as Envoy, but does not end at the same time.
pub const OF_PILOT_AGENT: [u16; 3] = [STATUS, DEBUG, DNS];
