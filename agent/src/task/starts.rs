//! The starts of containers in the pod, as far as the agent has seen them.
//!
//! A container of milliseconds can start and end while the agent is not scheduled. What it leaves behind does not depend on that: kubelet
//! has created it ([`World::creations`]), and its start has used up process ids ([`World::last_id`]).

use core::time::Duration;

use drain::time::Instant;
use pod::container::Container;

use super::times;
use crate::options::PROXY;
use crate::os::World;
use crate::os::world::Creations;

/// A container start uses at least this many process ids: 5 to 7 with runc, 2 with crun.
pub(super) const IDS_OF_A_START: i32 = 2;

/// Looks for new containers. A look without news costs two system calls.
#[derive(Debug)]
pub(super) struct Starts<'a, W: World> {
    world: &'a W,
    /// Where the agent itself runs. `None` outside Kubernetes.
    own: Option<Container>,
    own_pid: i32,
    creations: Option<Creations>,
    /// The newest creations.
    batch: Batch,
    /// The last id at the last look.
    last_id: Option<i32>,
    /// The last id at the last look, if it found no container but the agent.
    alone_at: Option<i32>,
    /// The ids after which a container was started and has ended, both unseen.
    jumps: Vec<i32>,
    /// Whether the container of a process could not be told yet: the runtime mounts its files only then.
    is_unclear: bool,
    seen: Vec<Seen>,
}

/// An instance of a container that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) container: Container,
    /// Its first process.
    pub(super) pid: i32,
    /// How many containers had been created when it was seen first, itself included.
    pub(super) created: u32,
    /// Whether it ran at the last look.
    pub(super) runs: bool,
}

/// Creations that one look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// How many.
    pub(super) count: u32,
    /// When.
    pub(super) at: Instant,
    /// The last id before them.
    pub(super) last_id: Option<i32>,
}

// === impl Starts ===

impl<'a, W: World> Starts<'a, W> {
    /// Looks from now on.
    pub(super) fn new(world: &'a W) -> Self {
        let own_pid = world.own_pid();
        let batch = Batch { count: 0, at: world.now(), last_id: Some(own_pid) };
        let mut starts = Self {
            world,
            own: world.container(own_pid),
            own_pid,
            creations: None,
            batch,
            last_id: None,
            alone_at: None,
            jumps: Vec::new(),
            is_unclear: false,
            seen: Vec::new(),
        };
        let _ = starts.look();
        starts
    }

    /// Looks. Returns whether a container may have started since the last look.
    pub(super) fn look(&mut self) -> bool {
        let now = self.world.now();
        let creations = self.world.creations();
        let known = self.creations.map_or(0, |known| known.count);
        let count = creations.map_or(0, |creations| creations.count).saturating_sub(known);
        if count > 0 {
            self.batch = Batch { count, at: now, last_id: self.last_id.or(Some(self.own_pid)) };
        }
        self.creations = creations;
        let last_id = self.world.last_id();
        let may_change = self.is_near(now) && (self.is_unclear || self.has_one_ended());
        let has_news = count > 0 || last_id.is_none() || last_id != self.last_id || may_change;
        self.last_id = last_id;
        if has_news {
            self.look_at_processes();
        }
        has_news
    }

    /// How long to sleep before the next look. A creation ends the sleep.
    pub(super) fn pause(&self) -> Duration {
        match self.creations {
            Some(_) if !self.is_near(self.world.now()) => times::SLOW_LOOK,
            Some(_) | None => times::LOOK,
        }
    }

    /// The creations so far. `None` if nothing tells them.
    pub(super) const fn creations(&self) -> Option<Creations> {
        self.creations
    }

    /// The newest creations.
    pub(super) const fn batch(&self) -> Batch {
        self.batch
    }

    /// The containers that were seen, in the order of their being seen.
    pub(super) fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// The agent's own process.
    pub(super) const fn own_pid(&self) -> i32 {
        self.own_pid
    }

    /// The name of the agent's own container.
    pub(super) fn own_name(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.name.as_str())
    }

    /// Where process ids were used that no container has that was seen: each is the last id before them. While another container runs, its
    /// threads use ids too, and nothing can be told.
    pub(super) fn jumps(&self) -> &[i32] {
        &self.jumps
    }

    /// Whether a container was created so recently that the runtime may still be starting it.
    fn is_near(&self, now: Instant) -> bool {
        now.since(self.batch.at) < times::STARTING
    }

    /// Whether one of the containers that run has ended. The proxy runs on, so beside it nothing depends on that.
    fn has_one_ended(&self) -> bool {
        let mut running = self.seen.iter().filter(|seen| seen.runs);
        let has_proxy = running.clone().any(|seen| seen.container.name == PROXY);
        !has_proxy && running.any(|seen| self.world.container(seen.pid).is_none())
    }

    fn look_at_processes(&mut self) {
        for seen in &mut self.seen {
            seen.runs = false;
        }
        self.is_unclear = false;
        let created = self.creations.map_or(0, |creations| creations.count);
        // The first process of another container, by the lowest id.
        let mut first: Option<i32> = None;
        for process in self.world.processes() {
            // The parent of a container's first process is the runtime, which is outside. Process 1 is the pod's pause.
            if process.parent != 0 || process.pid == 1 || process.pid == self.own_pid || matches!(process.state, b'Z' | b'X') {
                continue;
            }
            let container = self.world.container(process.pid);
            if container.is_some() && container == self.own {
                continue;
            }
            first = Some(first.map_or(process.pid, |first| first.min(process.pid)));
            let Some(container) = container else {
                self.is_unclear = true;
                continue;
            };
            match self.seen.iter_mut().find(|seen| seen.container == container) {
                // What `kubectl exec` starts has the same parent. The first process has the lowest id.
                Some(seen) => (seen.runs, seen.pid) = (true, seen.pid.min(process.pid)),
                None => self.seen.push(Seen { container, pid: process.pid, created, runs: true }),
            }
        }
        let until = first.or(self.last_id.map(|last| last.saturating_add(1)));
        if let (Some(alone_at), Some(until)) = (self.alone_at, until)
            && until.saturating_sub(alone_at) > IDS_OF_A_START
        {
            self.jumps.push(alone_at);
        }
        self.alone_at = self.last_id.filter(|_| first.is_none());
    }
}
