//! One pod, from the start of its task to its own end.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use log::{LevelFilter, Log, Metadata, Record};

use crate::agent_run;
use crate::plan::Plan;
use crate::verdict_file;
use crate::world::{self, Interruption, Until, World};

/// How a pod has ended.
#[derive(Clone, Debug)]
pub struct End {
    /// The time since the end of its task.
    pub after: Duration,
    /// From the delivery of the last byte to the end of Envoy, if Envoy ended after it.
    pub lateness: Option<Duration>,
    /// What is wrong.
    pub wrongs: Vec<String>,
    /// What happened.
    pub log: Vec<String>,
}

/// Runs the pod of `plan` to its end.
///
/// # Panics
/// Where the code of the agent panics.
#[must_use]
pub fn run(plan: &Plan) -> End {
    // An error means that an earlier pod has set it.
    let _ = log::set_logger(&WorldLog);
    log::set_max_level(LevelFilter::Debug);
    World::new(plan.clone()).begin();
    let mut memory = agent_run::Memory::default();
    loop {
        verdict_file::remove();
        let interruption = match catch_unwind(AssertUnwindSafe(|| agent_run::run(plan, &mut memory))) {
            Ok(()) => None,
            Err(payload) => Some(*payload.downcast::<Interruption>().unwrap_or_else(|panic| resume_unwind(panic))),
        };
        world::with(|world| world.on_agent_end(interruption));
        let never_ends = interruption == Some(Interruption::NeverEnds) || world::with(World::wait_for_agent);
        if never_ends || world::with(|world| world.pod_is_over()) {
            break;
        }
    }
    verdict_file::remove();
    world::with(|world| {
        let after = world.task_ended_at().map_or(Duration::MAX, |at| world.now().since(at));
        End { after, lateness: world.lateness(), wrongs: world.wrongs().to_vec(), log: world.log().to_vec() }
    })
}

impl World {
    /// Lets time pass until kubelet starts the agent again, or the pod has ended. Returns whether neither ever happens.
    fn wait_for_agent(&mut self) -> bool {
        self.run(Duration::MAX, Until::AgentStarts).is_some()
    }
}

/// Keeps the log of the agent in the world of its thread, for a pod that goes wrong.
struct WorldLog;

impl Log for WorldLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        world::with(|world| world.note(&format!("agent: {}", record.args())));
    }

    fn flush(&self) {}
}
