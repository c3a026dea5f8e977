//! The annotation `sidecar.istio.io/status`, which anybody who may write a pod can write.
#![no_main]

use drain::wire::Action;
use libfuzzer_sys::fuzz_target;

// The agent is a program and no library; this file of it stands alone.
#[path = "../../agent/src/istio.rs"]
mod istio;

use istio::Form;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let form = Form::of_status(text);
    // To end a native sidecar's Envoy is to have kubelet start it again: nothing but its name among the init containers says so.
    assert!(form != Form::Native || text.contains("initContainers"));
    assert_eq!(form.action() == Action::Drain, form == Form::Native);
    assert!(!form.decided().is_empty());
});
