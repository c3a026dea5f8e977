//! The annotation `sidecar.istio.io/status`. Every user who can write a pod can write it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pod::istio::{Form, PROXY, has_init};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let form = Form::of_status(text);
    assert_ne!(form, Form::Ambient, "the annotation does not show this");
    // Kubelet restarts the Envoy of a native sidecar if anything else ends it. So a proxy is native exactly if its name is among the init
    // containers. Compared with the tree that `serde_json` makes of the same text.
    let Ok(document) = serde_json::from_str::<Value>(text) else { return };
    let has_proxy = |list: &str| document[list].as_array().is_some_and(|names| names.iter().any(|name| name == PROXY));
    if document.is_object() {
        assert!(form != Form::Native || has_proxy("initContainers"));
        assert!(form != Form::Classic || has_proxy("containers") && !has_proxy("initContainers"));
        assert!(!has_init(text, PROXY) || form == Form::Native);
        assert!(form != Form::Absent || !has_proxy("containers") && !has_proxy("initContainers"));
    }
});
