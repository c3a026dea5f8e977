//! The form of the proxy, and what follows from it.

use drain::wire::Action;
use serde::Deserialize;

/// The name of Istio's container.
pub const PROXY: &str = "istio-proxy";

/// How the pod has its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a regular container. It must end, or the pod stays.
    Classic,
    /// As a native sidecar: an init container with restartPolicy Always. Kubelet ends it, and restarts it if anything else does.
    Native,
    /// The injector has added no proxy.
    Absent,
    /// The pod is in an ambient mesh: ztunnel, on the node, carries its traffic.
    Ambient,
    /// Nothing tells.
    Unknown,
}

/// The two lists of containers in the annotation `sidecar.istio.io/status` (Istio, `pkg/kube/inject/webhook.go`). They can be `null`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    init_containers: Option<Vec<String>>,
    containers: Option<Vec<String>>,
}

// === impl Form ===

impl Form {
    /// Reads the value of the annotation `sidecar.istio.io/status`, which the injector writes. The downward API passes it as an
    /// environment variable, which is empty if the annotation is absent.
    #[must_use]
    pub fn of_status(status: &str) -> Self {
        let Ok(status) = serde_json::from_str::<Status>(status) else { return Self::Unknown };
        let names = |list: Option<Vec<String>>| list.is_some_and(|list| list.iter().any(|name| name == PROXY));
        match (names(status.init_containers), names(status.containers)) {
            (true, _) => Self::Native,
            (false, true) => Self::Classic,
            (false, false) => Self::Absent,
        }
    }

    /// What the agent does with such a proxy. An unknown one counts as a regular container: if that stays, the pod stays for ever; if a
    /// native one is ended, kubelet restarts it once.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Native | Self::Ambient => Action::Drain,
            Self::Classic | Self::Absent | Self::Unknown => Action::Quit,
        }
    }

    /// The reason for the action, as a clause of the verdict.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Classic => "istio-proxy is a regular container, by sidecar.istio.io/status",
            Self::Native => "istio-proxy is a native sidecar, by sidecar.istio.io/status",
            Self::Absent => "no istio-proxy in sidecar.istio.io/status",
            Self::Ambient => "the pod is in an ambient mesh, by its listeners",
            Self::Unknown => "sidecar.istio.io/status is not given, so istio-proxy counts as a regular container",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_read_from_what_the_injector_writes() {
        let table = [
            (r#"{"initContainers":["istio-init"],"containers":["istio-proxy"],"revision":"default"}"#, Form::Classic),
            (r#"{"initContainers":["istio-init","istio-proxy"],"containers":null,"revision":"default"}"#, Form::Native),
            (r#"{"initContainers":["istio-validation","istio-proxy"],"containers":null}"#, Form::Native),
            (r#"{"initContainers":null,"containers":null}"#, Form::Absent),
            ("", Form::Unknown),
            ("{", Form::Unknown),
            ("[]", Form::Unknown),
        ];
        for (status, form) in table {
            assert_eq!(Form::of_status(status), form, "{status}");
        }
    }

    #[test]
    fn a_proxy_that_kubelet_or_the_node_ends_is_only_drained() {
        for form in [Form::Native, Form::Ambient] {
            assert_eq!(form.action(), Action::Drain);
        }
        for form in [Form::Classic, Form::Absent, Form::Unknown] {
            assert_eq!(form.action(), Action::Quit);
        }
    }
}
