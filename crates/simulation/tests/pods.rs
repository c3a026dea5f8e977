//! A thousand pods with random faults.

use std::time::Duration;

use simulation::{Plan, run};

const PODS: u64 = 1_000;
/// After all limits: five minutes of waiting for a proxy that ended while no agent ran, five of draining, five of flushing.
const LONGEST: Duration = Duration::from_mins(15);

#[test]
fn a_thousand_pods_end_and_none_loses_a_byte_within_its_limits() {
    let mut bad = Vec::new();
    for seed in 0..PODS {
        let plan = Plan::of(seed);
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
