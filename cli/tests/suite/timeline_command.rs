//! `kubectl exeunt timeline` as a command: what it asks the API server for, and what it writes.
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::double::{Double, printed, recorded, refusal};
use serde_json::{Value, json};

const POD: &str = "/api/v1/namespaces/jobs/pods/classic-drain-bjwz7";

/// A pod with its Events and its logs. `may_read` says whether those may be read.
fn cluster(may_read: bool) -> Double {
    Double::start(move |request, _| match request.path.strip_prefix(POD) {
        Some("") => (200, recorded("job-classic-exeunt-succeeded")),
        _ if !may_read => refusal(403, "Forbidden", "no"),
        Some("/log") if request.query.contains("container=exeunt") => (
            200,
            json!(
                "2026-11-22T19:46:23.402117Z exeunt-agent: watching base, process 31\n2026-11-22T19:46:29.618003Z base has ended (exit code 0)\n"
            ),
        ),
        Some("/log") => {
            let lines = "2026-11-22T19:46:24.000000001Z [2026-11-22T19:46:24Z] \"GET /secret HTTP/1.1\" 200\n2026-11-22T19:46:25.5Z 2026-11-22T19:46:25.4Z\tinfo\tEnvoy proxy is ready\n";
            (200, json!(lines))
        }
        _ => (
            200,
            json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [
                {"metadata": {"name": "a"}, "involvedObject": {"fieldPath": "spec.containers{istio-proxy}"}, "type": "Normal", "reason": "Killing", "message": "Stopping container istio-proxy",
                 "firstTimestamp": "2026-11-22T19:46:20Z", "lastTimestamp": "2026-11-22T19:46:28Z", "count": 2},
                {"metadata": {"name": "b"}, "involvedObject": {}, "reason": "Scheduled", "message": "assigned", "eventTime": "2026-11-22T19:46:22.123456Z"},
                {"metadata": {"name": "c"}, "involvedObject": {}, "reason": "NoTime"},
            ]}),
        ),
    })
}

/// The command on a recorded pod, without a cluster.
fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt"))
        .args(words)
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

fn pod(name: &str) -> String {
    format!("{}/tests/pods/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

/// A file of its own, in a folder of the test run.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("timeline-{}-{name}", std::process::id()))
}

#[test]
fn events_and_logs_have_their_times() {
    let double = cluster(true);
    let (out, error, code) = printed(&double.run(&["timeline", "classic-drain-bjwz7", "-o", "json"]));
    let timeline: Value = serde_json::from_str(&out).unwrap();
    let instants = timeline["instants"].as_array().unwrap();
    let of = |source: &str| instants.iter().filter(|instant| instant["source"] == source).cloned().collect::<Vec<_>>();
    let said = of("log").iter().map(|line| (line["at"].clone(), line["text"].clone())).collect::<Vec<_>>();
    let lines = [
        ("2026-11-22T19:46:23.402117Z", "exeunt: watching base, process 31"),
        ("2026-11-22T19:46:25.5Z", "istio-proxy: info\tEnvoy proxy is ready"),
        ("2026-11-22T19:46:29.618003Z", "exeunt: base has ended (exit code 0)"),
    ];
    assert_eq!(said, lines.map(|(at, text)| (json!(at), json!(text))));
    let events = of("event").iter().map(|event| (event["resolution"].clone(), event["text"].clone())).collect::<Vec<_>>();
    let wanted = [
        ("millisecond", "Scheduled: assigned"),
        ("second", "istio-proxy: Killing: Stopping container istio-proxy (2 times, this is the last)"),
    ];
    assert_eq!(events, wanted.map(|(resolution, text)| (json!(resolution), json!(text))));
    assert_eq!((error.as_str(), code, timeline["unknown"].clone()), ("", 0, json!([])));
    let seen = double.seen();
    assert!(seen.iter().all(|request| request.verb == "GET"));
    let logs = seen.iter().filter(|request| request.path.ends_with("/log"));
    assert!(logs.clone().count() == 2 && logs.into_iter().all(|request| request.query.contains("timestamps=true")), "{seen:?}");
}

#[test]
fn what_may_not_be_read_is_named_once() {
    let (out, _, code) = printed(&cluster(false).run(&["timeline", "classic-drain-bjwz7"]));
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(out.matches("you may not list events in namespace jobs").count(), 1, "{out}");
    assert_eq!(out.matches("cannot get pods/log of classic-drain-bjwz7").count(), 1, "{out}");
    assert_eq!(code, 0);
}

#[test]
fn explain_saves_what_timeline_draws() {
    let (saved, double) = (file("saved.json"), cluster(true));
    let (_, error, _) = printed(&double.run(&["explain", "classic-drain-bjwz7", "--save", saved.to_str().unwrap()]));
    assert_eq!(error, "");
    let (out, ..) = printed(&run(&["timeline", "-f", saved.to_str().unwrap()]));
    assert!(out.contains("19:46:23.402  log  exeunt: watching base") && !out.contains("secret"), "{out}");
    std::fs::remove_file(saved).unwrap();
}

#[test]
fn pictures_go_into_files_or_to_stdout() {
    let (picture, page) = (file("picture.svg"), file("page.html"));
    let words = ["timeline", "-f", &pod("no-agent"), "--svg", picture.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let (out, error, code) = printed(&run(&words));
    assert!(out.starts_with("no-agent in namespace jobs") && error.is_empty(), "{out}{error}");
    assert_eq!(code, 1, "the pod is stuck");
    let (svg, html) = (std::fs::read_to_string(&picture).unwrap(), std::fs::read_to_string(&page).unwrap());
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains(&svg));
    let (out, ..) = printed(&run(&["timeline", "-f", &pod("no-agent"), "--svg", "-"]));
    assert_eq!(out, svg);
    for file in [picture, page] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn bad_options_are_named() {
    for (words, wanted) in [
        (&["--svg", "-", "--html", "-"][..], "kubectl exeunt: --svg - and --html -: only one of them can be stdout\n"),
        (
            &["--svg", "/nowhere/picture.svg"],
            "kubectl exeunt: --svg /nowhere/picture.svg: No such file or directory (os error 2)\n",
        ),
    ] {
        let (_, error, code) = printed(&run(&[&["timeline", "-f", &pod("no-agent")], words].concat()));
        assert_eq!((error.as_str(), code), (wanted, 2));
    }
    let (_, error, code) = printed(&run(&["timeline"]));
    assert!(error.contains("<POD>") && code == 2, "{error}");
}

#[test]
fn without_a_utf8_locale_it_draws_with_ascii() {
    let draw = |locale: &str, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt"));
        let output = command.args(["timeline", "-f", &pod("no-agent")]).args(words).env("LC_ALL", locale).output().unwrap();
        printed(&output).0
    };
    assert!(draw("C", &[]).is_ascii());
    assert!(draw("C.UTF-8", &["--ascii"]).is_ascii());
    assert!(draw("C.UTF-8", &[]).contains('█'));
}
