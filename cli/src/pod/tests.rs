use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;

fn recorded(name: &str) -> Pod {
    let path = format!("{}/tests/pods/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn pod(value: Value) -> Pod {
    serde_json::from_value(value).unwrap()
}

fn later() -> jiff::Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

/// A pod with one container, which has ended with a code.
fn ended(policy: &str, own: &Value, code: i32) -> Pod {
    let mut container = json!({"name": "main", "image": "i"});
    container.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    pod(json!({
        "metadata": {"name": "p"},
        "spec": {"restartPolicy": policy, "containers": [container, {"name": "istio-proxy", "image": "i"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "main", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
             "state": {"terminated": {"exitCode": code, "finishedAt": "2026-11-01T00:00:00Z"}}},
            {"name": "istio-proxy", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}},
        ]},
    }))
}

#[test]
fn the_recorded_pods_have_the_form_the_agent_and_the_state_that_their_names_say() {
    for (name, form, placement, state) in [
        ("job-classic-notready", ProxyForm::Classic, Placement::Absent, "stuck"),
        ("job-classic-failed-notready", ProxyForm::Classic, Placement::Absent, "stuck"),
        ("job-classic-exeunt-succeeded", ProxyForm::Classic, Placement::Native, "succeeded"),
        ("job-native-succeeded", ProxyForm::Native, Placement::Native, "succeeded"),
        ("executor-classic-notready-base0", ProxyForm::Classic, Placement::Absent, "stuck"),
        ("executor-classic-succeeded", ProxyForm::Classic, Placement::Absent, "succeeded"),
        ("proxy-exit-code", ProxyForm::Classic, Placement::Absent, "failed"),
        ("kpo-classic-notready-base0", ProxyForm::Classic, Placement::Absent, "stuck"),
        ("kpo-classic-notready-base3", ProxyForm::Classic, Placement::Absent, "stuck"),
        ("kpo-classic-running", ProxyForm::Classic, Placement::Absent, "running"),
        ("kpo-classic-succeeded", ProxyForm::Classic, Placement::Absent, "succeeded"),
        ("kpo-native-succeeded", ProxyForm::Native, Placement::Absent, "succeeded"),
        ("kpo-xcom-classic-base0-xcom-running", ProxyForm::Classic, Placement::Absent, "stuck"),
    ] {
        let pod = recorded(name);
        let facts = Facts::of(&pod);
        assert_eq!((facts.proxy, facts.agent.placement, facts.standing(later()).word()), (form, placement, state), "{name}");
    }
}

#[test]
fn a_container_ends_for_good_by_the_rules_of_kubelet() {
    let rules = |operator: &str| json!({"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": operator, "values": [42]}}]});
    let both = |operator: &str, policy: &str| {
        let mut both = rules(operator);
        both["restartPolicy"] = json!(policy);
        both
    };
    for (policy, own, code, for_good) in [
        ("Never", json!({}), 0, true),
        ("Never", json!({}), 1, true),
        ("OnFailure", json!({}), 0, true),
        ("OnFailure", json!({}), 1, false),
        ("Always", json!({}), 0, false),
        ("Always", json!({"restartPolicy": "Never"}), 1, true),
        ("Never", json!({"restartPolicy": "OnFailure"}), 1, false),
        ("Never", json!({"restartPolicy": "Always"}), 0, false),
        ("Never", both("In", "Never"), 42, false),
        ("Never", both("In", "Never"), 1, true),
        ("Never", both("NotIn", "Never"), 42, true),
        ("Never", both("NotIn", "Never"), 1, false),
        ("Never", both("Unheard", "Never"), 1, false),
    ] {
        let pod = ended(policy, &own, code);
        assert_eq!(Facts::of(&pod).has_task_ended_for_good(), for_good, "{policy} {own} {code}");
    }
}

