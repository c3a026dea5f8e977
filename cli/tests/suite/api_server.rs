//! What an API server can do to the commands.

use crate::double::{Answer, Double, Request, page, printed, recorded, refusal, small};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/jobs/pods";

/// A pod that hangs: its task has ended, and its classic proxy runs.
fn stuck(name: &str) -> Value {
    let mut pod = recorded("job-classic-notready");
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["uid"] = json!(format!("uid-of-{name}"));
    pod["metadata"]["resourceVersion"] = json!("7");
    pod
}

/// The same pod after a rescue that ended its proxy.
fn rescued(name: &str, container: &str) -> Value {
    let mut pod = stuck(name);
    let verdict = json!({
        "version": "0.1.0", "proxy": "gone", "route": "admin 127.0.0.1:15000", "drainMs": 41,
        "undelivered": {"connections": 0, "bytes": 0, "atLeast": false},
    });
    pod["spec"]["ephemeralContainers"] = json!([{"name": container, "image": "exeunt-agent"}]);
    pod["status"]["ephemeralContainerStatuses"] = json!([{
        "name": container, "image": "exeunt-agent", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "message": verdict.to_string()}},
    }]);
    pod
}

/// The name of the container that a patch adds.
fn added(seen: &[Request]) -> Option<String> {
    let patch = seen.iter().rev().find(|request| request.verb == "PATCH")?;
    patch.body["spec"]["ephemeralContainers"][0]["name"].as_str().map(str::to_owned)
}

#[test]
fn a_missing_right_is_named() {
    let double = Double::start(|_, _| refusal(403, "Forbidden", "pods is forbidden"));
    let (_, error, code) = printed(&double.run(&["status"]));
    assert!(error.contains("list pods in namespace jobs"), "{error}");
    assert_eq!(code, 69);
}

#[test]
fn a_list_that_is_too_old_begins_again() {
    let double = Double::start(|request, number| match (request.query.contains("continue="), number) {
        (true, 1) => refusal(410, "Expired", "the token is too old"),
        (true, _) => page(&[stuck("second")], ""),
        (false, _) => page(&[stuck("first")], "next"),
    });
    let (out, error, code) = printed(&double.run(&["status", "-o", "json"]));
    let lines: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let names: Vec<_> = lines.as_array().unwrap().iter().map(|line| line["pod"].as_str().unwrap()).collect();
    assert_eq!((names, code), (vec!["first", "second"], 1));
}

#[test]
fn five_thousand_pods_come_in_pages() {
    let double = Double::start(|request, _| {
        let from: usize =
            request.query.split('&').find_map(|word| word.strip_prefix("continue=")).map_or(0, |token| token.parse().unwrap());
        let pods: Vec<_> = (from..from + 500).map(|number| small(stuck(&format!("pod-{number:04}")))).collect();
        page(&pods, &if from + 500 < 5000 { (from + 500).to_string() } else { String::new() })
    });
    let (out, _, code) = printed(&double.run(&["status"]));
    assert_eq!((out.lines().count(), code), (5001, 1));
    assert!(double.seen().iter().all(|request| request.query.contains("limit=500")));
}

#[test]
fn a_wrong_name_has_near_ones() {
    let double = Double::start(|request, _| match request.path.as_str() {
        PODS => page(&[stuck("report-7fk2x")], ""),
        _ => refusal(404, "NotFound", "pods \"report-7fk2y\" not found"),
    });
    let (_, error, code) = printed(&double.run(&["explain", "report-7fk2y"]));
    assert!(error.contains("report-7fk2x"), "{error}");
    assert_eq!(code, 2);
}

