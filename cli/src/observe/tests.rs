use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Limits, Loss, Observer, Reaped};
use crate::pod::Facts;

mod bounds;
mod counting;
mod hostile;
mod server;
mod words;

/// After every recorded pod.
const NOW: &str = "2026-12-01T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/pods/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    // With --save it has more than the pod.
    let mut pod = if file["pod"].is_null() { file } else { file["pod"].clone() };
    // Some were saved without what names them.
    if pod["metadata"]["uid"].is_null() {
        pod["metadata"]["uid"] = json!(name);
        pod["metadata"]["namespace"] = json!("recorded");
    }
    pod
}

fn all_recorded() -> Vec<Value> {
    let folder = std::fs::read_dir(format!("{}/tests/pods", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut names = folder.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>();
    names.sort();
    names.iter().map(|name| recorded(name)).collect()
}

/// The verdicts in docs/agent.md, which were taken from a real cluster: of a native proxy, of a classic one, and of an agent that did
/// nothing.
fn documented() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/agent.md")).unwrap();
    let verdicts = text.lines().filter(|line| line.starts_with("{\"version\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(verdicts.len(), 3);
    verdicts
}

/// A finished pod of a Job with a classic proxy and an agent, with that verdict.
fn finished(uid: &str, verdict: &str) -> Value {
    with_verdict(uid, "job-classic-exeunt-succeeded", verdict)
}

fn with_verdict(uid: &str, name: &str, verdict: &str) -> Value {
    let mut pod = recorded(name);
    pod["metadata"]["uid"] = json!(uid);
    let agent =
        pod["status"]["initContainerStatuses"].as_array_mut().unwrap().iter_mut().find(|status| status["name"] == "exeunt");
    agent.unwrap()["state"]["terminated"]["message"] = json!(verdict);
    pod
}

fn leader(limits: Limits) -> Observer {
    let observer = Observer::new(limits);
    observer.leads(true);
    observer
}

fn typed(pod: Value) -> Pod {
    serde_json::from_value(pod).unwrap()
}

fn saw(observer: &Observer, pod: &Value) -> Option<Loss> {
    observer.saw(&Facts::of(&typed(pod.clone())), time(NOW))
}

fn gone(observer: &Observer, pod: &Value) -> Option<Loss> {
    observer.gone(&Facts::of(&typed(pod.clone())), time(NOW))
}

/// The samples of a metric, each with its value.
fn samples(observer: &Observer, name: &str) -> Vec<(String, u64)> {
    let text = observer.text(time(NOW));
    let own = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    own.map(|line| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.parse().unwrap())).unwrap()).collect()
}

fn sum(observer: &Observer, name: &str) -> u64 {
    samples(observer, name).iter().map(|(_, value)| value).sum()
}

/// The text in an order that does not change: that of the library is random.
fn sorted(text: &str) -> String {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        let line = line.to_owned() + "\n";
        let is_first_of_series = !line.contains("_bucket{") && !line.contains("_count{");
        if line.starts_with("# HELP") || line.starts_with("# EOF") {
            blocks.push((line, Vec::new()));
        } else if line.starts_with('#') {
            blocks.last_mut().unwrap().0 += &line;
        } else if is_first_of_series {
            blocks.last_mut().unwrap().1.push(line);
        } else {
            *blocks.last_mut().unwrap().1.last_mut().unwrap() += &line;
        }
    }
    for (_, series) in &mut blocks {
        series.sort();
    }
    blocks.into_iter().map(|(head, series)| head + &series.concat()).collect()
}
