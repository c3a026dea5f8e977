//! The order of a shutdown: find the proxy, drain and end it, wait for its last bytes, report what happened.

use core::time::Duration;

use drain::time::Instant;
use drain::wire::Action;
use log::{info, warn};

use super::attempts::{Attempts, Outcome};
use super::context::Context;
use super::limit::Limit;
use super::loss::{Loss, undelivered};
use super::verdict::{ProxyOutcome, Verdict};
use super::{flush, ladder, presence};
use crate::os::World;
use crate::proxy::{Sidecar, State};

/// What to do about a proxy that stays by the wish of the plugin's owner.
const NEVER: &str = "nobody ends this proxy, so the pod stays: remove quit: never from the plugin's configuration";

/// How the proxy was found, drained and ended.
struct Ended {
    attempts: Attempts,
    /// `None` if there was nothing to end.
    outcome: Option<Outcome>,
    /// How the proxy is known.
    known_by: String,
    /// From the end of the task until then.
    took: Duration,
    /// Whether the decider has ended or left the proxy because everything was delivered.
    is_delivered: bool,
    /// Whether the proxy, or an earlier process of it, has ended by itself. What it held is lost and was not counted.
    has_crashed: bool,
}

/// Shuts the proxy down, and returns the verdict.
pub fn run<'w, W: World>(context: &Context<'w, W>, mut sidecar: Sidecar<'w, W>) -> Verdict {
    let ended = end(context, &mut sidecar);
    let (action, telemetry) = (context.action(&sidecar), sidecar.telemetry_took());
    let proxy = match (&ended.outcome, sidecar.state()) {
        (Some(Outcome::Gone), _) | (None, State::Gone) => ProxyOutcome::Gone,
        (Some(Outcome::Left), _) => ProxyOutcome::Left,
        (Some(Outcome::Failed(_)), _) if action == Action::Drain => ProxyOutcome::Left,
        (Some(Outcome::Failed(_)), _) => ProxyOutcome::Stays,
        (None, State::NotYet | State::Running(_) | State::Ztunnel) => ProxyOutcome::None,
    };
    let drain = match (proxy, &ended.outcome) {
        (ProxyOutcome::Gone, None) => sidecar.ended_at().filter(|at| *at >= context.task.at).map(|at| at.since(context.task.at)),
        (ProxyOutcome::Gone | ProxyOutcome::Left, _) => Some(ended.took),
        _ => None,
    };
    let decided = decided(context, &sidecar, proxy, &ended);
    report(context, &sidecar, proxy, ended.outcome.as_ref(), drain);

    let Ended { attempts, outcome, is_delivered, has_crashed, .. } = ended;
    let reported = attempts.last_reported();
    let by_itself = proxy == ProxyOutcome::Gone && attempts.success().is_none();
    // A filter that never quits can have drained before the task's end, for somebody else: then no limit has passed.
    let drained_now = proxy == ProxyOutcome::Left && action == Action::Drain;
    let mut limit = Limit::reached(context, &attempts, drained_now).filter(|_| !by_itself);
    let at_least = proxy != ProxyOutcome::None && (has_crashed || !is_delivered);
    let loss = |held| Loss { held, at_least };
    let verdict = Verdict {
        proxy,
        action,
        decided,
        attempts,
        drain,
        telemetry,
        flush: Duration::ZERO,
        undelivered: Loss::default(),
        limit: None,
        advice: None,
    };
    let verdict = match proxy {
        ProxyOutcome::Gone | ProxyOutcome::None => {
            // If the proxy ended while the task ran, the only reading is from the start of the task, and tells nothing about the end.
            let alive = outcome.and(sidecar.last_alive());
            let after = |flushed: flush::Flushed, verdict: Verdict| Verdict {
                undelivered: loss(undelivered(reported, alive, flushed.first, flushed.last)),
                flush: flushed.took,
                ..verdict
            };
            let early = |so_far| after(so_far, verdict.clone()).write_early(context.task, context.options);
            let flushed = flush::flush(context, &mut sidecar, &verdict.attempts, early);
            limit = limit.or(flushed.limit);
            after(flushed, verdict.clone())
        }
        ProxyOutcome::Left => {
            // The last report can be old, if the decider has not answered since.
            let now = if reported.is_some_and(|reported| reported.is_idle()) { reported } else { sidecar.look().or(reported) };
            Verdict { undelivered: loss(now.filter(|now| !now.is_idle()).unwrap_or_default()), ..verdict }
        }
        ProxyOutcome::Draining | ProxyOutcome::Stays | ProxyOutcome::Untouched => {
            Verdict { undelivered: loss(sidecar.look().unwrap_or_default()), ..verdict }
        }
    };
    let held = verdict.undelivered.held;
    let limit = limit.filter(|_| (held.bytes, held.connections) != (0, 0));
    let stays_by_wish = verdict.proxy == ProxyOutcome::Left && action == Action::Quit;
    let advice = limit.map(|limit| limit.advice(context, &verdict.attempts)).or(stays_by_wish.then(|| NEVER.to_owned()));
    Verdict { limit, advice, ..verdict }
}

