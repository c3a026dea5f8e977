//! `explain` asks istio-proxy by a port-forward whether it has the plugin's module.

use crate::double::{Answer, Double, Request, printed, recorded, refusal};
use serde_json::{Value, json};

const FILTER: &str = "extensions.istio.io/wasmplugin/exports.exeunt";

/// Envoy's admin interface: its metrics, and the type of what stands in the place of the filter.
fn envoy(stats: &'static str, kind: &'static str) -> Double {
    Double::start(move |request, _| match (request.path.as_str(), request.query.as_str()) {
        ("/stats", "filter=^wasmcustom.exeunt_") => (200, json!(stats)),
        ("/config_dump", "resource=dynamic_listeners&name_regex=.*_15190") => {
            let manager = json!({"typed_config": {"http_filters": [{"name": FILTER, "config_discovery": {}}]}});
            let listener = json!({"filter_chains": [{"filters": [manager]}]});
            (200, json!({"configs": [{"name": "127.0.0.1_15190", "active_state": {"listener": listener}}]}))
        }
        ("/config_dump", "resource=ecds_filters") => {
            let config = json!({"@type": kind});
            (200, json!({"configs": [{"ecds_filter": {"name": FILTER, "typed_config": config}}]}))
        }
        other => panic!("{other:?}"),
    })
}

/// What `explain` says of a pod that the plugin of its namespace selects, and whose proxy has written nothing.
fn explain(words: &[&str], forward: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Double, String) {
    let pod = recorded("plugin-not-fetched")["pod"].clone();
    let server = Double::start(move |request, _| match request.path.as_str() {
        path if path.ends_with("/wasmplugins") => {
            let spec = json!({"url": "oci://r/exeunt", "selector": {"matchLabels": {"exeunt.dev/drain": "on"}}});
            let plugin = json!({"metadata": {"name": "exeunt", "namespace": "exports"}, "spec": spec});
            (200, json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [plugin]}))
        }
        path if path.ends_with("/log") => (200, json!("")),
        path if path.ends_with("/events") => (200, json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []})),
        path if path.ends_with("/portforward") => forward(request),
        _ => (200, pod.clone()),
    });
    let (out, error, _) = printed(&server.run(&[&["explain", "any", "-n", "exports"], words].concat()));
    assert_eq!(error, "");
    (server, out)
}

fn to(envoy: &Double) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let port = envoy.port();
    move |_| (101, json!(port))
}

#[test]
fn a_module_that_runs_is_told() {
    let envoy = envoy("wasmcustom.exeunt_state: 0\n", "");
    let (_, out) = explain(&[], to(&envoy));
    assert!(out.contains("module  the module runs in istio-proxy"), "{out}");
    assert!(!out.contains("plugin-not-loaded") && !out.contains("not known"), "{out}");
    assert_eq!(envoy.seen().len(), 1);
}

#[test]
fn what_stands_in_its_place_is_told() {
    let envoy = envoy("", "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC");
    let (_, out) = explain(&["-o", "json"], to(&envoy));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["module"], json!({"state": "replaced", "filter": FILTER, "by": "RBAC"}));
    let ids = report["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect::<Vec<_>>();
    assert_eq!(ids, ["plugin-not-loaded"]);
    assert!(envoy.seen().iter().all(|request| request.verb == "GET"));
}

#[test]
fn what_may_not_be_asked_is_named_and_the_rest_is_said() {
    let (_, out) = explain(&[], |_| refusal(403, "Forbidden", "cannot get resource \"pods/portforward\""));
    assert!(out.contains("not known: cannot get pods/portforward of"), "{out}");
    assert!(out.contains("agent   ") && !out.contains("module  "), "{out}");
}

#[test]
fn a_proxy_that_does_not_answer_keeps_nobody() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (_, out) = explain(&[], move |_| (101, json!(port)));
    assert!(out.contains("not known: cannot ask istio-proxy of"), "{out}");
}

#[test]
fn it_can_be_left_out() {
    let (server, out) = explain(&["--no-forward"], |_| refusal(500, "", ""));
    assert!(!server.seen().iter().any(|request| request.path.ends_with("/portforward")));
    assert!(!out.contains("module  ") && !out.contains("not known"), "{out}");
}
