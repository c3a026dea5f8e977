//! The annotation `sidecar.istio.io/status`, which everyone who may write a pod can write.
#![no_main]

use agent::options::Form;
use drain::wire::Action;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let form = Form::of_status(text);
    // To quit the Envoy of a native sidecar makes kubelet restart it, so only the annotation itself may decide that.
    assert!(form != Form::Native || text.contains("initContainers"));
    assert_eq!(form.action() == Action::Drain, form == Form::Native);
    assert!(!form.reason().is_empty());
});
