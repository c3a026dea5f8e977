//! Each rule applies to its own recorded pod and to no other. `tests/pods/<rule>.json` is what `kubectl exeunt explain POD --save FILE` has
//! written on a real cluster; the other files are pods without surroundings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use exeunt_cli::rules;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pods")
}

/// What the command says about a recorded pod: the rules that apply, and its exit code.
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic, also where it has no #[test]")]
fn explain(name: &str) -> (Vec<String>, Option<i32>) {
    let file = folder().join(format!("{name}.json"));
    let output =
        Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt")).args(["explain", "-o", "json", "-f"]).arg(&file).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"));
    let ids = report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap().to_owned());
    (ids.collect(), output.status.code())
}

#[test]
fn every_rule_applies_to_its_own_pod_and_to_no_other() {
    let ids = rules::all().iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids.len(), 20);
    let found = ids.iter().map(|id| (*id, explain(id))).collect::<BTreeMap<_, _>>();
    let wanted = ids.iter().map(|id| (*id, (vec![(*id).to_owned()], Some(1)))).collect::<BTreeMap<_, _>>();
    assert_eq!(found, wanted);
}

#[test]
fn the_other_recorded_pods_break_the_rules_that_they_must() {
    let of_rules = rules::all().iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
    let names =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let found = names.filter(|name| !of_rules.contains(name)).map(|name| (explain(&name).0, name)).map(|(ids, name)| (name, ids));
    let found = found.collect::<BTreeMap<_, _>>();
    let wanted = [
        ("executor-classic-notready-base0", vec!["no-agent"]),
        ("executor-classic-succeeded", vec![]),
        ("job-classic-exeunt-succeeded", vec![]),
        ("job-classic-failed-notready", vec!["no-agent"]),
        ("job-classic-notready", vec!["no-agent"]),
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
