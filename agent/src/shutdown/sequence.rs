//! The order of a shutdown: find the proxy, drain and end it, wait for its last bytes, report what happened.

use core::time::Duration;

use drain::wire::Action;
use log::{info, warn};
use pod::delivery::Held;

use super::attempts::{Attempts, Outcome};
use super::context::Context;
use super::limit::Limit;
use super::loss::undelivered;
use super::verdict::{ProxyOutcome, Verdict};
use super::{flush, ladder, presence};
use crate::os::World;
use crate::proxy::{Sidecar, State};

/// Shuts the proxy down, and returns the verdict.
pub fn run<'w, W: World>(context: &Context<'w, W>, mut sidecar: Sidecar<'w, W>) -> Verdict {
    let mut attempts = Attempts::default();
    let mut known_by = "by its process, while the task ran".to_owned();
    let (mut outcome, mut drain) = (None, context.age());
    while presence::is_here(context, &mut sidecar, &attempts, outcome.as_ref()) {
        known_by = sidecar.known_by();
        outcome = Some(ladder::climb(context, &mut sidecar, &mut attempts));
        drain = context.age();
    }

    let action = context.action(&sidecar);
    let proxy = match (&outcome, sidecar.state()) {
        (Some(Outcome::Gone), _) | (None, State::Gone) => ProxyOutcome::Gone,
        (Some(Outcome::Left), _) => ProxyOutcome::Left,
        (Some(Outcome::Failed(_)), _) if action == Action::Drain => ProxyOutcome::Left,
        (Some(Outcome::Failed(_)), _) => ProxyOutcome::Stays,
        (None, State::NotYet | State::Running(_) | State::Ztunnel) => ProxyOutcome::None,
    };
    let owner = if sidecar.is_ztunnel() { "the node" } else { "kubelet" };
    match &outcome {
        Some(Outcome::Failed(why)) if proxy == ProxyOutcome::Left => warn!("{why}: {owner} ends the proxy as it is"),
        Some(Outcome::Failed(why)) => warn!("{why}"),
        Some(Outcome::Left) => info!("the proxy is drained; {owner} ends it"),
        Some(Outcome::Gone) | None if proxy == ProxyOutcome::Gone => {
            info!("the proxy has ended, {} ms after the task", drain.as_millis());
        }
        Some(Outcome::Gone) | None => info!("there is no proxy, so there is nothing to end"),
    }

    let reason = context.reason(&sidecar);
    let decided =
        if proxy == ProxyOutcome::None { format!("{reason}; no proxy was found") } else { format!("{reason}; known {known_by}") };
    let reported = attempts.last_reported();
    let by_itself = proxy == ProxyOutcome::Gone && attempts.success().is_none();
    let mut limit = Limit::reached(context, &attempts, proxy == ProxyOutcome::Left).filter(|_| !by_itself);
    let verdict = Verdict {
        proxy,
        action,
        decided,
        attempts,
        drain,
        flush: Duration::ZERO,
        undelivered: Held::default(),
        limit: None,
        advice: None,
    };
    let verdict = match proxy {
        ProxyOutcome::Gone | ProxyOutcome::None => {
            // If the proxy ended while the task ran, the only reading is from the start of the task, and tells nothing about the end.
            let alive = outcome.and(sidecar.last_alive());
            let after = |flushed: flush::Flushed, verdict: Verdict| Verdict {
                undelivered: undelivered(reported, alive, flushed.first, flushed.last),
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
            Verdict { undelivered: now.filter(|now| !now.is_idle()).unwrap_or_default(), ..verdict }
        }
        ProxyOutcome::Draining | ProxyOutcome::Stays | ProxyOutcome::Untouched => {
            Verdict { undelivered: sidecar.look().unwrap_or_default(), ..verdict }
        }
    };
    let cut_off = (verdict.undelivered.bytes, verdict.undelivered.connections) != (0, 0);
    let limit = limit.filter(|_| cut_off);
    let advice = limit.map(|limit| limit.advice(context, &verdict.attempts));
    Verdict { limit, advice, ..verdict }
}

#[cfg(test)]
mod tests;
