//! The starts of containers in the pod, as far as the agent has seen them.
//!
//! A container of milliseconds can start and end while the agent is not scheduled. What it leaves behind does not depend on that: kubelet
//! has created it ([`World::creations`]), and its start has used up process ids ([`World::last_id`]).

use core::time::Duration;

use drain::time::Instant;
use pod::container::Container;

use super::times;
use crate::options::PROXY;
use crate::options::main_containers::can_be_main;
use crate::os::World;
use crate::os::world::Creations;

/// A container start uses at least this many process ids: 5 to 7 with runc, 2 with crun.
pub(super) const IDS_OF_A_START: i32 = 2;

/// The pod's first process.
const PAUSE: i32 = 1;
/// A tick of `/proc` is a hundredth of a second on every machine.
const MILLISECONDS_OF_A_TICK: u64 = 10;

/// Looks for new containers. A look without news costs two system calls.
#[derive(Debug)]
pub(super) struct Starts<'a, W: World> {
    world: &'a W,
    /// Where the agent itself runs. `None` outside Kubernetes.
    own: Option<Container>,
    own_pid: i32,
    /// When it began to look.
    begin: Instant,
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
    /// The first processes of those that can be main containers. A handle tells the end of a process that has ended before it is watched.
    handles: Vec<(Container, W::Process)>,
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
            begin: world.now(),
            creations: None,
            batch,
            last_id: None,
            alone_at: None,
            jumps: Vec::new(),
            is_unclear: false,
            seen: Vec::new(),
            handles: Vec::new(),
        };
        let _ = starts.look();
        starts
    }

    pub(super) const fn world(&self) -> &'a W {
        self.world
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

    /// Notes an instance that is watched from now on. If it was seen between two looks, it may have ended before the next one.
    pub(super) fn note(&mut self, name: &str, instance: &str, pid: i32) {
        let container = Container { name: name.to_owned(), instance: instance.to_owned() };
        // Who watches it has a handle.
        self.handles.retain(|(known, _)| *known != container);
        if self.seen.iter().all(|seen| seen.container != container) {
            let created = self.world.creations().map_or(0, |creations| creations.count);
            self.seen.push(Seen { container, pid, created, runs: true });
        }
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

    /// Takes the handle of the newest instance of the container `name` that was seen, if that is not the one that has `ended`. Older ones are
    /// not needed any more.
    pub(super) fn take(&mut self, name: &str, ended: Option<&str>) -> Option<(Container, W::Process)> {
        let newest = self.handles.extract_if(.., |(container, _)| container.name == name).last()?;
        Some(newest).filter(|(container, _)| Some(container.instance.as_str()) != ended)
    }

    /// The names of the containers of which it has a handle that nobody has taken.
    pub(super) fn held(&self) -> impl Iterator<Item = &str> {
        self.handles.iter().map(|(container, _)| container.name.as_str())
    }

    /// The agent's own process.
    pub(super) const fn own_pid(&self) -> i32 {
        self.own_pid
    }

    /// How old the pod was when the agent started. `None` if its first process cannot be seen.
    pub(super) fn own_age(&self) -> Option<Duration> {
        self.age(self.own_pid)
    }

    /// How old the pod is.
    pub(super) fn pod_age(&self) -> Option<Duration> {
        Some(self.own_age()? + self.world.now().since(self.begin))
    }

    /// How old the pod was when the process `pid` started.
    pub(super) fn age(&self, pid: i32) -> Option<Duration> {
        let processes = self.world.processes();
        let start = |pid| processes.iter().find(|process| process.pid == pid).map(|process| process.start);
        let ticks = start(pid)?.saturating_sub(start(PAUSE)?);
        Some(Duration::from_millis(ticks.saturating_mul(MILLISECONDS_OF_A_TICK)))
    }

    /// The name of the agent's own container.
    pub(super) fn own_name(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.name.as_str())
    }

    /// How many containers were created behind the agent's own and seen by nobody, and for how long that is so. Only for an agent that is a
    /// regular container, behind which no init container is created.
    pub(super) fn unseen(&self) -> (u32, Duration) {
        let seen = self.seen.iter().filter(|seen| seen.pid > self.own_pid).count();
        let created = self.creations.map_or(0, |creations| creations.count);
        let unseen = created.saturating_sub(u32::try_from(seen).unwrap_or(u32::MAX));
        (unseen, self.world.now().since(self.batch.at))
    }

    /// Whether each container that was seen runs in its newest instance, but those that do not matter.
    pub(super) fn all_run_but(&self, does_not_matter: impl Fn(&str) -> bool) -> bool {
        let newest = |name: &str| self.seen.iter().rfind(|seen| seen.container.name == name);
        self.seen.iter().map(|seen| seen.container.name.as_str()).all(|name| {
            does_not_matter(name) || !can_be_main(name) && name != PROXY || newest(name).is_some_and(|seen| seen.runs)
        })
    }

    /// How many containers were created since the creation number `created` that nobody has seen.
    pub(super) fn unseen_since(&self, created: u32) -> u32 {
        let seen = self.seen.iter().filter(|seen| seen.created > created && seen.pid > self.own_pid).count();
        let since = self.creations.map_or(0, |creations| creations.count).saturating_sub(created);
        since.saturating_sub(u32::try_from(seen).unwrap_or(u32::MAX))
    }

    /// Whether one of them is certain: the runtime has started it.
    pub(super) fn has_one_unseen_since(&self, created: u32) -> bool {
        let is_old = self.world.now().since(self.batch.at) >= times::NOT_REFUSED;
        self.unseen_since(created) > 0 && is_old && self.are_started()
    }

    /// How long until it is certain that the runtime has not refused the newest creation. `None` if it is.
    pub(super) fn next_certainty(&self) -> Option<Duration> {
        let left = times::NOT_REFUSED.saturating_sub(self.world.now().since(self.batch.at));
        (self.batch.count > 0 && !left.is_zero()).then_some(left)
    }

    /// Whether the runtime has used ids for the newest creations: 2 for each, at least. One of them is that of the first process, which may run.
    pub(super) fn are_started(&self) -> bool {
        let Some(last_id) = self.batch.last_id else { return false };
        let unused = self.world.unused_ids(last_id).unwrap_or(0);
        let running = self.seen.iter().filter(|seen| seen.runs && seen.pid > last_id).count();
        let used = unused.saturating_add(u32::try_from(running).unwrap_or(0));
        used >= self.batch.count.saturating_mul(IDS_OF_A_START.unsigned_abs())
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
            if process.parent != 0 || process.pid == PAUSE || process.pid == self.own_pid || matches!(process.state, b'Z' | b'X')
            {
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
            if let Some(seen) = self.seen.iter_mut().find(|seen| seen.container == container) {
                // What `kubectl exec` starts has the same parent. The first process has the lowest id.
                (seen.runs, seen.pid) = (true, seen.pid.min(process.pid));
                continue;
            }
            if can_be_main(&container.name) {
                self.handles.extend(self.world.open(process.pid).map(|handle| (container.clone(), handle)));
            }
            self.seen.push(Seen { container, pid: process.pid, created, runs: true });
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

#[cfg(test)]
mod tests {
    use pod::pidfd::Exit;

    use super::*;
    use crate::testing::Script;

    /// A pod with a native agent, process 7, and `istio-init`, process 13, which runs from 100 to 900 ms and uses the ids up to 42. The proxy
    /// begins at 5 s as process `proxy`.
    fn pod(proxy: i32) -> Script {
        Script {
            own: Some(7),
            processes: vec![
                (7, "exeunt-agent", 0..u64::MAX),
                (13, "pilot-agent", 100..900),
                (proxy, "pilot-agent", 5_000..u64::MAX),
            ],
            roots: vec![
                (7, "exeunt", "01", Exit::Unknown),
                (13, "istio-init", "02", Exit::Code(0)),
                (proxy, "istio-proxy", "03", Exit::Unknown),
            ],
            creations: Some(vec![50, 4_000]),
            last_ids: vec![(0, 12), (100, 17), (300, 42), (5_000, proxy + 8)],
            ..Script::default()
        }
    }

    /// Looks at these times.
    fn look<'w>(world: &'w Script, times: &[u64]) -> Starts<'w, Script> {
        let mut starts = Starts::new(world);
        for at in times {
            world.pass_until(*at);
            let _ = starts.look();
        }
        starts
    }

    #[test]
    fn ids_that_were_used_between_two_looks_while_the_agent_was_alone_are_those_of_a_start() {
        let (world, missed) = (pod(43), pod(49));
        assert_eq!(look(&world, &[200, 950, 5_050]).jumps().len(), 0, "the proxy has the next id");
        assert_eq!(look(&missed, &[200, 950, 5_050]).jumps(), [42], "six ids before the proxy's");
        let unseen_init = pod(43);
        assert_eq!(look(&unseen_init, &[20, 950, 5_050]).jumps(), [12], "that start was istio-init's");
    }

    #[test]
    fn nothing_is_told_by_ids_that_were_used_while_another_container_ran() {
        let world = pod(49);
        assert_eq!(look(&world, &[200, 5_050]).jumps().len(), 0, "the last look found istio-init");
    }

    #[test]
    fn each_container_is_seen_once_with_the_creations_so_far() {
        let world = pod(43);
        let starts = look(&world, &[200, 250, 950, 5_050, 5_100]);
        let seen = |seen: &Seen| (seen.container.name.clone(), seen.pid, seen.created, seen.runs);
        let expected = [("istio-init".to_owned(), 13, 1, false), ("istio-proxy".to_owned(), 43, 2, true)];
        assert_eq!(starts.seen().iter().map(seen).collect::<Vec<_>>(), expected);
        assert_eq!(starts.creations(), Some(Creations { count: 2, is_exact: true }));
    }

    #[test]
    fn a_container_that_was_seen_briefly_can_still_be_watched() {
        let mut world = pod(60);
        world.processes.push((50, "true", 4_000..4_010));
        world.roots.push((50, "main", "04", Exit::Code(3)));
        world.last_ids.push((4_000, 55));
        let mut starts = look(&world, &[950, 4_005, 5_050]);
        assert!(starts.take("main", Some("04")).is_none(), "the instance that has ended");
        world.now.set(0);
        let (container, process) = look(&world, &[950, 4_005, 5_050]).take("main", None).unwrap();
        assert_eq!(
            (container.instance.as_str(), crate::os::world::Process::exit(&process, Duration::ZERO)),
            ("04", Exit::Code(3))
        );
    }

    #[test]
    fn a_look_without_news_finds_none_and_a_quiet_pod_is_looked_at_rarely() {
        let world = pod(43);
        let mut starts = look(&world, &[200, 950, 5_050]);
        assert!(!starts.look(), "nothing has changed");
        assert_eq!(starts.pause(), times::LOOK, "a container may be starting");
        world.pass_until(60_000);
        assert_eq!(starts.pause(), times::SLOW_LOOK);
        let uncounted = Script { creations: None, ..pod(43) };
        let starts = look(&uncounted, &[60_000]);
        assert_eq!(starts.pause(), times::LOOK, "nothing tells a creation");
    }
}
