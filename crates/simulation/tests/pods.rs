//! A thousand pods with random faults, for each source of the end of the task.

use std::time::Duration;

use agent::task::Source;
use simulation::{Plan, run};

const PODS: u64 = 1_000;
/// After all limits: five minutes of waiting for a proxy that ended while no agent ran, five of draining, five of flushing.
const LONGEST: Duration = Duration::from_mins(15);

/// Runs the pods, and shows the first three that go wrong.
fn thousand(source: Source) {
    let mut bad = Vec::new();
    for seed in 0..PODS {
        let plan = Plan::of(source, seed);
        let end = run(&plan);
        if !end.wrongs.is_empty() || end.after > LONGEST {
            bad.push(seed);
            if bad.len() <= 3 {
                println!("seed {seed}, ended after {:?}: {:?}\n{plan:#?}\n{}\n", end.after, end.wrongs, end.log.join("\n"));
            }
        }
    }
    assert!(bad.is_empty(), "{} of {PODS} pods, by their seeds: {bad:?}", bad.len());
}

#[test]
fn a_thousand_pods_whose_agent_sees_the_processes_end_and_lose_no_byte_within_the_limits() {
    thousand(Source::Processes);
}

#[test]
fn a_thousand_pods_whose_agent_kubelet_tells_end_and_lose_no_byte_within_the_limits() {
    thousand(Source::Kubelet);
}