#[test]
fn what_a_pod_says_cannot_move_the_cursor() {
    let mut pod = recorded("kpo-classic-running");
    pod["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "\u{1b}[2J", "message": "\u{9b}31m"}});
    let double = Double::start(move |_, _| (200, pod.clone()));
    let (out, error, _) = printed(&double.run(&["explain", "any"]));
    assert!(!out.contains(['\u{1b}', '\u{9b}']) && !error.contains(['\u{1b}', '\u{9b}']), "{out}{error}");
}

/// Plays `end` on one pod. `patched` answers the patch, by its number.
fn rescue(patched: impl Fn(usize) -> Answer + Send + Sync + 'static) -> (Double, (String, String, i32)) {
    let name = std::sync::Arc::new(std::sync::Mutex::new(None));
    let double = Double::start(move |request, number| match request.verb.as_str() {
        "PATCH" => {
            *name.lock().unwrap() = added(std::slice::from_ref(request));
            patched(number)
        }
        _ => match name.lock().unwrap().as_deref() {
            Some(container) if number > 1 => (200, rescued("report", container)),
            _ => (200, stuck("report")),
        },
    });
    let output = printed(&double.run(&["end", "report"]));
    (double, output)
}

#[test]
fn the_patch_names_the_pod_that_was_seen() {
    let (double, (out, error, code)) = rescue(|_| (200, stuck("report")));
    assert!(out.contains("istio-proxy is gone after 41 ms by admin 127.0.0.1:15000; everything is delivered"), "{out}{error}");
    assert_eq!(code, 0);
    let seen = double.seen();
    let patch = seen.iter().find(|request| request.verb == "PATCH").unwrap();
    assert_eq!(patch.path, format!("{PODS}/report/ephemeralcontainers"));
    assert_eq!(patch.body["metadata"], json!({"uid": "uid-of-report", "resourceVersion": "7"}));
    // No other verb than those that the documents name.
    assert!(seen.iter().all(|request| request.verb == "GET" || request.verb == "PATCH"));
}

#[test]
fn a_pod_that_changes_meanwhile_is_read_again() {
    let (double, (out, _, code)) =
        rescue(|number| if number == 0 { refusal(409, "Conflict", "it has been modified") } else { (200, stuck("report")) });
    assert!(out.contains("istio-proxy is gone"), "{out}");
    assert_eq!((code, double.seen().iter().filter(|request| request.verb == "PATCH").count()), (0, 2));
}

#[test]
fn another_pod_with_the_same_name_is_left_alone() {
    let double = Double::start(|_, number| {
        let mut pod = stuck("report");
        if number > 0 {
            pod["metadata"]["uid"] = json!("another");
        }
        (200, pod)
    });
    let (out, _, code) = printed(&double.run(&["end", "report"]));
    assert!(out.contains("another pod has its name now"), "{out}");
    assert_eq!((code, double.seen().iter().filter(|request| request.verb == "PATCH").count()), (1, 0));
}

#[test]
fn a_task_that_runs_again_at_the_last_moment_keeps_its_proxy() {
    let double = Double::start(|_, number| {
        let mut pod = stuck("report");
        if number > 0 {
            pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
        }
        (200, pod)
    });
    let (out, _, code) = printed(&double.run(&["end", "report"]));
    assert!(out.contains("its main container base still runs"), "{out}");
    assert_eq!((code, double.seen().iter().filter(|request| request.verb == "PATCH").count()), (1, 0));
}

#[test]
fn only_what_has_ended_for_good_is_ended() {
    let cases = [
        ("kpo-classic-running", "still runs"),
        ("job-classic-exeunt-succeeded", "the pod has ended: its phase is Succeeded"),
        ("job-native-succeeded", "the pod has ended"),
    ];
    for (name, why) in cases {
        let pod = recorded(name);
        let double = Double::start(move |_, _| (200, pod.clone()));
        let (_, error, code) = printed(&double.run(&["end", "any"]));
        assert!(error.contains(why), "{name}: {error}");
        assert_eq!((code, double.seen().iter().filter(|request| request.verb == "PATCH").count()), (75, 0), "{name}");
    }
}

#[test]
fn on_failure_a_failed_container_starts_again_and_needs_its_proxy() {
    let mut pod = recorded("job-classic-failed-notready");
    pod["spec"]["restartPolicy"] = json!("OnFailure");
    let double = Double::start(move |_, _| (200, pod.clone()));
    let (_, error, code) = printed(&double.run(&["end", "any"]));
    assert!(error.contains("kubelet starts it again"), "{error}");
    assert_eq!(code, 75);
}

#[test]
fn a_native_proxy_is_never_ended() {
    let mut pod = stuck("native");
    let proxy = pod["spec"]["containers"].as_array_mut().unwrap().pop().unwrap();
    let status = pod["status"]["containerStatuses"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!(proxy["name"], "istio-proxy");
    let mut sidecar = proxy;
    sidecar["restartPolicy"] = json!("Always");
    pod["spec"]["initContainers"].as_array_mut().unwrap().push(sidecar);
    pod["status"]["initContainerStatuses"].as_array_mut().unwrap().push(status);
    let double = Double::start(move |_, _| (200, pod.clone()));
    for words in [&["end", "native"][..], &["end", "native", "--force"]] {
        let (_, error, code) = printed(&double.run(words));
        assert!(error.contains("native sidecar"), "{error}");
        assert_eq!(code, 75);
    }
    assert!(double.seen().iter().all(|request| request.verb == "GET"));
}

#[test]
fn several_pods_need_an_agreement() {
    let double = Double::start(|_, _| page(&[stuck("one"), stuck("two")], ""));
    let (_, error, code) = printed(&double.run(&["end", "--all-stuck"]));
    assert!(error.contains("2 pods qualify: add --yes"), "{error}");
    assert_eq!(code, 75);
    let (out, _, code) = printed(&double.run(&["end", "--all-stuck", "--dry-run"]));
    assert_eq!((out.as_str(), code), ("one: would be ended\ntwo: would be ended\n", 0));
}

#[test]
fn no_api_server_is_said_in_one_line() {
    let (_, error, code) = {
        let double = Double::start(|_, _| (200, json!("no JSON at all")));
        printed(&double.run(&["status"]))
    };
    assert_eq!((error.lines().count(), code), (1, 69), "{error}");
}
