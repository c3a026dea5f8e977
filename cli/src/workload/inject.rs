//! The proxy that Istio's injector will add to a template.

use k8s_openapi::api::core::v1::{Container, Pod};

use crate::pod::{ProxyForm, names};

/// Adds an istio-proxy as the injector does: not if the pod has one, has the network of its node, or does not want one. `usual` is the form
/// that the mesh gives to a pod that says nothing.
pub fn inject(pod: &mut Pod, usual: ProxyForm) {
    let value = |map: &Option<std::collections::BTreeMap<String, String>>, name: &str| {
        map.as_ref().and_then(|map| map.get(name).cloned())
    };
    let wanted = value(&pod.metadata.labels, names::INJECT).or_else(|| value(&pod.metadata.annotations, names::INJECT));
    let form = match value(&pod.metadata.annotations, names::NATIVE).as_deref() {
        Some("true") => ProxyForm::Native,
        Some("false") => ProxyForm::Classic,
        _ => usual,
    };
    let Some(spec) = &mut pod.spec else { return };
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let has_one = all.any(|container| container.name == names::PROXY);
    if has_one || spec.host_network == Some(true) || wanted.as_deref() == Some("false") {
        return;
    }
    let mut proxy = Container { name: names::PROXY.to_owned(), ..Container::default() };
    match form {
        ProxyForm::Native => {
            proxy.restart_policy = Some("Always".to_owned());
            spec.init_containers.get_or_insert_default().insert(0, proxy);
        }
        ProxyForm::Classic => spec.containers.insert(0, proxy),
        ProxyForm::Ambient | ProxyForm::None => {}
    }
}
