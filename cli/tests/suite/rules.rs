//! Each rule applies to its own recorded pod and to no other. `tests/pods/<rule>.json` is what `kubectl exeunt explain POD --save FILE`
//! has written on a real cluster; the other files are pods without surroundings. The rules about what a template says have no file: their
//! pod is a recorded one with a mistake in it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use exeunt_cli::rules;
use serde_json::{Value, json};

/// A mistake: a place of the pod, and what stands there.
type Mistake = (&'static str, Value);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pods")
}

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

/// What the command says about a pod, and its exit code.
fn report(case: &Value) -> (Value, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt"));
    let command = command.args(["explain", "-o", "json", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(case.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}")), output.status.code())
}

/// The rules that apply to a pod, and the exit code.
fn explain(case: &Value) -> (Vec<String>, Option<i32>) {
    let (report, code) = report(case);
    let ids = report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap().to_owned());
    (ids.collect(), code)
}

/// A recorded pod with mistakes.
fn with(name: &str, mistakes: &[Mistake]) -> Value {
    let mut case = recorded(name);
    for (place, value) in mistakes {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = case["pod"].pointer_mut(parent).unwrap();
        parent[key.replace("~1", "/")] = value.clone();
    }
    case
}

/// A pod that is right, beside a classic proxy, with more mistakes.
fn right(mistakes: &[Mistake]) -> Value {
    let right = [(ARGS, json!(["watch"]))];
    with("wrong-container-name", &[&right[..], mistakes].concat())
}

/// The words of its agent.
const ARGS: &str = "/spec/initContainers/0/args";

/// The pods of the rules about what a template says.
fn mistaken() -> Vec<(&'static str, Value)> {
    let told = |words: &[&str]| right(&[(ARGS, json!([&["watch"], words].concat()))]);
    let annotated = |name, value: &str| right(&[(name, json!(value))]);
    let mut swapped = with("agent-stripped", &[("/spec/initContainers/2/restartPolicy", json!("Always"))]);
    swapped["pod"]["spec"]["initContainers"].as_array_mut().unwrap().swap(1, 2);
    let own_processes = [("/spec/shareProcessNamespace", json!(false)), ("/spec/hostPID", json!(true))];
    // Istio puts such a filter in the place of a module that it could not fetch. The log that says so may have been rotated.
    let mut not_loaded = recorded("plugin-not-fetched");
    not_loaded["surroundings"]["proxyLog"] = json!([]);
    not_loaded["surroundings"]["module"] =
        json!({"state": "replaced", "filter": "extensions.istio.io/wasmplugin/jobs.exeunt", "by": "RBAC"});
    let captured = ("/metadata/annotations/sidecar.istio.io~1interceptionMode", json!("REDIRECT"));
    // Without a pod `explain` takes that of the template. The words are those of Kubernetes 1.36.
    let refused = |message: &str| {
        let mut case = recorded("quota");
        case["surroundings"]["ownerEvents"] =
            json!([{"reason": "FailedCreate", "message": format!("Error creating: {message}")}]);
        case
    };
    let template = [("/metadata/uid", json!("")), ("/status", json!({}))];
    let owned = |mut case: Value, owner: Value| {
        case["surroundings"]["owner"] = owner;
        case
    };
    let job = |field: &str, value: Value| json!({"kind": "Job", "name": "report", field: value});
    let unlabelled = with("interception-off", &[&template[..], std::slice::from_ref(&captured)].concat());
    let own_processes_only = [("/spec/shareProcessNamespace", json!(false))];
    let mut regular = with("agent-stripped", &own_processes_only);
    let agent = regular["pod"]["spec"]["initContainers"].as_array_mut().unwrap().remove(2);
    assert_eq!(agent["name"], "exeunt");
    regular["pod"]["spec"]["containers"].as_array_mut().unwrap().push(agent);
    let listener = json!([{"name": "ISTIO_META_HTTP_PROXY_PORT", "value": "16000"}]);
    let limited = ("/metadata/annotations/traffic.sidecar.istio.io~1includeOutboundIPRanges", json!("10.0.0.0/8"));
    vec![
        (
            "pod-security",
            refused("pods \"quota-x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true"),
        ),
        (
            "webhook-refuses",
            refused(
                "Internal error occurred: failed calling webhook \"namespace.sidecar-injector.istio.io\": connection refused",
            ),
        ),
        ("pod-invalid", refused("Pod \"quota-x\" is invalid: spec.initContainers[0].image: Required value")),
        ("suspended", owned(right(&template), job("isSuspended", json!(true)))),
        ("job-failed", owned(right(&template), job("failed", json!("DeadlineExceeded: Job was active longer than allowed")))),
        ("label-on-the-job", owned(unlabelled, job("hasLabel", json!(true)))),
        ("regular-agent-not-shared", regular),
        ("signal-port-differs", right(&[("/spec/containers/1/env", listener)])),
        ("agent-user-taken", right(&[("/spec/containers/0/securityContext", json!({"runAsUser": 15190}))])),
        ("status-port-differs", annotated("/metadata/annotations/status.sidecar.istio.io~1port", "15099")),
        ("capture-limited", right(&[limited, ("/spec/initContainers/0/env", json!([]))])),
        ("host-pid", right(&own_processes)),
        ("restart-always", right(&[("/spec/restartPolicy", json!("Always"))])),
        ("wrong-helper-name", told(&["--quit-signal", "cash=TERM", "--also-wait", "main"])),
        ("restart-policy-differs", told(&["--restart-policy", "OnFailure"])),
        ("proxy-form-differs", told(&["--proxy", "native"])),
        ("placement-differs", told(&["--placement=regular"])),
        ("agent-before-proxy", swapped),
        ("grace-period-differs", told(&["--grace-period", "1500ms"])),
        ("plugin-not-loaded", not_loaded),
        ("label-value", right(&[("/metadata/labels/exeunt.dev~1drain", json!("true"))])),
        ("label-without-agent", with("interception-off", &[captured, ("/metadata/labels/exeunt.dev~1drain", json!("on"))])),
        ("unknown-name", annotated("/metadata/annotations/exeunt.dev~1quit-signal", "main=TERM")),
        ("annotation-value", annotated("/metadata/annotations/exeunt.dev~1quit-endpoints", "main=PUT https://127.0.0.1/")),
    ]
}

#[test]
fn every_rule_applies_to_its_own_pod_and_to_no_other() {
    let ids = rules::all().iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids.len(), 44);
    let mistaken = BTreeMap::from_iter(mistaken());
    let pod = |id: &str| mistaken.get(id).cloned().unwrap_or_else(|| recorded(id));
    let found = ids.iter().map(|id| (*id, explain(&pod(id)))).collect::<BTreeMap<_, _>>();
    let wanted = ids.iter().map(|id| (*id, (vec![(*id).to_owned()], Some(1)))).collect::<BTreeMap<_, _>>();
    assert_eq!(found, wanted);
}

