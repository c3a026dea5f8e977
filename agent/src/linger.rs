//! The last step: the proxy has gone, and its sockets and the task's may still hold bytes. The pod's network ends with its last
//! container, so the agent stays until they are out.

use core::time::Duration;

use pod::delivery::Held;

use crate::ending::Ending;

/// Where no byte is left but only the news that there will be none more: time for several repetitions (0.2 s doubling). Longer is
/// useless: an idle connection to a machine that is gone would take the whole stall timeout.
const FIN: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lingered {
    /// What was left when the proxy had just gone.
    pub(crate) first: Held,
    /// What was left in the end.
    pub(crate) last: Held,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Stays until the kernel has sent everything, or nothing moves any more, or the time is up.
///
/// `meanwhile` is told of it once, should we be asked to leave: of the grace period of a pod that was deleted, a native sidecar's turn may
/// be the last two seconds (kubernetes, `pkg/kubelet/kuberuntime`, `minimumGracePeriodInSeconds`), and it cannot know.
pub(crate) fn linger(ending: &mut Ending<'_>, meanwhile: impl Fn(&Ending<'_>, Lingered)) -> Lingered {
    let began = ending.clock.now();
    let mut told = false;
    let limit = ending.limits().drain_timeout.max(FIN);
    let first = ending.sidecar.look_behind();
    let (mut last, mut moved) = (first, began);
    loop {
        let now = ending.clock.now();
        if !told && ending.is_asked_to_leave() {
            told = true;
            meanwhile(ending, Lingered { first, last, took: now.since(began) });
        }
        let fin_alone = last.bytes == 0 && now.since(began) >= FIN;
        let stalled = now.since(moved) >= ending.options.stall_timeout;
        // SIGTERM may have come since; for the far ends to hear of the end, there is time within the margin.
        let must_leave = ending.must_leave() && now.since(began) >= FIN;
        if last.is_idle() || fin_alone || stalled || must_leave || now.since(began) >= limit {
            return Lingered { first, last, took: now.since(began) };
        }
        ending.clock.sleep(ending.sidecar.pause());
        let left = ending.sidecar.look_behind();
        if left != last {
            moved = ending.clock.now();
        }
        last = left;
    }
}
