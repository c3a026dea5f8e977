//! In which form the pod has its proxy, and so what may become of it.

use drain::wire::Action;

pub(crate) use pod::istio::PROXY;

/// The form of the pod's proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A regular container: it must be ended, or the pod stays.
    Classic,
    /// An init container with restartPolicy Always: kubelet ends it, and would restart it if we did.
    Native,
    /// The injector has put none in.
    Absent,
    /// The pod is in an ambient mesh: its traffic is carried by ztunnel, which is the node's and nobody's in the pod to end.
    Ambient,
    /// Nobody has told us.
    Unknown,
}

// === impl Form ===

impl Form {
    /// Reads the value of the annotation `sidecar.istio.io/status`, which the injector writes: two lists of the containers it added
    /// (istio, `pkg/kube/inject/webhook.go`). The downward API gives it as an environment variable; empty where there is none.
    pub(crate) fn of_status(status: &str) -> Self {
        match pod::istio::Form::of_status(status) {
            pod::istio::Form::Classic => Self::Classic,
            pod::istio::Form::Native => Self::Native,
            pod::istio::Form::Absent => Self::Absent,
            pod::istio::Form::Ambient => Self::Ambient,
            pod::istio::Form::Unknown => Self::Unknown,
        }
    }

    /// What may become of such a proxy. An unknown one is taken for a regular container: to leave that running would keep the pod for
    /// ever, to end a native one costs a restart of it.
    pub(crate) const fn action(self) -> Action {
        match self {
            Self::Native | Self::Ambient => Action::Drain,
            Self::Classic | Self::Absent | Self::Unknown => Action::Quit,
        }
    }

    /// How the action came about, as a clause for the verdict.
    pub(crate) const fn decided(self) -> &'static str {
        match self {
            Self::Classic => "istio-proxy is a regular container, by sidecar.istio.io/status",
            Self::Native => "istio-proxy is a native sidecar, by sidecar.istio.io/status",
            Self::Absent => "no istio-proxy in sidecar.istio.io/status",
            Self::Ambient => "the pod is in an ambient mesh, by what listens in it",
            Self::Unknown => "sidecar.istio.io/status was not given, so it is taken for a regular container",
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
    fn a_proxy_that_is_others_to_end_is_left_running() {
        for form in [Form::Native, Form::Ambient] {
            assert_eq!(form.action(), Action::Drain);
        }
        for form in [Form::Classic, Form::Absent, Form::Unknown] {
            assert_eq!(form.action(), Action::Quit);
        }
    }
}
