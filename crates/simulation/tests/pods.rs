//! A thousand pods with whatever may befall them.

use std::time::Duration;

use simulation::{Plan, run};

const PODS: u64 = 1_000;
/// Past all limits: five minutes of waiting for a proxy that has gone while nobody looked, five of draining, five of lingering.
const REST: Duration = Duration::from_mins(15);

#[test]
fn a_thousand_pods_come_to_rest_and_none_loses_a_byte_that_its_deadline_allowed_for() {
    let mut bad = Vec::new();
    for seed in 0..PODS {
        let plan = Plan::of(seed);
        let end = run(&plan);
        if !end.wrongs.is_empty() || end.after > REST {
            bad.push(seed);
            if bad.len() <= 3 {
                println!("seed {seed}, over after {:?}: {:?}\n{plan:#?}\n{}\n", end.after, end.wrongs, end.log.join("\n"));
            }
        }
    }
    assert!(bad.is_empty(), "{} of {PODS} pods, by their seeds: {bad:?}", bad.len());
}
