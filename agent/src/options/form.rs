//! What follows from the form of the proxy.

use drain::wire::Action;
pub use pod::istio::{Form, PROXY};

/// What the agent does with a proxy of this form. An unknown one counts as a regular container: if that stays, the pod stays for ever; if
/// a native one is ended, kubelet restarts it once.
#[must_use]
pub const fn action(form: Form) -> Action {
    match form {
        Form::Native | Form::Ambient => Action::Drain,
        Form::Classic | Form::Absent | Form::Unknown => Action::Quit,
    }
}

/// The reason for the action, as a clause of the verdict.
#[must_use]
pub const fn reason(form: Form) -> &'static str {
    match form {
        Form::Classic => "istio-proxy is a regular container, by sidecar.istio.io/status",
        Form::Native => "istio-proxy is a native sidecar, by sidecar.istio.io/status",
        Form::Absent => "no istio-proxy in sidecar.istio.io/status",
        Form::Ambient => "the pod is in an ambient mesh, by its listeners",
        Form::Unknown => "sidecar.istio.io/status is not given, so istio-proxy counts as a regular container",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_kubelet_or_the_node_ends_is_only_drained() {
        for form in [Form::Native, Form::Ambient] {
            assert_eq!(action(form), Action::Drain);
        }
        for form in [Form::Classic, Form::Absent, Form::Unknown] {
            assert_eq!(action(form), Action::Quit);
        }
    }
}
