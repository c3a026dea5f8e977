//! `watch`: beside the main containers, asleep until they have ended.

use core::time::Duration;

use crate::clock::Clock;
use crate::ending::Ending;
use crate::farewell;
use crate::istio::Form;
use crate::ladder::Patience;
use crate::log;
use crate::mains::{Mains, Waited};
use crate::memory::Memory;
use crate::options::{Options, Placement, Refusal};
use crate::refusal;
use crate::sidecar::Sidecar;
use crate::sys;
use crate::termination::Termination;
use crate::verdict;

/// The first pause between two looks for the proxy; doubled each time, so that ten of them cover the ten seconds within which kubelet
/// starts the container listed behind the main one.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Watches the main containers, and sees the proxy out once they have ended. Never fails: nobody could do anything about it, and a
/// pod whose agent fails has failed.
pub(crate) fn run(options: &Options) {
    sys::ignore_interrupt();
    let termination = Termination::hold(options.grace_period);
    let memory = Memory::new(options.state_dir.clone());
    let refusals = refusal::reasons(options);
    if !refusals.is_empty() {
        verdict::refuse(&refusals, options.termination_log.as_deref());
    } else if memory.is_done() {
        log::line("an earlier run has seen the proxy out");
    } else if options.form == Some(Form::Absent) {
        log::line("the injector has put no proxy into this pod, so there is nothing to end");
    } else {
        attend(options, &termination, &memory);
    }
    if options.placement == Placement::Native {
        // To end now would be to be started again.
        termination.wait();
    }
}

/// Says what is wrong with the command line. What would follow from it nobody has asked for, so nothing does.
pub(crate) fn refuse(refusal: &Refusal) {
    let termination = Termination::hold(Duration::ZERO);
    let mistakes: Vec<String> = refusal.mistakes.iter().map(ToString::to_string).collect();
    verdict::refuse(&mistakes, refusal.termination_log.as_deref());
    if refusal.placement == Placement::Native {
        termination.wait();
    }
}

/// From the main containers' beginning to the verdict.
fn attend(options: &Options, termination: &Termination, memory: &Memory) {
    let proxy_was_met = memory.has_met_proxy();
    let mut mains = Mains::new(options, memory, termination);
    let seen = mains.wait_seen();
    let mut sidecar = Sidecar::new(options, mains.uid());
    let waited = match seen {
        Waited::Running => meet(&mut sidecar, &mut mains, memory),
        other => other,
    };
    if waited == Waited::Leave {
        return;
    }

    let clock = Clock::start();
    let began = clock.now();
    let (name, exit) = mains.spokesman();
    let mut ending = Ending::new(options, sidecar, clock, began, exit).of(name).known_by(mains.evidence()).within(termination);
    ending.proxy_was_met = proxy_was_met;
    let verdict = farewell::see_out(&mut ending, Patience::Endless);
    memory.done();
    mains.learn();
    let (name, exit) = mains.spokesman();
    verdict.publish(&ending.ended(name, exit));
}

/// Takes hold of the proxy's process while the task runs, then sleeps until the task has ended. A proxy that was seen and is not there
/// when the task ends has gone; of one that was never seen nobody could say whether it is still to come.
fn meet(sidecar: &mut Sidecar, mains: &mut Mains, memory: &Memory) -> Waited {
    let mut pause = FIRST_LOOK;
    loop {
        sidecar.look();
        if sidecar.is_here() {
            sidecar.find_process();
        }
        if sidecar.has_met_envoy() {
            memory.met_proxy();
        }
        if sidecar.has_met_envoy() || pause > LAST_LOOK {
            return mains.wait(None);
        }
        match mains.wait(Some(pause)) {
            Waited::TimeUp => pause *= 2,
            ended => return ended,
        }
    }
}
