//! The verdict so far, in kubelet's file from SIGTERM on. After a deletion nothing tells how much of the grace period the task has used, so
//! kubelet can kill the agent at any moment.

use core::time::Duration;

use pod::pidfd::Exit;

use super::attempts::Attempts;
use super::context::{Context, Patience, TaskEnd};
use super::limit::Limit;
use super::loss::Loss;
use super::verdict::{ProxyOutcome, Verdict};
use crate::options::Options;
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

/// The same while the task still runs: a deletion can leave it less time than its pod's spec says, and then the agent is killed before the task
/// has ended. `container` is a main container.
pub fn report_running<W: World>(world: &W, options: &Options, sidecar: &mut Sidecar<'_, W>, container: Option<&str>) {
    let evidence = "it still ran when this was written, after SIGTERM".to_owned();
    let task = TaskEnd {
        container: container.map(ToOwned::to_owned),
        exit: Exit::Unknown,
        evidence,
        at: world.now(),
        helpers: Vec::new(),
        only_sigterm: false,
    };
    let context = Context { world, options, task: &task, patience: Patience::Once, grace: Some(options.grace_period) };
    sidecar.look();
    so_far(&context, sidecar, &Attempts::default()).write_early(&task, options);
}

/// The same while there is no proxy, and one may still start: the end of the pod's grace period can come first.
pub(super) fn report_waiting<W: World>(context: &Context<'_, W>, sidecar: &Sidecar<'_, W>) {
    so_far(context, sidecar, &Attempts::default()).write_early(context.task, context.options);
}

/// The verdict if kubelet kills the agent now.
fn so_far<W: World>(context: &Context<'_, W>, sidecar: &Sidecar<'_, W>, attempts: &Attempts) -> Verdict {
    let held = sidecar.reading().unwrap_or_default();
    let limit = (!held.is_idle()).then_some(Limit::GracePeriod);
    Verdict {
        proxy: ProxyOutcome::Draining,
        action: context.action(sidecar),
        decided: format!("{}; known {}", context.reason(sidecar), sidecar.known_by()),
        attempts: attempts.clone(),
        drain: None,
        telemetry: None,
        flush: Duration::ZERO,
        undelivered: Loss { held, at_least: true },
        limit,
        advice: limit.map(|limit| limit.advice(context, attempts)),
    }
}
