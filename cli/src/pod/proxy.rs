//! The form of the pod's proxy.

use serde::Serialize;

/// Where Istio has put the proxy of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyForm {
    /// A regular container: it never ends by itself, and keeps the pod.
    Classic,
    /// A native sidecar, which kubelet ends.
    Native,
    /// The pod is in an ambient mesh: the proxy is ztunnel, on the node.
    Ambient,
    /// The pod has no proxy.
    None,
}

// === impl ProxyForm ===

impl ProxyForm {
    /// One word for a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Native => "native",
            Self::Ambient => "ambient",
            Self::None => "none",
        }
    }

    /// A sentence for a person.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Classic => "istio-proxy is a regular container: it never ends by itself",
            Self::Native => "istio-proxy is a native sidecar: kubelet ends it after the regular containers",
            Self::Ambient => "the pod is in an ambient mesh: its proxy is ztunnel on the node",
            Self::None => "the pod has no istio-proxy",
        }
    }
}
