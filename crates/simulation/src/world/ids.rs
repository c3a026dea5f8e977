//! The ids of the processes and threads in the PID namespace of the pod.

use std::collections::BTreeMap;

use crate::plan::Dice;

/// The container runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Runc,
    Crun,
}

/// The ids that were given to processes and threads.
#[derive(Debug)]
pub(super) struct Ids {
    last: i32,
    /// The living ones, each with the process that owns it.
    alive: BTreeMap<i32, i32>,
}

// === impl Ids ===

impl Ids {
    /// The pod has its process `pause`.
    pub(super) fn new() -> Self {
        Self { last: 1, alive: BTreeMap::from([(1, 1)]) }
    }

    pub(super) const fn last(&self) -> i32 {
        self.last
    }

    /// How many ids above `after` are no longer alive.
    pub(super) fn unused(&self, after: i32) -> u32 {
        let given = self.last.saturating_sub(after.max(0));
        let alive = self.alive.range(after.saturating_add(1)..).count();
        u32::try_from(given).unwrap_or(0).saturating_sub(u32::try_from(alive).unwrap_or(u32::MAX))
    }

    /// The first process of a container. The stages and threads of the runtime have used up ids before it.
    pub(super) fn start_container(&mut self, runtime: Runtime, dice: &mut Dice) -> i32 {
        self.pass(match runtime {
            Runtime::Runc => 4 + dice.below(3),
            Runtime::Crun => 1,
        });
        let pid = self.last + 1;
        self.begin(pid, 1);
        pid
    }

    /// `number` processes or threads begin that live as long as the process `owner`. Returns the first of them.
    pub(super) fn begin(&mut self, owner: i32, number: u64) -> i32 {
        let first = self.last + 1;
        for _ in 0..number {
            self.last += 1;
            self.alive.insert(self.last, owner);
        }
        first
    }

    /// `number` processes or threads begin and end.
    pub(super) fn pass(&mut self, number: u64) {
        self.last = self.last.saturating_add(i32::try_from(number).unwrap_or(i32::MAX));
    }

    /// The process `owner` ends, and all of its threads.
    pub(super) fn end(&mut self, owner: i32) {
        self.alive.retain(|_, known| *known != owner);
    }
}
