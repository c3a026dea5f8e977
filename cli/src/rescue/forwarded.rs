//! What is known of a drain that was driven by port-forward, and what is not.

use serde::Serialize;

/// What nobody sees from outside of the pod.
pub(super) const NOT_SEEN: [&str; 2] =
    ["what the kernel of the pod still held for its connections", "access logs and spans that Envoy still buffered"];

/// What is known of a drain that was driven by port-forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forwarded {
    /// Who was told to end the proxy.
    pub(super) route: Option<&'static str>,
    /// How long the drain took.
    pub(super) drain_ms: Option<u64>,
    /// Requests and TCP streams in flight by Envoy's last count. `None`: it could not be asked.
    pub(super) in_flight: Option<u64>,
    /// How long that count had to stay 0.
    pub(super) settle_ms: u64,
    /// The limit that has ended the drain. `None`: Envoy had nothing in flight any more.
    pub(super) limit: Option<&'static str>,
    /// What was not seen.
    pub(super) not_seen: [&'static str; 2],
}

// === impl Forwarded ===

impl Forwarded {
    /// What is known of a proxy that is gone, and what is not.
    pub(super) fn told(&self) -> Vec<String> {
        let Some(route) = self.route else { return vec!["istio-proxy has ended by itself".to_owned()] };
        let to = if route == "admin" { "Envoy's admin interface" } else { "pilot-agent" };
        let time = self.drain_ms.map(|ms| format!(" after {ms} ms")).unwrap_or_default();
        let count = match (self.limit, self.in_flight) {
            (None, _) => format!("Envoy had nothing in flight for {} ms", self.settle_ms),
            (Some(limit), Some(count)) => format!("Envoy still had {count} requests in flight when the {limit} had passed"),
            (Some(limit), None) => format!("Envoy could not say what was in flight until the {limit} had passed"),
        };
        let not_seen = format!("not seen: {}", self.not_seen.join(", and "));
        vec![format!("istio-proxy is gone{time} by port-forward to {to}"), count, not_seen]
    }
}
