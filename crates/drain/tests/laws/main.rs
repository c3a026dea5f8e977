//! Checks the three laws of the drain machine in a simulated world of agent, filter, Envoy and kernel, in virtual time.

#![allow(clippy::panic, missing_docs)]

mod world;

use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
use world::{End, Faults, Plan, World};

fn plans(faults: impl Strategy<Value = Faults>) -> impl Strategy<Value = Plan> {
    let connections = prop::collection::vec((1u64..3_000, 1u64..400, prop::option::weighted(0.1, 0u64..2_000)), 0..6);
    let brings = prop::option::weighted(0.3, (500u64..60_000, 500u64..10_000));
    let buffers = prop::option::weighted(0.3, 1u64..6_000).prop_map(Option::unwrap_or_default);
    let who = (any::<bool>(), any::<bool>(), brings, buffers);
    (any::<u64>(), connections, 0u64..3, 0u64..2, prop::option::weighted(0.2, 0u64..3_000), who, faults).prop_map(
        |(seed, connections, helpers, noise, drain_after, (starts_as_drain, has_agent, brings, buffers), faults)| Plan {
            seed,
            connections,
            helpers,
            noise,
            drain_after,
            starts_as_drain,
            buffers,
            has_agent,
            brings,
            faults,
        },
    )
}

fn any_faults() -> impl Strategy<Value = Faults> {
    (0u32..40, 0u32..40, 0u32..40, 0u32..40, any::<bool>(), prop::option::weighted(0.2, 0u64..5_000), 0u64..60).prop_map(
        |(lost, late, wrong, refused, too_many_clusters, agent_dies, delay)| Faults {
            lost,
            late,
            wrong,
            refused,
            too_many_clusters,
            agent_dies,
            delay,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// The first and the third law, and the second as far as the machine can know: `World` asserts them at every step.
    #[test]
    fn a_drain_ends_within_its_limits_and_never_quits_against_evidence(plan in plans(any_faults())) {
        let end = World::new(plan).run();
        prop_assert!(!matches!(end, End::NotEnded), "{end:?}");
    }

    /// As long as the agent lives, nothing is lost before a limit is reached, whatever happens to the calls.
    #[test]
    fn nothing_is_lost_before_a_limit_while_the_agent_lives(mut plan in plans(any_faults())) {
        plan.has_agent = true;
        plan.faults.agent_dies = None;
        let end = World::new(plan).run();
        let (lost, limit) = match end {
            End::Gone { lost, limit } | End::Drained { lost, limit } => (lost, limit),
            End::Unsignalled | End::NotEnded => return Err(TestCaseError::fail(format!("{end:?}"))),
        };
        prop_assert!(lost == 0 || limit, "{end:?}");
    }
}