#[test]
fn kubelet_starts_nothing_again_in_a_deleted_pod() {
    let mut pod = ended("OnFailure", &json!({}), 1);
    assert!(!Facts::of(&pod).has_task_ended_for_good());
    pod.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(later()));
    assert!(Facts::of(&pod).has_task_ended_for_good());
    assert_eq!(Facts::of(&pod).standing(later()).word(), "deleting");
}

#[test]
fn a_pod_without_containers_or_status_has_no_task_that_has_ended() {
    for value in
        [json!({"metadata": {}}), json!({"spec": {"containers": []}}), json!({"spec": {"containers": [{"name": "main"}]}})]
    {
        let pod = pod(value);
        assert!(!Facts::of(&pod).has_task_ended_for_good());
        assert_eq!(Facts::of(&pod).standing(later()), Standing::Starting);
    }
}

#[test]
fn a_pod_has_some_time_for_its_end_also_if_the_clock_is_behind() {
    let pod = ended("Never", &json!({}), 0);
    for (now, state) in
        [("2026-10-31T23:00:00Z", "ending"), ("2026-11-01T00:00:29Z", "ending"), ("2026-11-01T00:00:30Z", "stuck")]
    {
        assert_eq!(Facts::of(&pod).standing(now.parse().unwrap()).word(), state, "{now}");
    }
}

