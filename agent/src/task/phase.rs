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
}