#[test]
fn what_the_agent_accepts_is_no_mistake() {
    let annotation = |name: &'static str, value: &str| vec![(name, json!(value))];
    let told = |words: &[&str]| vec![(ARGS, json!([&["watch"], words].concat()))];
    let requests = "http://127.0.0.1:9091/q, main=GET http://localhost/a?b=c, main = PUT http://[::1]:8200, http://127.9.9.9/x=y";
    for mistakes in [
        vec![],
        told(&["--restart-policy", "auto"]),
        told(&["--restart-policy", "Never", "--restart-policy", "main=OnFailure"]),
        told(&["--restart-policy", "$(POLICY)", "--container", "$(NAME)", "--also-wait", "$(NAME)"]),
        told(&["--grace-period", "1"]),
        told(&["--grace-period", "500ms"]),
        told(&["--grace-period", "nonsense"]),
        told(&["--proxy", "classic", "--placement", "native"]),
        told(&["--quit-endpoint", "http://127.0.0.1/?a=b"]),
        annotation("/metadata/labels/exeunt.dev~1drain", "on"),
        annotation("/metadata/labels/exeunt.dev~1drain", "off"),
        annotation("/metadata/labels/exeunt.dev~1team", "payments"),
        annotation("/metadata/annotations/exeunt.dev~1skipped", "the pod has a regular agent"),
        annotation("/metadata/annotations/exeunt.dev~1quit-endpoints", requests),
        annotation("/metadata/annotations/exeunt.dev~1quit-signals", "main=TERM, main = SIGINT,main=USR1"),
    ] {
        assert_eq!(explain(&right(&mistakes)), (vec![], Some(0)), "{mistakes:?}");
    }
}

