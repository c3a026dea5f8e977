//! The order of a shutdown: find the proxy, drain and end it, send its last bytes, tell what happened.

use core::time::Duration;

use drain::wire::Action;
use log::{info, warn};
use pod::delivery::Held;

use super::attempts::{Attempts, Outcome};
use super::context::{Context, Patience};
use super::flush;
use super::ladder;
use super::loss::undelivered;
use super::verdict::{ProxyOutcome, Verdict};
use crate::options::RestartPolicy;
use crate::os::World;
use crate::proxy::readiness::is_captured;
use crate::proxy::{Sidecar, State};

/// The times of this file.
mod times {
    use core::time::Duration;

    /// How long to wait for a proxy that has not started: kubelet starts it next, unless its image has to be pulled.
    pub(super) const START: Duration = Duration::from_mins(5);
    /// How long to wait for the restart of a proxy that ended by itself: kubelet's first restart comes within a second.
    pub(super) const RESTART: Duration = Duration::from_secs(3);
    /// Between two looks for it.
    pub(super) const LOOK: Duration = Duration::from_millis(10);
}

/// Shuts the proxy down, and returns the verdict.
pub fn run<'w, W: World>(context: &Context<'w, W>, mut sidecar: Sidecar<'w, W>) -> Verdict {
    let mut attempts = Attempts::default();
    let mut known_by = "by its process, while the task ran".to_owned();
    let (outcome, ended_before) = loop {
        sidecar.find();
        if matches!(sidecar.state(), State::NotYet) && !starts(context, &mut sidecar) {
            return without_proxy(context, sidecar, attempts, known_by);
        }
        let ended_before = matches!(sidecar.state(), State::Gone);
        let outcome = if ended_before {
            Outcome::Gone
        } else {
            known_by = sidecar.known_by();
            ladder::climb(context, &mut sidecar, &mut attempts)
        };
        match restarted(context, &attempts, &outcome) {
            Some(next) => sidecar = next,
            None => break (outcome, ended_before),
        }
    };
    let drain = context.age();
    let decided = format!("{}; known {known_by}", context.reason(&sidecar));
    let action = context.action(&sidecar);
    let verdict = Verdict {
        proxy: ProxyOutcome::Gone,
        action,
        decided,
        attempts,
        drain,
        flush: Duration::ZERO,
        undelivered: Held::default(),
    };
    match outcome {
        Outcome::Gone => after_its_end(context, sidecar, verdict, ended_before),
        Outcome::Left => {
            let owner = if sidecar.is_ztunnel() { "the node" } else { "kubelet" };
            info!("the proxy is drained; {owner} ends it");
            left(&sidecar, verdict)
        }
        Outcome::Failed(why) if action == Action::Drain => {
            warn!("{why}: kubelet ends the proxy as it is");
            left(&sidecar, verdict)
        }
        Outcome::Failed(why) => {
            warn!("{why}");
            Verdict { proxy: ProxyOutcome::Stays, undelivered: sidecar.reading().unwrap_or_default(), ..verdict }
        }
    }
}

/// Whether the proxy starts after all. A task can end before kubelet starts the container listed after it, and a pod whose proxy starts
/// after the agent has left stays for ever.
fn starts<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>) -> bool {
    if context.patience == Patience::Once || !sidecar.is_in_a_pod() || !is_captured(context.world) {
        return false;
    }
    info!("the pod's traffic is captured, but its proxy has not started yet; waiting for it");
    let start = context.world.now();
    while context.world.now().since(start) < times::START && !context.is_asked_to_leave() {
        context.world.sleep(times::LOOK);
        if sidecar.is_here() {
            return true;
        }
    }
    false
}

/// The proxy that kubelet has started again, if one ended by itself: under `OnFailure` kubelet restarts a crashed proxy, and the pod
/// would stay for the new one.
fn restarted<'w, W: World>(context: &Context<'w, W>, attempts: &Attempts, outcome: &Outcome) -> Option<Sidecar<'w, W>> {
    // With undelivered data, the decider ends the proxy only after its limits.
    let by_itself = attempts.success().is_none() || attempts.last_reported().is_some_and(|reported| !reported.is_quiet());
    let restarts = context.options.restart_policy == RestartPolicy::OnFailure && context.patience == Patience::Endless;
    if *outcome != Outcome::Gone || !by_itself || !restarts || context.options.proxy_pid.is_some() {
        return None;
    }
    let mut next = Sidecar::new(context.world, context.options, None);
    let start = context.world.now();
    // After SIGTERM, kubelet restarts nothing.
    while context.world.now().since(start) < times::RESTART && !context.is_asked_to_leave() {
        if next.is_here() {
            info!("the proxy ended by itself and was started again");
            return Some(next);
        }
        context.world.sleep(times::LOOK);
    }
    None
}

/// The verdict where there is no proxy. It may have ended while no agent ran, so the last bytes are still waited for.
fn without_proxy<W: World>(
    context: &Context<'_, W>,
    mut sidecar: Sidecar<'_, W>,
    attempts: Attempts,
    known_by: String,
) -> Verdict {
    info!("there is no proxy, so there is nothing to end");
    let verdict = Verdict {
        proxy: ProxyOutcome::None,
        action: context.action(&sidecar),
        decided: format!("{}; known {known_by}", context.reason(&sidecar)),
        attempts,
        drain: Duration::ZERO,
        flush: Duration::ZERO,
        undelivered: Held::default(),
    };
    let flushed = flush::run(context, &mut sidecar, |so_far| {
        Verdict { undelivered: so_far.last, flush: so_far.took, ..verdict.clone() }.write_early(context.task, context.options);
    });
    Verdict { undelivered: flushed.last, flush: flushed.took, ..verdict }
}

/// The verdict where the proxy has ended, once its last bytes are sent.
fn after_its_end<W: World>(
    context: &Context<'_, W>,
    mut sidecar: Sidecar<'_, W>,
    verdict: Verdict,
    ended_before: bool,
) -> Verdict {
    info!("the proxy has ended, {} ms after the task", verdict.drain.as_millis());
    // If the proxy ended while the task ran, the only reading is from their start, which tells nothing about the end.
    let alive = if ended_before { None } else { sidecar.last_alive() };
    let reported = verdict.attempts.last_reported();
    let flushed = flush::run(context, &mut sidecar, |so_far| {
        let undelivered = undelivered(reported, alive, so_far.first, so_far.last);
        Verdict { undelivered, flush: so_far.took, ..verdict.clone() }.write_early(context.task, context.options);
    });
    Verdict { undelivered: undelivered(reported, alive, flushed.first, flushed.last), flush: flushed.took, ..verdict }
}

/// The verdict where kubelet or the node ends the proxy.
fn left<W: World>(sidecar: &Sidecar<'_, W>, verdict: Verdict) -> Verdict {
    let reported = verdict.attempts.last_reported();
    let undelivered = undelivered(reported, sidecar.reading(), Held::default(), Held::default());
    Verdict { proxy: ProxyOutcome::Left, undelivered, ..verdict }
}
