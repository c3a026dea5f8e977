//! Envoy's `/server_info`. The pod's annotations are in it, and every user who can write a pod can write those.
#![no_main]

use agent::options::{Form, Placement};
use agent::proxy::metadata::Metadata;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const OWN: &str = "exeunt";

fuzz_target!(|data: &[u8]| {
    let read = Metadata::parse(data);
    // A wrong form can end the proxy of a native sidecar, and a wrong placement can keep a pod. Compared with the tree that `serde_json` makes
    // of the same text. Envoy writes objects; `serde` also reads a list of the same values.
    let document = serde_json::from_slice::<Value>(data).unwrap_or_default();
    let metadata = &document["node"]["metadata"];
    let annotations = &metadata["ANNOTATIONS"];
    if !document.is_object() || !document["node"].is_object() || !metadata.is_object() || annotations.is_array() {
        return;
    }
    let containers = metadata["APP_CONTAINERS"].as_str().unwrap_or_default();
    match read.placement(OWN) {
        Some(Placement::Regular) => assert!(containers.split(',').any(|name| name.trim() == OWN)),
        Some(Placement::Native) => assert!(!containers.is_empty() && containers.split(',').all(|name| name.trim() != OWN)),
        None => {}
    }
    let status = annotations["sidecar.istio.io/status"].as_str().unwrap_or_default();
    let form = read.form().form;
    assert!(form == Form::Unknown || form == Form::of_status(status), "{form:?}");
    assert!(read.regular().iter().all(|name| containers.split(',').any(|given| given.trim() == name)));
    assert!(!read.has_init("istio-init") || status.contains("initContainers"));
});
