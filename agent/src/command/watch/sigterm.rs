//! SIGTERM while the agent watches processes: it is kubelet's, or somebody else's, which the pod outlives.

use drain::time::Instant;
use log::info;

use super::NEXT_REPORT;
use crate::options::Options;
use crate::os::World;
use crate::os::world::Source as Answer;
use crate::proxy::{Sidecar, State};
use crate::shutdown::ProxyOutcome;

/// What has happened after SIGTERM to a drained proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterSigterm {
    /// The pod has outlived the signal, so it was not kubelet's.
    Outlived,
    /// The proxy has ended: the pod is being deleted.
    ProxyEnded,
    /// The agent can leave at once.
    Leave,
}

/// Whether nothing of the proxy is left to do for the next run of the agent. After SIGTERM a proxy that was not there may still start: the signal
/// can be somebody else's.
pub(super) const fn is_final(proxy: ProxyOutcome, has_sigterm: bool) -> bool {
    match proxy {
        ProxyOutcome::Stays => false,
        ProxyOutcome::None => !has_sigterm,
        ProxyOutcome::Gone | ProxyOutcome::Left | ProxyOutcome::Draining | ProxyOutcome::Untouched => true,
    }
}

/// Waits until the pod has outlived SIGTERM, or is being deleted: then kubelet ends the proxy. A native sidecar can leave at once, because kubelet
/// starts it again if the pod goes on.
pub(super) fn after_sigterm<W: World>(world: &W, options: &Options) -> AfterSigterm {
    // With the process of the proxy given, this is no pod: whoever sends SIGTERM wants the agent to leave.
    if options.is_native() || options.proxy_pid.is_some() {
        return AfterSigterm::Leave;
    }
    let had_proxy = Sidecar::new(world, options, None).is_here();
    loop {
        let left = world.terminated_at(Answer::Kernel).map(|at| (at + options.grace_period).since(world.now()));
        let Some(left) = left.filter(|left| !left.is_zero()) else {
            info!("the pod has outlived SIGTERM, so it was not kubelet's");
            return AfterSigterm::Outlived;
        };
        if had_proxy && !Sidecar::new(world, options, None).is_here() {
            return AfterSigterm::ProxyEnded;
        }
        world.sleep(left.min(NEXT_REPORT));
    }
}

/// Whether the end of the proxy shows that `sigterm` is kubelet's. A regular container gets it together with a classic proxy; one that had ended
/// before, or that has not started yet, can come again. A `native` sidecar gets it when all regular containers have ended.
pub(super) fn is_deletion<W: World>(sidecar: &mut Sidecar<'_, W>, sigterm: Instant, native: bool) -> bool {
    let is_gone = !sidecar.is_here() && matches!(sidecar.state(), State::Gone);
    is_gone && sidecar.ended_at().is_none_or(|at| if native { at <= sigterm } else { at >= sigterm })
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::testing::{Script, options};

    #[test]
    fn a_proxy_that_stays_or_may_still_start_is_a_matter_of_the_next_run() {
        assert!(is_final(ProxyOutcome::Gone, true) && is_final(ProxyOutcome::None, false));
        assert!(!is_final(ProxyOutcome::Stays, false) && !is_final(ProxyOutcome::None, true));
    }

    #[test]
    fn only_a_proxy_that_ends_with_sigterm_shows_a_deletion() {
        for (runs, expected) in [(0..2_000, true), (0..u64::MAX, false), (0..500, false), (60_000..u64::MAX, false)] {
            let world = Script {
                listeners: vec![(pod::ports::OUTBOUND, runs.clone())],
                processes: vec![(20, "envoy", runs.clone())],
                ..Script::default()
            };
            let mut sidecar = Sidecar::new(&world, &options("watch"), None);
            for at in [0, 600] {
                world.pass_until(at);
                sidecar.find();
                sidecar.hold_process();
            }
            world.pass_until(3_000);
            let sigterm = Instant::at(Duration::from_secs(1));
            assert_eq!(is_deletion(&mut sidecar, sigterm, false), expected, "{runs:?}");
            let ends_before = runs.end == 500;
            assert_eq!(is_deletion(&mut sidecar, sigterm, true), ends_before, "{runs:?}, a native sidecar");
        }
    }

    #[test]
    fn a_regular_agent_leaves_after_sigterm_only_if_kubelet_ends_the_proxy() {
        let pod = |proxy| Script {
            sigterm: Some(0),
            listeners: vec![(pod::ports::OUTBOUND, 0..proxy)],
            processes: vec![(20, "envoy", 0..proxy)],
            ..Script::default()
        };
        let options = options("watch --placement regular --grace-period 5s");
        for (proxy, expected, after) in [
            (2_500, AfterSigterm::ProxyEnded, 3_000),
            (u64::MAX, AfterSigterm::Outlived, 5_000),
            (0, AfterSigterm::Outlived, 5_000),
        ] {
            let world = pod(proxy);
            assert_eq!((after_sigterm(&world, &options), world.elapsed()), (expected, after), "{proxy}");
        }
    }
}
