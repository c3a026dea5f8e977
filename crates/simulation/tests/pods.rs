//! A thousand pods with random faults, for each source of the end of the task.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a developer sets its variables and reads what it prints")]

use std::collections::BTreeMap;
use std::env;

use agent::task::Source;
use simulation::{Plan, run};

/// How many pods, unless `EXEUNT_PODS` says another number.
const PODS: u64 = 1_000;

/// Runs the pods. Shows the first three that go wrong, and how many go wrong in which way. `EXEUNT_SEED` names the first one; without
/// `EXEUNT_PODS` it is the only one.
fn run_pods(source: Source) {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("EXEUNT_SEED");
    let pods = number("EXEUNT_PODS").unwrap_or(if first.is_some() { 1 } else { PODS });
    let seeds = first.unwrap_or(0)..first.unwrap_or(0) + pods;
    let mut bad = Vec::new();
    let mut ways: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut excuses: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for seed in seeds {
        let plan = Plan::of(source, seed);
        let end = run(&plan);
        for wrong in &end.wrongs {
            // The numbers differ from pod to pod.
            let way = wrong.chars().filter(|letter| !letter.is_ascii_digit()).take(60).collect();
            ways.entry(way).or_default().push(seed);
        }
        for excuse in end.excuses {
            excuses.entry(excuse).or_default().push(seed);
        }
        if !end.wrongs.is_empty() {
            bad.push(seed);
            if bad.len() <= 3 {
                println!("seed {seed}, ended after {:?}: {:?}\n{plan:#?}\n{}\n", end.after, end.wrongs, end.log.join("\n"));
            }
        }
    }
    for (excuse, seeds) in &excuses {
        println!("{} times excused, first in the pods {:?}: {excuse}", seeds.len(), seeds.iter().take(5).collect::<Vec<_>>());
    }
    for (way, seeds) in &ways {
        println!("{} times, first in the pods {:?}: {way}", seeds.len(), seeds.iter().take(5).collect::<Vec<_>>());
    }
    assert!(bad.is_empty(), "{} of {pods} pods, by their seeds: {bad:?}", bad.len());
}

#[test]
fn a_thousand_pods_whose_agent_sees_the_processes_end_and_lose_no_byte_within_the_limits() {
    run_pods(Source::Processes);
}

#[test]
fn a_thousand_pods_whose_agent_kubelet_tells_end_and_lose_no_byte_within_the_limits() {
    run_pods(Source::Kubelet);
}