#[test]
fn a_value_that_a_plugin_selects_is_no_mistake() {
    let mut case = right(&[("/metadata/labels/exeunt.dev~1drain", json!("patient"))]);
    assert_eq!(explain(&case).0, ["label-value"]);
    let labels = json!({"exeunt.dev/drain": "patient"});
    case["surroundings"]["plugins"] = json!([{"namespace": "jobs", "name": "patient", "matchLabels": labels}]);
    assert_eq!(explain(&case).0, Vec::<String>::new());
}

#[test]
fn what_the_agent_refuses_in_an_annotation_is_a_mistake() {
    let requests = [
        "http://10.0.0.1/quit",
        "http://example.com/quit",
        "https://127.0.0.1/quit",
        "DELETE http://127.0.0.1/quit",
        "http://127.0.0.1:0/quit",
        "http://127.0.0.1:70000/quit",
        "http://127.0.0.1/a b",
        "two words=http://127.0.0.1/quit",
        "127.0.0.1:9091/quit",
        "http://user@127.0.0.1/quit",
        "http://localhost9/quit",
    ];
    let signals = ["TERM", "=TERM", "main=STOP", "main=15", "main=term"];
    let places = ["/metadata/annotations/exeunt.dev~1quit-endpoints", "/metadata/annotations/exeunt.dev~1quit-signals"];
    for (place, value) in requests.map(|text| (places[0], text)).into_iter().chain(signals.map(|text| (places[1], text))) {
        assert_eq!(explain(&right(&[(place, json!(value))])).0, ["annotation-value"], "{value}");
    }
}

#[test]
fn the_other_recorded_pods_break_the_rules_that_they_must() {
    let of_rules = rules::all().iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
    let names =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let found = names
        .filter(|name| !of_rules.contains(name))
        .map(|name| (explain(&recorded(&name)).0, name))
        .map(|(ids, name)| (name, ids));
    let found = found.collect::<BTreeMap<_, _>>();
    let wanted = [
        ("executor-classic-notready-base0", vec!["no-agent"]),
        ("executor-classic-succeeded", vec![]),
        ("job-classic-exeunt-succeeded", vec![]),
        ("job-classic-failed-notready", vec!["no-agent"]),
        ("job-classic-notready", vec!["no-agent"]),
        ("job-native-drained", vec![]),
        ("job-native-succeeded", vec![]),
        ("kpo-classic-notready-base0", vec!["no-agent"]),
        ("kpo-classic-notready-base3", vec!["no-agent"]),
        ("kpo-classic-running", vec![]),
        ("kpo-classic-succeeded", vec![]),
        ("kpo-native-succeeded", vec![]),
        ("kpo-xcom-classic-base0-xcom-running", vec!["never-ended"]),
    ];
    let wanted = wanted.map(|(name, ids)| (name.to_owned(), ids.into_iter().map(str::to_owned).collect::<Vec<_>>()));
    assert_eq!(found, BTreeMap::from(wanted));
}

#[test]
fn an_agent_that_a_rule_stops_is_nothing_to_wait_for() {
    let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-27T18:39:31Z"}});
    let a_minute_later =
        |args| with("wrong-container-name", &[(ARGS, args), ("/status/containerStatuses/1/state", ended.clone())]);
    let state = |case| {
        let (report, code) = report(&case);
        (report["state"].as_str().unwrap().to_owned(), code)
    };
    assert_eq!(state(a_minute_later(json!(["watch"]))), ("ending".to_owned(), Some(0)));
    assert_eq!(state(a_minute_later(json!(["watch", "--proxy=native"]))), ("stuck".to_owned(), Some(1)));
    // The agent drops such a name after a while.
    assert_eq!(state(a_minute_later(json!(["watch", "--container=mian"]))), ("ending".to_owned(), Some(1)));
}