#[test]
fn an_agent_that_runs_may_drain_until_its_limit() {
    let at = |args: Value, agent: Value, second: i64| {
        let mut pod = ended("Never", &json!({}), 0);
        let container = json!({"name": "exeunt", "image": "i", "restartPolicy": "Always", "args": args});
        let status = json!({"name": "exeunt", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": agent});
        pod.spec.as_mut().unwrap().init_containers = serde_json::from_value(json!([container])).unwrap();
        pod.status.as_mut().unwrap().init_container_statuses = serde_json::from_value(json!([status])).unwrap();
        let ended: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let now = ended.checked_add(SignedDuration::from_secs(second)).unwrap();
        (Facts::of(&pod).standing(now).word(), Facts::of(&pod).standing_without_agent(now).word())
    };
    let runs = json!({"running": {}});
    assert_eq!(at(json!([]), runs.clone(), 329), ("ending", "stuck"));
    assert_eq!(at(json!([]), runs.clone(), 330), ("stuck", "stuck"));
    assert_eq!(at(json!(["--drain-timeout", "1h"]), runs.clone(), 3629), ("ending", "stuck"));
    assert_eq!(at(json!(["--drain-timeout=1h"]), runs.clone(), 3630), ("stuck", "stuck"));
    assert_eq!(at(json!(["--drain-timeout=0s"]), runs.clone(), 29), ("ending", "ending"));
    assert_eq!(at(json!(["--drain-timeout=soon"]), runs, 100), ("ending", "stuck"));
    assert_eq!(at(json!([]), json!({"terminated": {"exitCode": 0}}), 30), ("stuck", "stuck"));
}

#[test]
fn a_helper_is_not_the_task_and_keeps_no_proxy() {
    let recorded = recorded("kpo-xcom-classic-base0-xcom-running");
    let facts = Facts::of(&recorded);
    let names = |part| facts.with(part).map(|container| container.name).collect::<Vec<_>>();
    assert_eq!((names(Part::Main), names(Part::Helper)), (vec!["base"], vec!["airflow-xcom-sidecar"]));
}

#[test]
fn the_options_of_the_agent_name_the_main_containers() {
    for (args, env, main) in [
        (json!(["watch"]), json!([]), vec!["a", "b"]),
        (json!(["watch", "--container", "b"]), json!([]), vec!["b"]),
        (json!(["watch", "--container=b"]), json!([]), vec!["b"]),
        (json!(["watch"]), json!([{"name": "EXEUNT_CONTAINER", "value": "b, a"}]), vec!["a", "b"]),
        (json!(["watch", "--container", "wrong"]), json!([]), vec!["a", "b"]),
        (json!(["watch", "--quit-signal", "b=TERM"]), json!([]), vec!["a"]),
        (json!(["watch", "--also-wait", "a"]), json!([]), vec!["b"]),
    ] {
        let pod = pod(json!({"spec": {
            "initContainers": [{"name": "exeunt", "restartPolicy": "Always", "args": args, "env": env}],
            "containers": [{"name": "a"}, {"name": "b"}, {"name": "istio-proxy"}],
        }}));
        let facts = Facts::of(&pod);
        assert_eq!(facts.with(Part::Main).map(|container| container.name).collect::<Vec<_>>(), main, "{args} {env}");
    }
}

#[test]
fn an_annotation_that_the_agent_reads_counts_as_its_option() {
    let variable = |annotation: &str| json!({"fieldRef": {"fieldPath": format!("metadata.annotations['{annotation}']")}});
    for (annotation, main) in [("exeunt.dev/also-wait", vec!["a"]), ("exeunt.dev/other", vec!["a", "b"])] {
        let pod = pod(json!({
            "metadata": {"annotations": {"exeunt.dev/also-wait": "b"}},
            "spec": {
                "initContainers": [{"name": "exeunt", "restartPolicy": "Always", "env": [
                    {"name": "EXEUNT_ALSO_WAIT", "valueFrom": variable(annotation)},
                ]}],
                "containers": [{"name": "a"}, {"name": "b"}],
            },
        }));
        let facts = Facts::of(&pod);
        assert_eq!(facts.with(Part::Main).map(|container| container.name).collect::<Vec<_>>(), main, "{annotation}");
    }
}

#[test]
fn the_agent_is_found_where_it_stands() {
    for (spec, placement) in [
        (json!({"initContainers": [{"name": "exeunt", "restartPolicy": "Always"}], "containers": []}), Placement::Native),
        (json!({"initContainers": [{"name": "exeunt"}], "containers": []}), Placement::Stripped),
        (json!({"containers": [{"name": "exeunt"}]}), Placement::Regular),
        (json!({"containers": [{"name": "other", "image": "r:5000/x/exeunt-agent:1@sha256:0"}]}), Placement::Regular),
        (json!({"containers": [{"name": "main", "command": ["/bin/exeunt-agent", "exec", "--", "true"]}]}), Placement::Exec),
        (
            json!({"initContainers": [{"name": "copy", "image": "x/exeunt-agent:1"}], "containers": [{"name": "main"}]}),
            Placement::Absent,
        ),
        (json!({"containers": [{"name": "main"}]}), Placement::Absent),
    ] {
        let pod = pod(json!({"spec": spec}));
        assert_eq!(Facts::of(&pod).agent.placement, placement, "{spec}");
    }
}

#[test]
fn the_verdict_is_read_and_nonsense_is_none() {
    let mut pod = recorded("job-classic-exeunt-succeeded");
    assert_eq!(Facts::of(&pod).verdict(), None);
    let line = r#"{"version":"0.1.0","proxy":"gone","route":"filter 127.0.0.1:15190","drainMs":40,"undelivered":{"connections":1,"bytes":7,"atLeast":true},"later":{}}"#;
    let agent = pod.status.as_mut().and_then(|status| status.init_container_statuses.as_mut()?.first_mut()).unwrap();
    agent.state.as_mut().and_then(|state| state.terminated.as_mut()).unwrap().message = Some(format!("{line}\n"));
    let verdict = Facts::of(&pod).verdict().unwrap();
    let lost = Undelivered { connections: 1, bytes: 7, at_least: true };
    assert_eq!((verdict.proxy.as_str(), verdict.undelivered, verdict.drain_ms), ("gone", Some(lost), Some(40)));
    let refused = r#"{"version":"0.1.0","proxy":"untouched","refused":[{"reason":"second still runs"}],"warnings":[]}"#;
    assert_eq!(Verdict::read(refused).unwrap().refused, [Refusal { reason: "second still runs".to_owned() }]);
    for nonsense in ["", "\n", "{}", "[1]", r#"{"proxy": 1}"#, "Killed"] {
        assert_eq!(Verdict::read(nonsense), None, "{nonsense:?}");
    }
}
