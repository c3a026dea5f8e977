//! One pod, from the start of its task to its own end.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use agent::os::log::hold;
use log::{LevelFilter, Log, Metadata, Record};

use crate::agent_run;
use crate::files;
use crate::plan::Plan;
use crate::world::{self, Interruption, Until, World};

/// How a pod has ended.
#[derive(Clone, Debug)]
pub struct End {
    /// The time since the end of its task; `None` if it stays for ever.
    pub after: Option<Duration>,
    /// From the delivery of the last byte to the end of Envoy, if Envoy ended after it.
    pub lateness: Option<Duration>,
    /// What is wrong.
    pub wrongs: Vec<String>,
    /// What would be wrong if the agent could know better.
    pub excuses: Vec<&'static str>,
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
    // The laws read the verdicts in their files. On stderr they would only be in the way.
    hold();
    World::new(plan.clone()).begin();
    files::begin();
    let mut is_over = world::with(World::wait_for_agent);
    while !is_over {
        files::remove_verdict();
        let interruption = match catch_unwind(AssertUnwindSafe(|| agent_run::run(plan))) {
            Ok(()) => None,
            Err(payload) => Some(*payload.downcast::<Interruption>().unwrap_or_else(|panic| resume_unwind(panic))),
        };
        world::with(|world| world.on_agent_end(interruption));
        is_over = interruption == Some(Interruption::NeverEnds) || world::with(World::wait_for_agent);
    }
    files::end();
    world::with(|world| {
        let stays = world.check_end();
        let after = world.task_ended_at().filter(|_| !stays).map(|at| world.now().since(at));
        let (wrongs, excuses) = (world.wrongs().to_vec(), world.excuses().to_vec());
        End { after, lateness: world.lateness(), wrongs, excuses, log: world.log().to_vec() }
    })
}

impl World {
    /// Lets time pass until kubelet starts the agent, or never does. Returns whether it never does: the pod has ended, or stays for ever.
    fn wait_for_agent(&mut self) -> bool {
        self.run(Duration::MAX, Until::AgentStarts).is_some() || self.pod_is_over()
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
