//! Whether kubelet restarts a container that has ended, and when.

use core::time::Duration;

use super::times;
use crate::options::restarts::Then;

/// What follows the end of an instance of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: the container has ended for good.
    Nothing,
    /// Kubelet restarts it for certain, alone or with all others.
    Restart,
    /// If kubelet restarts it, then within this time.
    RestartWithin(Duration),
}

/// What follows if `instances` of a container have ended, by what kubelet does then. `wait` is how much longer than its back-off kubelet
/// may take.
pub(super) fn after(then: Then, instances: u32, wait: Duration) -> Next {
    match then {
        Then::Nothing => Next::Nothing,
        Then::Restart | Then::RestartAll => Next::Restart,
        Then::Unknown => Next::RestartWithin(back_off(instances) + wait),
    }
}

/// How long kubelet waits before it restarts a container after the end of `instances` instances.
pub(super) fn back_off(instances: u32) -> Duration {
    match instances {
        0 | 1 => Duration::ZERO,
        // 10 s times 2^5 is more than the limit.
        more => (times::BACK_OFF * (1 << (more - 2).min(5))).min(times::MAX_BACK_OFF),
    }
}

/// How many instances of a container can have ended before the agent started, at most: the agent started when the pod was as old as `own_age`,
/// and the first instance that it knows of when the pod was as old as `first`. The back-offs between them need their time.
pub(super) fn most_before(own_age: Duration, first: Duration) -> u32 {
    let (mut ended, mut begins) = (0, Duration::ZERO);
    loop {
        let next = begins + back_off(ended + 1);
        if begins > own_age || next > first {
            return ended;
        }
        (ended, begins) = (ended + 1, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(7);

    #[test]
    fn what_is_certain_needs_no_time() {
        assert_eq!(after(Then::Nothing, 1, WAIT), Next::Nothing);
        for then in [Then::Restart, Then::RestartAll] {
            assert_eq!(after(then, 1, WAIT), Next::Restart, "{then:?}");
        }
    }

    #[test]
    fn the_age_of_the_pod_bounds_how_often_a_container_has_run_before() {
        let most = |own_age, first| most_before(Duration::from_secs(own_age), Duration::from_secs(first));
        assert_eq!([most(1, 1), most(1, 9), most(9, 9)], [1, 1, 1], "only the first restart comes at once");
        assert_eq!([most(1, 10), most(9, 600)], [2, 2], "what starts behind the agent is seen");
        assert_eq!([most(10, 29), most(10, 30), most(29, 600), most(30, 70)], [2, 3, 3, 4]);
        assert_eq!(most(86_400, 86_400), 292, "every five minutes");
    }

    #[test]
    fn what_is_not_known_shows_within_the_back_off() {
        for instances in [1, 2, 5] {
            assert_eq!(after(Then::Unknown, instances, WAIT), Next::RestartWithin(back_off(instances) + WAIT));
        }
        let seconds = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(|instances| back_off(instances).as_secs());
        assert_eq!(seconds, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
