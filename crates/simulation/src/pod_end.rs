//! One pod, from its task's end to its own.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pod::pidfd::Exit;

use crate::clock::Clock;
use crate::ending::Ending;
use crate::farewell;
use crate::ladder::Patience;
use crate::options::{Invocation, Options};
use crate::plan::Plan;
use crate::sidecar::Sidecar;
use crate::termination::{MARGIN, Termination};
use crate::world::{self, Interruption, World};

/// How a pod has ended.
#[derive(Clone, Debug)]
pub struct End {
    /// When, after its task.
    pub after: Duration,
    /// From the last byte's delivery to Envoy's end, where the one followed the other.
    pub lateness: Option<Duration>,
    /// Whatever should not have been.
    pub wrongs: Vec<String>,
    /// What happened.
    pub log: Vec<String>,
}

/// Lets the pod of `plan` end.
///
/// # Panics
/// Where the agent's own code does.
#[must_use]
pub fn run(plan: &Plan) -> End {
    World::new(plan.clone()).begin();
    let (mut restless, mut all_have_left, mut speechless) = (false, false, false);
    loop {
        let began = world::now();
        let interruption = match catch_unwind(AssertUnwindSafe(|| see_out(plan.native))) {
            Ok(()) => {
                all_have_left = true;
                break;
            }
            Err(payload) => payload.downcast::<Interruption>().unwrap_or_else(|panic| resume_unwind(panic)),
        };
        match *interruption {
            Interruption::PodIsOver => {
                speechless = world::now().since(began) >= MARGIN;
                break;
            }
            Interruption::Restless => {
                restless = true;
                break;
            }
            // Kills that come meanwhile find nobody.
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
        if restless {
            wrongs.push("it does not come to rest".to_owned());
        }
        if speechless {
            wrongs.push("the grace period is over, and the agent has said no verdict".to_owned());
        }
        End { after: world.now().since_zero(), lateness: world.lateness(), wrongs, log: world.log().to_vec() }
    })
}

/// What the agent does once it has seen the task end.
fn see_out(native: bool) {
    let Some(options) = options(native) else { return };
    let clock = Clock;
    let termination = Termination;
    let mut ending = Ending::new(&options, Sidecar::new(&options, None), clock, clock.now(), Exit::Code(0)).within(&termination);
    let verdict = farewell::see_out(&mut ending, Patience::Endless);
    world::with(|world| world.note(&format!("agent: the verdict is {verdict:?}")));
}

fn options(native: bool) -> Option<Options> {
    let action = if native { "drain" } else { "quit" };
    let words = ["watch", "--action", action].map(Into::into);
    match Invocation::parse(words, |_| None) {
        Ok(Invocation::Run(options)) => Some(options),
        Ok(Invocation::Help(_) | Invocation::Version | Invocation::Explain(_)) | Err(_) => None,
    }
}
