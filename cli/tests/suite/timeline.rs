//! The picture of recorded pods, and of pods whose times make no sense. The snapshots are in `tests/snapshots`;
//! `INSTA_UPDATE=always cargo test --test timeline` writes them anew.
use exeunt_cli::pod::{Facts, Surroundings};
use exeunt_cli::timeline::{Timeline, html, svg, terminal};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The recorded pod of that name, in `cli/tests/pods`.
fn recorded(name: &str) -> Value {
    let file = format!("{}/tests/pods/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The timeline of a pod, alone or with what `--save` has written beside it.
fn timeline(case: &Value) -> Timeline {
    let pod = serde_json::from_value(case.get("pod").unwrap_or(case).clone()).unwrap();
    let around: Surroundings =
        case.get("surroundings").map_or_else(Surroundings::default, |around| serde_json::from_value(around.clone()).unwrap());
    let at = case.get("at").and_then(Value::as_str).unwrap_or("2026-11-28T09:30:00Z");
    Timeline::of(&Facts::of(&pod), &around, at.parse().unwrap())
}

fn drawn(timeline: &Timeline, width: usize, signs: terminal::Signs) -> String {
    let text = terminal::text(timeline, width, signs);
    let text = anstream::adapter::strip_str(&text).to_string();
    assert!(text.lines().all(|line| line.chars().count() <= width.max(60) || !line.contains(' ')), "{text}");
    text
}

/// A pod in one piece: with surroundings and the time at which it was looked at.
fn whole(pod: &Value, history: &Value, at: &str) -> Value {
    json!({"pod": pod, "surroundings": {"history": history}, "at": at})
}

fn verdict(drain: u64, lost: u64) -> String {
    let cut = lost > 0;
    json!({
        "version": "0.1.0", "proxy": "gone", "route": "filter 127.0.0.1:15190", "drainMs": drain, "telemetryMs": null, "lingerMs": 6,
        "undelivered": {"connections": u64::from(cut), "bytes": lost, "atLeast": cut}, "limit": if cut { json!("stall-timeout") } else { Value::Null },
        "advice": null, "warnings": [],
        "helpers": if cut { json!([{"container": "shipper", "asked": "SIGTERM", "endedMs": 212}, {"container": null, "asked": null, "endedMs": null}]) } else { json!([]) },
    })
    .to_string()
}

/// A classic pod that its agent has drained, with the Events and the logs of its life.
fn drained(drain: u64, lost: u64) -> Value {
    let mut pod = recorded("job-classic-exeunt-succeeded");
    let message = verdict(drain, lost);
    let agent = &mut pod["status"]["initContainerStatuses"][0]["state"]["terminated"];
    (agent["message"], agent["finishedAt"]) = (json!(message), json!("2026-11-22T19:46:33Z"));
    for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        if status["name"] == "istio-proxy" {
            status["state"]["terminated"]["finishedAt"] = json!("2026-11-22T19:46:33Z");
        }
    }
    let history = json!({
        "events": [
            {"at": "2026-11-22T19:46:22Z", "reason": "Scheduled", "message": "Successfully assigned jobs/classic-drain-bjwz7 to node", "count": 1},
            {"at": "2026-11-22T19:46:26Z", "reason": "Unhealthy", "message": "Startup probe failed: connection refused", "isWarning": true, "count": 3},
        ],
        "log": [
            {"container": "exeunt", "at": "2026-11-22T19:46:23.402117Z", "text": "watching base, process 31"},
            {"container": "exeunt", "at": "2026-11-22T19:46:33.214003Z", "text": message},
        ],
        "unknown": ["cannot get pods/log of classic-drain-bjwz7 in namespace jobs: you may not get pods/log: ask for that right"],
    });
    whole(&pod, &history, "2026-11-22T19:50:00Z")
}

/// The pod that hung, after `kubectl exeunt end`.
fn rescued() -> Value {
    let mut pod = recorded("job-classic-notready");
    pod["spec"]["ephemeralContainers"] = json!([{"name": "exeunt-end-1795376000", "image": "exeunt-agent"}]);
    let end = json!({
        "exitCode": 0, "reason": "Completed", "startedAt": "2026-11-22T20:14:30Z", "finishedAt": "2026-11-22T20:14:31Z",
        "message": verdict(86, 0),
    });
    let status = json!({"name": "exeunt-end-1795376000", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": end}});
    pod["status"]["ephemeralContainerStatuses"] = json!([status]);
    for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        if status["name"] == "istio-proxy" {
            status["state"] =
                json!({"terminated": {"exitCode": 0, "startedAt": "2026-11-22T19:45:48Z", "finishedAt": "2026-11-22T20:14:31Z"}});
        }
    }
    pod["status"]["phase"] = json!("Succeeded");
    pod
}

/// A pod that is deleted while its task runs.
fn deleted() -> Value {
    let mut case = recorded("status-port-zero");
    case["pod"]["metadata"]["deletionTimestamp"] = json!("2026-11-27T18:42:32Z");
    case["pod"]["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    case
}

/// A pod whose times are missing, of year 1, or in the wrong order.
fn odd() -> Value {
    let mut pod = recorded("job-classic-failed-notready");
    let ended = |start: Value, end: Value| json!({"terminated": {"exitCode": 0, "startedAt": start, "finishedAt": end}});
    let statuses = pod["status"]["containerStatuses"].as_array_mut().unwrap();
    statuses[0]["state"] = ended(json!("2026-11-22T19:47:10Z"), json!("2026-11-22T19:46:58Z"));
    statuses[0]["lastState"] = ended(Value::Null, json!("2026-11-22T19:46:57Z"));
    statuses[1]["state"] = ended(json!("0001-01-01T00:00:00Z"), json!("0001-01-01T00:00:00Z"));
    pod["status"]["initContainerStatuses"][0]["state"] = ended(json!("2026-11-22T19:46:56Z"), Value::Null);
    pod["status"]["phase"] = json!("Failed");
    pod
}

/// A template: nothing has happened.
fn template() -> Value {
    json!({"metadata": {"name": "report"}, "spec": {"restartPolicy": "Never", "containers": [{"name": "main"}, {"name": "istio-proxy"}]}})
}

fn hostile() -> Value {
    let mut case = recorded("no-agent");
    case["pod"]["metadata"]["name"] = json!("</title><script>alert(1)</script>\u{1b}[2J\u{202e}\u{ffff}\u{0}");
    case["pod"]["spec"]["containers"][0]["name"] = json!("\"><img src=x onerror=alert(1)>&amp;");
    case["pod"]["status"]["containerStatuses"][0]["name"] = json!("\"><img src=x onerror=alert(1)>&amp;");
    case["surroundings"]["history"] = json!({"unknown": ["]]><!--"], "log": [], "events": [
        {"at": "2026-11-27T18:39:50Z", "reason": "<b>", "message": "\u{9b}31m'\""},
    ]});
    case
}

/// Thousands of pixels, but a picture.
fn crowded() -> Value {
    let containers = (0..500).map(|number| json!({"name": format!("worker-{number}")})).collect::<Vec<_>>();
    let time = |second: i64| json!(Timestamp::from_second(1_795_000_000 + second).unwrap().to_string());
    let state = |number: i64| json!({"terminated": {"exitCode": i64::from(number % 50 == 0), "startedAt": time(number / 4), "finishedAt": time(60 + number)}});
    let status = |number: i64| json!({"name": format!("worker-{number}"), "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state(number)});
    let statuses = (0..500).map(status).collect::<Vec<_>>();
    json!({
        "metadata": {"name": "crowd", "namespace": "jobs", "creationTimestamp": time(-2)},
        "spec": {"restartPolicy": "Never", "containers": containers},
        "status": {"phase": "Failed", "containerStatuses": statuses},
    })
}

fn cases() -> Vec<(&'static str, Value)> {
    let pods = [
        "no-agent",
        "job-native-succeeded",
        "job-classic-failed-notready",
        "on-failure-back-off",
        "finalizer",
        "agent-image-pull",
        "status-port-zero",
    ];
    let mut cases = pods.map(|name| (name, recorded(name))).to_vec();
    cases.extend([
        ("hangs-for-days", recorded("job-classic-notready")),
        ("drained", drained(3778, 0)),
        ("cut-off", drained(512, 1_525_700)),
        ("rescued", rescued()),
        ("deleted", deleted()),
        ("odd-times", odd()),
        ("template", template()),
        ("hostile", hostile()),
    ]);
    cases
}

#[test]
fn the_picture_in_a_terminal() {
    for (name, case) in cases() {
        insta::assert_snapshot!(format!("terminal-{name}"), drawn(&timeline(&case), 80, terminal::UNICODE));
    }
    insta::assert_snapshot!("terminal-wide", drawn(&timeline(&recorded("no-agent")), 140, terminal::UNICODE));
    insta::assert_snapshot!("terminal-narrow", drawn(&timeline(&recorded("no-agent")), 1, terminal::UNICODE));
    let ascii = drawn(&timeline(&hostile()), 80, terminal::ASCII);
    assert!(ascii.is_ascii(), "{ascii}");
    insta::assert_snapshot!("terminal-ascii", drawn(&timeline(&drained(3778, 0)), 80, terminal::ASCII));
}

#[test]
fn what_a_program_gets() {
    for (name, case) in cases() {
        let mut json = serde_json::to_value(timeline(&case)).unwrap();
        exeunt_cli::output::safe_value(&mut json);
        insta::assert_snapshot!(format!("json-{name}"), serde_json::to_string_pretty(&json).unwrap());
    }
}

#[test]
fn colours_do_not_change_the_text() {
    let timeline = timeline(&drained(3778, 0));
    assert!(terminal::text(&timeline, 80, terminal::UNICODE).contains("\u{1b}["));
    assert!(!drawn(&timeline, 80, terminal::UNICODE).contains('\u{1b}'));
}

/// The picture is XML, and what it draws lies in it.
fn assert_lies_within(timeline: &Timeline) {
    let text = svg::text(timeline);
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    let number =
        |node: &roxmltree::Node<'_, '_>, name: &str| node.attribute(name).map_or(0.0, |value| value.parse::<f64>().unwrap());
    let (width, height) = (number(&root, "width"), number(&root, "height"));
    let mut bars = 0;
    for node in root.descendants() {
        let (x, y) = match node.tag_name().name() {
            "rect" => ((number(&node, "x"), number(&node, "width")), (number(&node, "y"), number(&node, "height"))),
            "circle" => ((number(&node, "cx"), 0.0), (number(&node, "cy"), 0.0)),
            "text" => ((number(&node, "x"), 0.0), (number(&node, "y"), 0.0)),
            "line" => ((number(&node, "x1"), number(&node, "x2") - number(&node, "x1")), (number(&node, "y1"), 0.0)),
            _ => continue,
        };
        bars += usize::from(node.tag_name().name() == "rect");
        for (begin, length, end) in [(x.0, x.1, width), (y.0, y.1, height)] {
            assert!(begin >= 0.0 && length >= 0.0 && begin + length <= end, "{node:?} of {width} × {height}");
        }
    }
    let spans = timeline.containers.iter().flat_map(|lane| &lane.instances).filter(|span| span.started.or(span.ended).is_some());
    assert!(bars > spans.count(), "a bar is missing");
}

#[test]
fn every_picture_is_xml_and_complete() {
    for (_, case) in cases() {
        assert_lies_within(&timeline(&case));
    }
    insta::assert_snapshot!("svg-drained", svg::text(&timeline(&drained(3778, 0))));
}

#[test]
fn no_foreign_text_becomes_an_element_of_the_page() {
    let page = html::page(&timeline(&hostile()));
    let document = roxmltree::Document::parse(page.trim_start_matches("<!DOCTYPE html>\n")).unwrap();
    let odd = document.descendants().find(|node| ["script", "img", "b"].contains(&node.tag_name().name()));
    assert_eq!(odd, None);
    assert!(!page.contains(['\u{1b}', '\u{9b}', '\u{202e}']));
}

#[test]
fn five_hundred_containers_have_a_lane_each() {
    let timeline = timeline(&crowded());
    assert_eq!(timeline.containers.len(), 500);
    assert_lies_within(&timeline);
    let text = drawn(&timeline, 80, terminal::UNICODE);
    assert_eq!(text.lines().filter(|line| line.starts_with("worker-")).count(), 500);
    assert!(text.contains(" more: -o json has all of them"), "{text}");
}

/// A time between year 1 and year 9998, or none; near others, or not.
fn time() -> impl Strategy<Value = Option<Timestamp>> {
    let near = 1_795_000_000_i64..1_795_000_100;
    prop_oneof![
        1 => Just(None),
        6 => near.prop_map(|second| Some(Timestamp::from_second(second).unwrap())),
        2 => (-62_000_000_000_i64..253_000_000_000).prop_map(|second| Some(Timestamp::from_second(second).unwrap())),
    ]
}

proptest! {
    #[test]
    fn odd_times_stay_within_the_picture(
        times in proptest::collection::vec((time(), time(), time(), time(), 0..3_i32), 1..6),
        created in time(), deleted in time(), grace in proptest::option::of(any::<i64>()), now in time(),
        drain in any::<Option<u64>>(), linger in any::<Option<u64>>(),
    ) {
        let message = json!({"version": "1", "proxy": "gone", "drainMs": drain, "lingerMs": linger}).to_string();
        let names = (0..times.len()).map(|number| if number == 0 { "exeunt".to_owned() } else { format!("c{number}") }).collect::<Vec<_>>();
        let statuses = names.iter().zip(&times).map(|(name, (start, end, earlier, ended, how))| {
            let over = |start: &Option<Timestamp>, end: &Option<Timestamp>| {
                json!({"terminated": {"exitCode": how, "startedAt": start, "finishedAt": end, "message": message}})
            };
            let state = match how { 0 => json!({"running": {"startedAt": start}}), 1 => json!({"waiting": {"reason": "x"}}), _ => over(start, end) };
            json!({"name": name, "image": "", "imageID": "", "ready": true, "restartCount": how * (i32::MAX / 2), "state": state, "lastState": over(earlier, ended)})
        });
        let pod = json!({
            "metadata": {"name": "p", "creationTimestamp": created, "deletionTimestamp": deleted, "deletionGracePeriodSeconds": grace},
            "spec": {"restartPolicy": "Never", "containers": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()},
            "status": {"phase": "Running", "containerStatuses": statuses.collect::<Vec<_>>()},
        });
        let pod = serde_json::from_value(pod).unwrap();
        let timeline = Timeline::of(&Facts::of(&pod), &Surroundings::default(), now.unwrap_or(Timestamp::UNIX_EPOCH));
        assert_lies_within(&timeline);
        drawn(&timeline, 80, terminal::UNICODE);
        let page = html::page(&timeline);
        assert!(page.ends_with("</html>\n"));
    }
}
