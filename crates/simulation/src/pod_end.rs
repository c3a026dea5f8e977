//! One pod, from the end of its task to its own.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use agent::options::{Invocation, Options};
use agent::proxy::Sidecar;
use agent::shutdown::{Context, MARGIN, Patience, TaskEnd, sequence};
use log::{LevelFilter, Log, Metadata, Record};
use pod::pidfd::Exit;

use crate::machine::Machine;
use crate::plan::Plan;
use crate::world::{self, Interruption, World};

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
    let (mut never_ends, mut all_have_left, mut has_no_verdict) = (false, false, false);
    loop {
        let start = world::now();
        let interruption = match catch_unwind(AssertUnwindSafe(|| shut_down(plan))) {
            Ok(()) => {
                all_have_left = true;
                break;
            }
            Err(payload) => payload.downcast::<Interruption>().unwrap_or_else(|panic| resume_unwind(panic)),
        };
        match *interruption {
            Interruption::PodIsOver => {
                has_no_verdict = world::now().since(start) >= MARGIN;
                break;
            }
            Interruption::NeverEnds => {
                never_ends = true;
                break;
            }
            // A kill in this time finds no agent.
            Interruption::Killed(pause) => {
                if world::with(|world| world.run(pause, false)) == Some(Interruption::PodIsOver) {
                    break;
                }
            }
        }
    }
    world::with(|world| {
        world.end(all_have_left);
        let mut wrongs = world.wrongs().to_vec();
        if never_ends {
            wrongs.push("it does not end".to_owned());
        }
        if has_no_verdict {
            wrongs.push("the grace period is over, and the agent has written no verdict".to_owned());
        }
        End { after: world.now().since_zero(), lateness: world.lateness(), wrongs, log: world.log().to_vec() }
    })
}

/// What the agent does once it has seen the task end.
fn shut_down(plan: &Plan) {
    let Some(options) = options(plan.native) else { return };
    let world = Machine;
    let task = TaskEnd::reported(options.container(), Exit::Code(0), world::now());
    let grace = world::with(|world| world.grace());
    let context = Context { world: &world, options: &options, task: &task, patience: Patience::Endless, grace };
    let verdict = sequence::run(&context, Sidecar::new(&world, &options, None));
    world::with(|world| world.note(&format!("agent: the verdict is {verdict:?}")));
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

fn options(native: bool) -> Option<Options> {
    let action = if native { "drain" } else { "quit" };
    let words = ["watch", "--action", action].map(Into::into);
    match Invocation::parse(words, |_| None) {
        Ok(Invocation::Run(options)) => Some(options),
        Ok(Invocation::Help(_) | Invocation::Version | Invocation::Explain(_)) | Err(_) => None,
    }
}
