//! The form in which Istio's injector has added its proxy to the pod.

use serde::Deserialize;

/// What Istio calls its container.
pub const PROXY: &str = "istio-proxy";

/// The form of the pod's proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A regular container. It runs until something ends it, and the pod runs with it.
    Classic,
    /// A native sidecar: an init container with `restartPolicy: Always`. Kubelet ends it, and restarts it if anything else does.
    Native,
    /// The injector has not added a proxy.
    Absent,
    /// The pod is in an ambient mesh: ztunnel carries its traffic, and ztunnel belongs to the node. The annotation does not show this.
    Ambient,
    /// The annotation is not there, or is not what the injector writes.
    Unknown,
}

/// The value of the annotation: the containers that the injector has added, and more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Injected {
    init_containers: Option<Vec<String>>,
    containers: Option<Vec<String>>,
}

// === impl Form ===

impl Form {
    /// Reads the value of the annotation `sidecar.istio.io/status`, which the injector writes (istio, `pkg/kube/inject/webhook.go`).
    /// The downward API gives it as an environment variable, which is empty if there is no annotation.
    #[must_use]
    pub fn of_status(status: &str) -> Self {
        let Ok(injected) = serde_json::from_str::<Injected>(status) else { return Self::Unknown };
        let has_proxy = |names: Option<Vec<String>>| names.unwrap_or_default().iter().any(|name| name == PROXY);
        if has_proxy(injected.init_containers) {
            Self::Native
        } else if has_proxy(injected.containers) {
            Self::Classic
        } else {
            Self::Absent
        }
    }
}

/// Whether the injector has added the init container `name`, by the same annotation.
#[must_use]
pub fn has_init(status: &str, name: &str) -> bool {
    let injected = serde_json::from_str::<Injected>(status).ok().and_then(|injected| injected.init_containers);
    injected.unwrap_or_default().iter().any(|init| init == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_form_is_read_from_what_the_injector_writes() {
        let table = [
            (r#"{"initContainers":["istio-init"],"containers":["istio-proxy"],"revision":"default"}"#, Form::Classic),
            (r#"{"initContainers":["istio-init","istio-proxy"],"containers":null,"revision":"default"}"#, Form::Native),
            (r#"{"initContainers":["istio-validation","istio-proxy"],"containers":null}"#, Form::Native),
            (r#"{"initContainers":null,"containers":null}"#, Form::Absent),
            ("{}", Form::Absent),
            ("", Form::Unknown),
            ("{", Form::Unknown),
            (r#"{"containers":"istio-proxy"}"#, Form::Unknown),
            (r#"{"containers":["istio-proxy"],"containers":[]}"#, Form::Unknown),
        ];
        for (status, form) in table {
            assert_eq!(Form::of_status(status), form, "{status}");
        }
    }

    #[test]
    fn the_init_containers_are_read() {
        let status = r#"{"initContainers":["istio-init"],"containers":["istio-proxy"],"revision":"default"}"#;
        assert!(has_init(status, "istio-init") && !has_init(status, "istio-proxy"));
        assert!(!has_init("{}", "istio-init") && !has_init("", "istio-init"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(status: String) {
            let _ = Form::of_status(&status);
        }

        #[test]
        fn only_the_init_containers_make_a_proxy_native(init in prop::collection::vec("istio-(proxy|init)", 0..3),
                                                        regular in prop::collection::vec("istio-proxy|base", 0..3)) {
            let status = format!(r#"{{"initContainers":{init:?},"volumes":["workload-socket"],"containers":{regular:?}}}"#);
            let native = init.iter().any(|name| name == PROXY);
            prop_assert_eq!(Form::of_status(&status) == Form::Native, native, "{}", status);
        }
    }
}
