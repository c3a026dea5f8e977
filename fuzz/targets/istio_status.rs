//! The annotation `sidecar.istio.io/status`, which anybody who may write a pod can write.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pod::istio::{Form, PROXY};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let form = Form::of_status(text);
    assert_ne!(form, Form::Ambient, "the annotation does not show this");
    // Kubelet restarts the Envoy of a native sidecar that anything else has ended: only the proxy's name among the init containers makes
    // a proxy native. A reader that takes everything says the same.
    let Ok(document) = serde_json::from_str::<Value>(text) else { return };
    let has_proxy = |list: &str| document[list].as_array().is_some_and(|names| names.iter().any(|name| name == PROXY));
    if document.is_object() {
        assert!(form != Form::Native || has_proxy("initContainers"));
        assert!(form != Form::Classic || has_proxy("containers") && !has_proxy("initContainers"));
        assert!(form != Form::Absent || !has_proxy("containers") && !has_proxy("initContainers"));
    }
});
