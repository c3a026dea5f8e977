//! Whether kubelet restarts a container that has ended, and when.

use core::time::Duration;

use pod::pidfd::Exit;

use super::times;
use crate::options::RestartPolicy;

/// What follows the end of an instance of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: the container has ended for good.
    Nothing,
    /// Kubelet restarts it for certain.
    Restart,
    /// If kubelet restarts it, then within this time.
    RestartWithin(Duration),
}

/// What follows if `instances` of a container have ended, the last one by `exit`.
pub(super) fn after(exit: Exit, policy: RestartPolicy, instances: u32) -> Next {
    match (policy, exit) {
        (RestartPolicy::Never, _) | (RestartPolicy::OnFailure, Exit::Code(0)) => Next::Nothing,
        (RestartPolicy::OnFailure, Exit::Unknown) => Next::RestartWithin(back_off(instances) + times::LATENESS),
        (RestartPolicy::OnFailure, Exit::Code(_) | Exit::Signal(_)) => Next::Restart,
    }
}

/// How long kubelet waits before it restarts a container after the end of `instances` instances.
fn back_off(instances: u32) -> Duration {
    match instances {
        0 | 1 => Duration::ZERO,
        // 10 s times 2^5 is more than the limit.
        more => (times::BACK_OFF * (1 << (more - 2).min(5))).min(times::MAX_BACK_OFF),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_never_a_container_ends_for_good() {
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Unknown] {
            assert_eq!(after(exit, RestartPolicy::Never, 1), Next::Nothing, "{exit:?}");
        }
    }

    #[test]
    fn under_on_failure_a_failed_container_is_restarted() {
        let next = |exit| after(exit, RestartPolicy::OnFailure, 1);
        assert_eq!(next(Exit::Code(1)), Next::Restart);
        assert_eq!(next(Exit::Signal(9)), Next::Restart, "also if the kernel killed it for its memory");
        assert_eq!(next(Exit::Code(0)), Next::Nothing);
    }

    #[test]
    fn under_on_failure_an_unknown_end_can_be_followed_by_a_restart_within_the_back_off() {
        for instances in [1, 2, 5] {
            let within = back_off(instances) + times::LATENESS;
            assert_eq!(after(Exit::Unknown, RestartPolicy::OnFailure, instances), Next::RestartWithin(within));
        }
        let seconds = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(|instances| back_off(instances).as_secs());
        assert_eq!(seconds, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
