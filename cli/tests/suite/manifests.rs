//! What the manifests run is what the command takes: each argument in `deploy/` is read as it is read there.

use std::path::Path;
use std::process::Command;

use clap::Parser as _;
use exeunt_cli::command::Arguments;
use exeunt_cli::workload::documents;
use serde_json::Value;

/// The words of the container of the command, in each manifest that has one.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for name in ["controller/deployment.yaml", "reap/cronjob.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        for object in documents(&text).unwrap() {
            for container in containers(&object) {
                let words = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
                found.push((name.to_owned(), words.collect()));
            }
        }
    }
    found
}

/// The containers of a Deployment or a `CronJob`.
fn containers(object: &Value) -> Vec<Value> {
    let pods = [&object["spec"]["template"], &object["spec"]["jobTemplate"]["spec"]["template"]];
    pods.iter().filter_map(|pod| pod["spec"]["containers"].as_array()).flatten().cloned().collect()
}

/// What kustomize puts in the place of an argument: the components and the README.
const OTHERS: [&[&str]; 2] = [
    &["controller", "--namespaces=jobs,reports", "--dry-run=false", "--metrics-address=0.0.0.0:9090"],
    &["reap", "-A", "--dry-run=false"],
];

fn is_read(words: &[String]) -> Result<(), String> {
    let line = std::iter::once("kubectl-exeunt".to_owned()).chain(words.iter().cloned());
    Arguments::try_parse_from(line).map(drop).map_err(|error| error.to_string())
}

#[test]
fn the_command_takes_every_argument_of_the_manifests() {
    let found = commands();
    assert_eq!(found.iter().map(|(_, words)| words[0].as_str()).collect::<Vec<_>>(), ["controller", "reap"]);
    for (name, words) in found {
        assert_eq!(is_read(&words), Ok(()), "{name}");
        // Otherwise the line above would mean nothing.
        let wrong = words.iter().cloned().chain(["--dry-rnu".to_owned()]).collect::<Vec<_>>();
        assert!(is_read(&wrong).is_err(), "{name}");
    }
    for words in OTHERS {
        let words = words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(is_read(&words), Ok(()), "{words:?}");
    }
}

/// The `CronJob` does not say it, because somebody would take the line away to make it act.
#[test]
fn what_says_nothing_of_a_dry_run_is_one() {
    for verb in ["reap", "controller"] {
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt")).args([verb, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let option = help.split("\n      --dry-run").nth(1).unwrap();
        let option = option.split("\n      --").next().unwrap();
        assert!(option.contains("[default: true]"), "{verb}: {option}");
    }
}
