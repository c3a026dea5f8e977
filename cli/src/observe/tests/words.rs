use super::super::{labels, owner};
use super::*;
use crate::pod::Verdict;

#[test]
fn an_owner_is_one_of_a_closed_set() {
    // The pod was created at 2026-11-22T19:46:22Z: minute 29,922,946.
    for (kind, name, word) in [
        ("Job", "report", "Job"),
        ("Job", "report-29922946", "CronJob"),
        ("Job", "report-29923005", "CronJob"),
        ("Job", "report-29923036", "Job"),
        ("Job", "report-29872946", "Job"),
        ("Job", "report-20261122", "Job"),
        ("Job", "report-9223372036854775807", "Job"),
        ("Job", "29922946", "Job"),
        ("Workflow", "x", "Workflow"),
        ("TaskRun", "x", "TaskRun"),
        ("SparkApplication", "x", "SparkApplication"),
        ("ReplicaSet", "x", "Other"),
        ("job", "x", "Other"),
    ] {
        let mut pod = finished("u", "");
        pod["metadata"]["ownerReferences"] = json!([
            {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n"},
            {"apiVersion": "v1", "kind": kind, "name": name, "uid": "o", "controller": true},
        ]);
        let pod = typed(pod);
        assert_eq!(owner::kind(&Facts::of(&pod)), word, "{kind}/{name}");
    }
    let mut pod = finished("u", "");
    pod["metadata"]["ownerReferences"] = Value::Null;
    assert_eq!(owner::kind(&Facts::of(&typed(pod.clone()))), "Pod");
    pod["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] = json!("pi");
    assert_eq!(owner::kind(&Facts::of(&typed(pod))), "SparkApplication");
}

#[test]
fn every_route_and_every_word_of_the_schema_has_a_value() {
    let schema = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verdict.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let report = &schema["$defs"]["report"]["properties"];
    let pattern = report["route"]["pattern"].as_str().unwrap();
    assert_eq!(pattern, "^((filter|admin|pilot-agent) [^ ]+:[0-9]{1,5}|SIGTERM to pilot-agent|ztunnel|socket table)$");
    let read = |proxy: &str, route: Value| {
        Verdict::read(&json!({"version": "0.1.0", "proxy": proxy, "route": route}).to_string()).unwrap()
    };
    for (route, word) in [
        (json!("filter 127.0.0.1:15190"), "filter"),
        (json!("admin 127.0.0.1:15000"), "admin"),
        (json!("pilot-agent 127.0.0.1:15020"), "pilot-agent"),
        (json!("SIGTERM to pilot-agent"), "sigterm"),
        (json!("ztunnel"), "ztunnel"),
        (json!("socket table"), "socket-table"),
        (json!(null), "none"),
        (json!("filter"), "other"),
        (json!("telepathy 127.0.0.1:1"), "other"),
        (json!(""), "other"),
    ] {
        assert_eq!(labels::route(Some(&read("gone", route.clone()))), word, "{route}");
    }
    let pod = typed(finished("u", ""));
    let mut words = report["proxy"]["enum"].as_array().unwrap().clone();
    words.push(schema["$defs"]["refusal"]["properties"]["proxy"]["const"].clone());
    for word in words {
        let word = word.as_str().unwrap();
        assert_eq!(labels::outcome(&Facts::of(&pod), Some(&read(word, Value::Null))), word);
    }
    assert_eq!(labels::outcome(&Facts::of(&pod), Some(&read("ascended", Value::Null))), "other");
    assert_eq!(labels::outcome(&Facts::of(&pod), None), "no-verdict");
    let pod = typed(recorded("job-classic-notready"));
    assert_eq!(labels::outcome(&Facts::of(&pod), None), "no-agent");
}
