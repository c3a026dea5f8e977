//! The last step: the proxy has ended, and the kernel may still hold bytes for it and for the task. The pod's network ends with the last
//! container of the pod, so the agent stays until they are sent.

use core::time::Duration;

use drain::time::Instant;
use pod::delivery::Held;

use super::attempts::Attempts;
use super::budget::Budget;
use super::context::Context;
use super::limit::Limit;
use super::times;
use crate::os::World;
use crate::proxy::Sidecar;

/// The result of a flush.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flushed {
    /// What the kernel held just after the end of the proxy.
    pub(super) first: Held,
    /// What it held at the end of the flush.
    pub(super) last: Held,
    /// How long the flush took.
    pub(super) took: Duration,
    /// The limit that ended it with bytes left.
    pub(super) limit: Option<Limit>,
}

/// Stays until the kernel has sent everything, or until the budget of the shutdown is used up. The drain has used a part of it: a receiver
/// that had taken nothing for the stall timeout when the proxy ended gets no second one, unless it takes something now.
///
/// Calls `on_sigterm` when SIGTERM comes, and every second after that: nothing tells how long the agent has then. In a deleted pod a native
/// sidecar may have only two seconds (Kubernetes, `pkg/kubelet/kuberuntime`, `minimumGracePeriodInSeconds`).
pub(super) fn flush<W: World>(
    context: &Context<'_, W>,
    sidecar: &mut Sidecar<'_, W>,
    attempts: &Attempts,
    on_sigterm: impl Fn(Flushed),
) -> Flushed {
    let start = context.world.now();
    let budget = Budget::of(context, attempts);
    let mut called: Option<Instant> = None;
    let first = sidecar.look_behind();
    let (mut last, mut moved) = (first, attempts.moved_at().unwrap_or(start));
    loop {
        let now = context.world.now();
        let took = now.since(start);
        // Time for the FINs, and to see whether bytes move. The margin of the grace period has it, too.
        let limit = if last.is_idle() || took < times::FIN {
            None
        } else if context.must_leave() {
            Some(Limit::GracePeriod)
        } else if now >= budget.deadline {
            Some(Limit::DrainTimeout)
        } else {
            (now.since(moved) >= budget.stall_timeout()).then_some(Limit::StallTimeout)
        };
        let only_fin = last.bytes == 0 && took >= times::FIN;
        let so_far = Flushed { first, last, took, limit: limit.filter(|_| last.bytes > 0) };
        if called.is_none_or(|called| now.since(called) >= times::REPEAT) && context.has_sigterm() {
            called = Some(now);
            on_sigterm(so_far);
        }
        if last.is_idle() || only_fin || limit.is_some() {
            return so_far;
        }
        context.world.sleep(sidecar.pause());
        let left = sidecar.look_behind();
        if moves(last, left) {
            moved = context.world.now();
        }
        last = left;
    }
}

/// Whether the receiver has taken bytes between two readings. A connection that vanishes takes its bytes with it: the end of the proxy resets
/// those of the task.
const fn moves(before: Held, now: Held) -> bool {
    before.connections == now.connections && now.bytes < before.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn held(connections: u32, bytes: u64) -> Held {
        Held { connections, bytes, downstream: 0, buffers: 0 }
    }

    #[test]
    fn only_bytes_that_leave_a_connection_that_stays_have_moved() {
        assert!(moves(held(2, 900), held(2, 800)));
        assert!(!moves(held(2, 900), held(2, 900)));
        assert!(!moves(held(3, 900), held(2, 700)), "the kernel has reset a connection of the task");
        assert!(!moves(held(2, 900), held(3, 1_000)), "the proxy has only just ended");
    }
}