/// Finds the proxy and ends it, and once more if kubelet starts it again.
fn end<'w, W: World>(context: &Context<'w, W>, sidecar: &mut Sidecar<'w, W>) -> Ended {
    let mut attempts = Attempts::default();
    let mut known_by = "by its process, while the task ran".to_owned();
    let (mut outcome, mut took, mut restarted) = (None, context.age(), false);
    while presence::is_here(context, sidecar, &attempts, outcome.as_ref()) {
        restarted |= outcome.is_some() || sidecar.ended_at().is_some();
        known_by = sidecar.known_by();
        sidecar.await_telemetry(context.options);
        outcome = Some(ladder::climb(context, sidecar, &mut attempts));
        took = context.age();
    }
    let now = context.world.now();
    let is_idle = || attempts.last_reported().is_some_and(|reported| reported.is_idle());
    let (is_delivered, crashed) = match &outcome {
        Some(Outcome::Gone) => (attempts.is_by_decision(now), !attempts.is_by_decision(now)),
        Some(Outcome::Left) => (is_idle(), false),
        Some(Outcome::Failed(_)) => (false, false),
        None => (false, matches!(sidecar.state(), State::Gone)),
    };
    Ended { attempts, outcome, known_by, took, is_delivered, has_crashed: restarted || crashed }
}

/// Writes what happened to the log.
fn report<W: World>(
    context: &Context<'_, W>,
    sidecar: &Sidecar<'_, W>,
    proxy: ProxyOutcome,
    outcome: Option<&Outcome>,
    drain: Option<Duration>,
) {
    let owner = if sidecar.is_ztunnel() { "the node" } else { "kubelet" };
    match (outcome, drain) {
        (Some(Outcome::Failed(why)), _) if proxy == ProxyOutcome::Left => warn!("{why}: {owner} ends the proxy as it is"),
        (Some(Outcome::Failed(why)), _) => warn!("{why}"),
        (Some(Outcome::Left), _) if context.action(sidecar) == Action::Quit => {
            warn!("the proxy is drained, and stays: the plugin's configuration says quit: never");
        }
        (Some(Outcome::Left), _) => info!("the proxy is drained; {owner} ends it"),
        (_, Some(drain)) => info!("the proxy has ended, {} ms after the task", drain.as_millis()),
        (_, None) if proxy == ProxyOutcome::Gone => info!("the proxy is gone: {}", before(context, sidecar.ended_at())),
        (_, None) => info!("there is no proxy, so there is nothing to end"),
    }
}

/// Why the action was chosen, how the proxy is known, and when it ended if that was by itself, as clauses of the verdict.
fn decided<W: World>(context: &Context<'_, W>, sidecar: &Sidecar<'_, W>, proxy: ProxyOutcome, ended: &Ended) -> String {
    let reason = context.reason(sidecar);
    let known_by = &ended.known_by;
    match (proxy, &ended.outcome, sidecar.ended_at()) {
        (ProxyOutcome::None, ..) => format!("{reason}; no proxy was found"),
        (ProxyOutcome::Gone, None, at) if at.is_none_or(|at| at < context.task.at) => {
            format!("{reason}; known {known_by}; {}", before(context, at))
        }
        (_, Some(_), Some(at)) if at < context.task.at => {
            format!("{reason}; known {known_by}; {}, and was started again", before(context, Some(at)))
        }
        _ => format!("{reason}; known {known_by}"),
    }
}

/// When a proxy ended that was gone before the agent came to it, as a clause.
fn before<W: World>(context: &Context<'_, W>, ended_at: Option<Instant>) -> String {
    match ended_at.map(|at| context.task.at.since(at)) {
        None => "it had ended before the agent looked".to_owned(),
        Some(time) if time < Duration::from_secs(1) => format!("it had ended {} ms before the task", time.as_millis()),
        Some(time) => format!("it had ended {} s before the task", time.as_secs()),
    }
}

#[cfg(test)]
mod tests;
