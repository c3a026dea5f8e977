//! The form of the proxy, how it is known, and what follows from it.

use drain::wire::Action;
pub use pod::istio::{Form, PROXY};

/// How the form of the proxy is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By the option `--proxy`.
    Option,
    /// By the annotation `sidecar.istio.io/status`, through the downward API.
    Status,
    /// By the same annotation in Envoy's node metadata.
    Envoy,
    /// By the listeners in the pod.
    Listeners,
    /// It is not known.
    Nothing,
}

/// The form of the proxy, and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownForm {
    /// The form.
    pub form: Form,
    /// How it is known.
    pub by: Origin,
}

// === impl KnownForm ===

impl KnownForm {
    /// A form that is not known, and that Envoy was not asked for.
    pub const UNKNOWN: Self = Self { form: Form::Unknown, by: Origin::Nothing };
    /// A pod in an ambient mesh.
    pub const AMBIENT: Self = Self { form: Form::Ambient, by: Origin::Listeners };

    /// This form, or `other` if this one is not known.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.form == Form::Unknown { other } else { self }
    }

    /// What the agent does with a proxy of this form. An unknown one counts as a regular container: if that stays, the pod stays for ever;
    /// if a native one is ended, kubelet restarts it once.
    #[must_use]
    pub const fn action(self) -> Action {
        match self.form {
            Form::Native | Form::Ambient => Action::Drain,
            Form::Classic | Form::Absent | Form::Unknown => Action::Quit,
        }
    }

    /// The reason for the action, as a clause of the verdict.
    #[must_use]
    pub fn reason(self) -> String {
        let form = match self.form {
            Form::Classic => "istio-proxy is a regular container",
            Form::Native => "istio-proxy is a native sidecar",
            Form::Absent => "the injector has added no istio-proxy",
            Form::Ambient => "the pod is in an ambient mesh",
            Form::Unknown => return "nothing tells the form of istio-proxy, so it counts as a regular container".to_owned(),
        };
        let by = match self.by {
            Origin::Option => "--proxy",
            Origin::Status => "sidecar.istio.io/status",
            Origin::Envoy => "Envoy's node metadata",
            Origin::Listeners => "its listeners",
            Origin::Nothing => return form.to_owned(),
        };
        format!("{form}, by {by}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_kubelet_or_the_node_ends_is_only_drained() {
        let action = |form| KnownForm { form, by: Origin::Status }.action();
        for form in [Form::Native, Form::Ambient] {
            assert_eq!(action(form), Action::Drain);
        }
        for form in [Form::Classic, Form::Absent, Form::Unknown] {
            assert_eq!(action(form), Action::Quit);
        }
    }

    #[test]
    fn what_was_told_counts_before_what_was_found() {
        let (told, found) = (Form::Classic, KnownForm { form: Form::Native, by: Origin::Envoy });
        assert_eq!(KnownForm { form: told, by: Origin::Option }.or(found).form, told);
        assert_eq!(KnownForm::UNKNOWN.or(found), found);
    }
}
