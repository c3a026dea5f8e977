//! The phases of a main container, from one that was never seen to one that has ended for good.

use drain::time::Instant;
use pod::pidfd::Exit;

use super::restart::Next;
use crate::os::World;
use crate::os::world::Process;

/// The phase of a main container. `P` is a handle of a process.
#[derive(Debug)]
pub(super) enum Phase<P> {
    /// It was never seen.
    Awaited,
    /// Its first process runs. `instance` is kubelet's id of the instance, `tells` whether the kernel will tell the exit status.
    Running { process: P, instance: Option<String>, tells: bool },
    /// An instance has ended, and kubelet can start another. If none has started by `until`, this was the last one; without `until`,
    /// another one will start.
    Between { exit: Exit, until: Option<Instant> },
    /// It has ended for good.
    Ended(Exit),
}

// === impl Phase ===

impl<P: Process> Phase<P> {
    /// The phase of the container `name` if an instance of it runs that is not the one that has `ended`.
    pub(super) fn running<W: World<Process = P>>(world: &W, name: &str, ended: Option<&str>) -> Option<Self> {
        let instance = world.instance_of(name, ended)?;
        Self::of_process(world, instance.root.pid, Some(instance.id))
    }

    /// The phase while the process `pid` of the `instance` runs.
    pub(super) fn of_process<W: World<Process = P>>(world: &W, pid: i32, instance: Option<String>) -> Option<Self> {
        let mut process = world.open(pid)?;
        let tells = process.tells();
        Some(Self::Running { instance, tells, process })
    }

    /// Whether it was never seen.
    pub(super) const fn is_awaited(&self) -> bool {
        matches!(self, Self::Awaited)
    }

    /// The phase after an end by `exit`, if `next` follows it.
    pub(super) fn after(exit: Exit, next: Next, now: Instant) -> Self {
        match next {
            Next::Nothing => Self::Ended(exit),
            Next::Restart => Self::Between { exit, until: None },
            Next::RestartWithin(time) => Self::Between { exit, until: Some(now + time) },
        }
    }

    /// The phase if the time for another instance is over.
    pub(super) fn was_the_last(&self, now: Instant) -> Option<Self> {
        match self {
            Self::Between { exit, until: Some(until) } if now >= *until => Some(Self::Ended(*exit)),
            Self::Between { .. } | Self::Awaited | Self::Running { .. } | Self::Ended(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::testing::Handle;

    type Phase = super::Phase<Handle>;

    const NOW: Instant = Instant::at(Duration::from_secs(9));

    #[test]
    fn a_container_that_kubelet_restarts_for_certain_has_not_ended_however_late_that_is() {
        let failed = Phase::after(Exit::Code(1), Next::Restart, NOW);
        assert!(failed.was_the_last(NOW + Duration::from_hours(1)).is_none());
        assert!(Phase::Awaited.was_the_last(NOW).is_none(), "a task that was never seen has not ended");
    }

    #[test]
    fn an_unknown_end_is_the_last_after_the_back_off_and_not_before() {
        let unknown = Phase::after(Exit::Unknown, Next::RestartWithin(Duration::from_secs(10)), NOW);
        let Phase::Between { until: Some(until), .. } = unknown else { panic!("{unknown:?}") };
        assert!(until > NOW);
        assert!(unknown.was_the_last(NOW).is_none());
        assert!(matches!(unknown.was_the_last(until), Some(Phase::Ended(Exit::Unknown))));
    }
}
