//! The verdict so far, in kubelet's file from SIGTERM on. After a deletion nothing tells how much of the grace period the task has used, so
//! kubelet can kill the agent at any moment.

use core::time::Duration;

use super::attempts::Attempts;
use super::context::Context;
use super::limit::Limit;
use super::verdict::{ProxyOutcome, Verdict};
use crate::os::World;
use crate::os::world::Source;
use crate::proxy::Sidecar;

/// Writes how far the drain is, if SIGTERM has come.
pub(super) fn report<W: World>(context: &Context<'_, W>, sidecar: &Sidecar<'_, W>, attempts: &mut Attempts) {
    if context.has_sigterm() {
        attempts.reports_progress = true;
        so_far(context, sidecar, attempts).write_early(context.task, context.options);
    }
}

/// The same for the first time after SIGTERM. While nothing answers, there is no progress, but there must be a verdict.
pub(super) fn report_sigterm<W: World>(context: &Context<'_, W>, sidecar: &Sidecar<'_, W>, attempts: &mut Attempts) {
    if !attempts.reports_progress && context.world.terminated_at(Source::LastAnswer).is_some() {
        report(context, sidecar, attempts);
    }
}

/// The verdict if kubelet kills the agent now.
fn so_far<W: World>(context: &Context<'_, W>, sidecar: &Sidecar<'_, W>, attempts: &Attempts) -> Verdict {
    let undelivered = sidecar.reading().unwrap_or_default();
    let limit = (!undelivered.is_idle()).then_some(Limit::GracePeriod);
    Verdict {
        proxy: ProxyOutcome::Draining,
        action: context.action(sidecar),
        decided: format!("{}; known {}", context.reason(sidecar), sidecar.known_by()),
        attempts: attempts.clone(),
        drain: context.age(),
        flush: Duration::ZERO,
        undelivered,
        limit,
        advice: limit.map(|limit| limit.advice(context, attempts)),
    }
}
