//! Ports whose connections are never the workload's, and so are never waited for.
//!
//! Source: Istio, "Application Requirements: Ports used by Istio"; `tools/packaging/common/envoy_bootstrap.json`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a neighbour in the pod is reached that listens on `localhost` or on every address: in a pod of IPv6 alone, on the second.
pub const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Envoy's virtual outbound listener: every connection that leaves the pod is redirected to it.
pub const OUTBOUND: u16 = 15001;
/// Envoy's virtual inbound listener: every connection that enters the pod is redirected to it.
pub const INBOUND: u16 = 15006;
/// Where connections of an ambient mesh arrive (HBONE): ztunnel's, and a sidecar's that takes part in one.
pub const HBONE: u16 = 15008;
/// Envoy's admin interface, unless `proxyAdminPort` says otherwise.
pub const ADMIN: u16 = 15000;
/// pilot-agent's status server: health, merged metrics, `/quitquitquit`; unless `statusPort` says otherwise.
pub const STATUS: u16 = 15020;
/// Envoy's health check listener: kubelet's probes.
pub const HEALTH: u16 = 15021;
/// Envoy's metrics listener: Prometheus.
pub const METRICS: u16 = 15090;
/// pilot-agent's debug interface to istiod.
pub const DEBUG: u16 = 15004;
/// pilot-agent's DNS proxy.
pub const DNS: u16 = 15053;

/// The pod's own control ports. The signal ports are added where they are known.
pub const CONTROL: [u16; 6] = [ADMIN, STATUS, HEALTH, METRICS, DEBUG, DNS];
/// Where istiod listens, wherever it is: xDS in clear, xDS and certificates over TLS, its own metrics, its webhook.
pub const ISTIOD: [u16; 4] = [15010, 15012, 15014, 15017];
/// The listeners by which Envoy is known in a pod, the surest first.
pub const OF_ENVOY: [u16; 4] = [OUTBOUND, INBOUND, HEALTH, METRICS];
/// pilot-agent's listeners. It shares Envoy's uid, but its end is not Envoy's.
pub const OF_PILOT_AGENT: [u16; 3] = [STATUS, DEBUG, DNS];
