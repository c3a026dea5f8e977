//! The main containers, by their processes: which they are, when each starts, and when all have ended for good.

use drain::time::Instant;
use log::{Level, info, log};
use pod::pidfd::Exit;

use super::main_container::{MainContainer, clause};
use super::missed_task::MissedTask;
use super::phase::Phase;
use super::starts::Starts;
use super::state_dir::StateDir;
use super::times;
use super::wrong_names::WrongNames;
use crate::options::{Form, Options};
use crate::os::World;
use crate::os::log::DEFERRED;
use crate::os::world::Process;
use crate::proxy::Sidecar;

/// The main containers of the pod.
#[derive(Debug)]
pub struct Containers<'a, W: World> {
    pub(super) world: &'a W,
    pub(super) options: &'a Options,
    state_dir: &'a StateDir,
    /// The name of the agent's own container.
    own: Option<String>,
    pub(super) list: Vec<MainContainer<W::Process>>,
    pub(super) listing: Listing,
    /// Whether the agent is a native sidecar that found a classic proxy when it started: it was started again.
    was_restarted: bool,
    /// Whether Envoy has told the order of the regular containers.
    knows_order: bool,
    /// When a main container that was not named as such was first seen while one that was named was missing.
    stranger: Option<Instant>,
    /// Whether the user knows of it.
    has_warned: bool,
    pub(super) wrong: WrongNames,
    pub(super) starts: Starts<'a, W>,
    /// How many have been started and have ended, both unseen.
    pub(super) unseen: u32,
    pub(super) missed: MissedTask<'a, W>,
    /// Why containers that were never seen count as ended.
    pub(super) evidence: Option<String>,
    /// What is so only because SIGTERM came.
    pub(super) sigterm: Option<Sigterm>,
}

/// Whether the list of the main containers is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// It has what the agent has seen, and Envoy may still name the regular containers.
    Unknown,
    /// The user or Envoy has named them, or all count as ended.
    Known,
    /// It has what the agent has seen. An Envoy that may start had the time to name them, and has not.
    Seen,
}

/// What was so before SIGTERM.
#[derive(Debug)]
pub(super) struct Sigterm {
    listing: Listing,
    evidence: Option<String>,
}

// === impl Listing ===

impl Listing {
    /// Whether nothing is missing in the list.
    pub(super) fn are_complete(self) -> bool {
        self != Self::Unknown
    }

    /// From now on nothing is missing in the list.
    pub(super) fn complete(&mut self) {
        if *self == Self::Unknown {
            *self = Self::Known;
        }
    }
}

// === impl Containers ===

impl<'a, W: World> Containers<'a, W> {
    /// The main containers that `options` name, with what an earlier run of the agent has recorded.
    #[must_use]
    pub fn new(world: &'a W, options: &'a Options, state_dir: &'a StateDir) -> Self {
        let own = world.container(world.own_pid()).map(|container| container.name);
        let mut containers = Self {
            world,
            options,
            state_dir,
            own,
            list: Vec::new(),
            listing: Listing::Unknown,
            was_restarted: options.is_native()
                && options.form.form == Form::Classic
                && Sidecar::new(world, options, None).is_here(),
            knows_order: false,
            stranger: None,
            has_warned: false,
            wrong: WrongNames::default(),
            starts: Starts::new(world),
            unseen: 0,
            missed: MissedTask::new(world, options),
            evidence: None,
            sigterm: None,
        };
        if let Some(pid) = options.pid {
            containers.add(&options.container().map_or_else(|| format!("process {pid}"), ToOwned::to_owned));
            containers.enter(0, Phase::of_process(world, pid, None).unwrap_or(Phase::Ended(Exit::Unknown)));
            containers.listing = Listing::Known;
        } else if options.containers.is_empty() {
            for name in state_dir.containers() {
                containers.add(&name);
            }
            containers.learn(&options.regular);
        } else {
            for name in &options.containers {
                containers.add(name);
            }
            containers.listing = Listing::Known;
        }
        containers
    }

    /// Takes the names of the `regular` containers of the pod, as Envoy tells them. What the user has named counts before that.
    pub fn learn(&mut self, regular: &[String]) {
        self.learn_names(regular);
        self.learn_order(regular);
    }

    fn learn_names(&mut self, regular: &[String]) {
        if self.listing.are_complete() || regular.is_empty() {
            return;
        }
        let names = self.options.main_containers(regular, self.own.as_deref());
        info!("the main containers are {}, as Envoy tells", names.join(", "));
        // The others are init containers and native sidecars.
        self.list.retain(|container| names.contains(&container.name));
        for name in &names {
            self.add(name);
        }
        self.listing = Listing::Known;
    }

    /// What is listed before the agent may have run before the agent started.
    pub(super) fn learn_order(&mut self, regular: &[String]) {
        self.knows_order |= !regular.is_empty();
        let Some(own) = self.own.as_ref().and_then(|own| regular.iter().position(|name| name == own)) else { return };
        let earlier = regular.get(..own).unwrap_or_default();
        if let Some(age) = self.starts.own_age() {
            let earlier = self.list.iter_mut().filter(|container| earlier.contains(&container.name));
            earlier.for_each(|container| container.may_have_run_before(age));
        }
    }

    /// Whether it is known which of them are listed before the agent, if that matters: a native sidecar comes before all of them.
    #[must_use]
    pub fn know_their_order(&self) -> bool {
        self.knows_order || self.options.is_native() || self.options.pid.is_some()
    }

    /// Takes the containers that were seen for all there are, because nobody names them.
    pub fn take_those_seen(&mut self) {
        info!("Envoy does not name the containers of the pod: those that were seen are the main ones");
        self.listing = Listing::Seen;
    }

    /// Whether the main containers are known.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.listing.are_complete()
    }

    /// Whether nobody has named them although an Envoy that may start had the time for it.
    #[must_use]
    pub fn were_never_named(&self) -> bool {
        self.listing == Listing::Seen
    }

    /// Whether at least one was seen, and all that were seen have ended for good.
    #[must_use]
    pub fn have_all_seen_ended(&self) -> bool {
        !self.list.is_empty() && self.list.iter().all(MainContainer::has_ended)
    }

    /// Whether one has ended and may be restarted.
    #[must_use]
    pub fn await_a_restart(&self) -> bool {
        self.list.iter().any(|container| matches!(container.phase, Phase::Between { .. }))
    }

    /// Counts those that have ended as ended for good: SIGTERM has come, and kubelet restarts nothing any more.
    pub fn await_no_restart(&mut self) {
        self.end_by_sigterm(MainContainer::is_between, None);
    }

    /// Takes the containers that were seen for all there are: SIGTERM has come, and kubelet starts nothing any more.
    pub fn await_no_other(&mut self) {
        self.end_by_sigterm(|_| false, None);
    }

    /// Counts those that `may_start` as ended, because SIGTERM came. Nothing is recorded of that: the signal can be somebody else's.
    pub(super) fn end_by_sigterm(&mut self, may_start: impl Fn(&MainContainer<W::Process>) -> bool, evidence: Option<&str>) {
        let earlier = Sigterm { listing: self.listing, evidence: self.evidence.clone() };
        self.sigterm.get_or_insert(earlier);
        self.listing.complete();
        self.evidence = evidence.map(ToOwned::to_owned).or(self.evidence.take());
        for container in self.list.iter_mut().filter(|container| may_start(container)) {
            container.end_by_sigterm();
            info!(target: DEFERRED, "{} starts no more", container.name);
        }
    }

    /// The pod has outlived SIGTERM: what counted as ended because of that may start.
    pub fn outlive_sigterm(&mut self) {
        let Some(earlier) = self.sigterm.take() else { return };
        (self.listing, self.evidence) = (earlier.listing, earlier.evidence);
        self.list.iter_mut().for_each(MainContainer::outlive_sigterm);
    }

    /// How it is known that all have ended, as a clause of the verdict.
    #[must_use]
    pub fn evidence(&self) -> &str {
        self.evidence.as_deref().unwrap_or("its process has ended")
    }

    /// The uid that the first one that runs has now: until the runtime starts its program, its process is root's.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        let running = self.list.iter().find_map(|container| match &container.phase {
            Phase::Running { process, .. } => Some(process.pid()),
            Phase::Awaited | Phase::Between { .. } | Phase::Ended(_) => None,
        });
        running.and_then(|pid| self.world.identity(pid).uid)
    }

    /// Asks again for the exit status of those that were not reaped in time.
    pub fn update_exit_status(&mut self) {
        self.list.iter_mut().for_each(MainContainer::update_exit);
    }

    /// The container that the verdict names, and how it has ended: the first that failed, else the first.
    #[must_use]
    pub fn primary(&self) -> (Option<&str>, Exit) {
        let exit = |container: &MainContainer<W::Process>| container.exit().unwrap_or(Exit::Unknown);
        let failed = self.list.iter().find(|container| !matches!(exit(container), Exit::Code(0)));
        let Some(container) = failed.or(self.list.first()) else { return (None, Exit::Unknown) };
        let name = if self.options.pid.is_some() { self.options.container() } else { Some(container.name.as_str()) };
        (name, exit(container))
    }

    /// Looks at each of them once.
    pub(super) fn look(&mut self) {
        if !self.listing.are_complete() {
            // Also those that have ended between two looks.
            let held = self.starts.held().filter(|name| self.options.can_be_main(name)).map(ToOwned::to_owned);
            let seen: Vec<_> = held.chain(self.strangers()).collect();
            for name in seen {
                self.add(&name);
            }
        }
        if self.list.iter().any(|container| container.starts_after_sigterm(self.world)) {
            info!("a container has started after SIGTERM, so that was not kubelet's");
            self.outlive_sigterm();
        }
        for place in 0..self.list.len() {
            let Some(container) = self.list.get_mut(place) else { return };
            let next = container.look(&self.starts, self.options).or_else(|| container.look_back(&mut self.starts));
            if let Some(next) = next {
                self.enter(place, next);
            }
        }
        self.check_names();
    }

    /// Puts the container at `place` into the phase `next`, and records it.
    pub(super) fn enter(&mut self, place: usize, next: Phase<W::Process>) {
        let Some(container) = self.list.get_mut(place) else { return };
        if let Phase::Running { process, .. } = &next {
            let pid = process.pid();
            self.starts.age(pid).into_iter().for_each(|age| container.starts_at(age));
            if let Some(age) = self.starts.own_age().filter(|_| self.was_restarted || pid < self.starts.own_pid()) {
                container.may_have_run_before(age);
            }
        }
        let is_restart = container.enter(next);
        container.created = self.starts.creations().map_or(0, |creations| creations.count);
        let name = &container.name;
        match &container.phase {
            Phase::Running { process, instance, .. } => {
                if let Some(instance) = instance {
                    self.starts.note(name, instance, process.pid());
                }
                info!("watching {name}, process {}", process.pid());
                if is_restart {
                    info!("kubelet restarts {name} after an end of this kind, so it will again");
                }
            }
            // The signal to the filter comes first.
            Phase::Ended(exit) => info!(target: DEFERRED, "{name} has ended ({})", clause(*exit)),
            Phase::Between { exit, until } => match until {
                None => info!("{name} has ended ({}), but not for good: kubelet restarts it", clause(*exit)),
                Some(until) => info!(
                    "{name} has ended ({}), perhaps not for good: kubelet may restart it within {} s",
                    clause(*exit),
                    until.since(self.world.now()).as_secs()
                ),
            },
            Phase::Awaited => {}
        }
        if let Some(record) = container.record() {
            self.state_dir.record(name, &record);
        }
    }

    /// Adds the container `name` to the list, with what an earlier run has recorded of it.
    pub(super) fn add(&mut self, name: &str) {
        if self.list.iter().any(|container| container.name == name) {
            return;
        }
        let mut container = MainContainer::awaited(name.to_owned());
        let history = self.state_dir.recall(name).filter(|_| self.options.pid.is_none());
        let phase = history.map(|history| container.recall(&history, self.world, &self.options.restarts));
        self.list.push(container);
        if let Some(phase) = phase {
            if matches!(phase, Phase::Ended(_)) {
                self.evidence = Some("an earlier run of the agent saw its process end".to_owned());
            }
            self.enter(self.list.len() - 1, phase);
            // What was created since the agent's start may be its next instance.
            self.list.iter_mut().rev().take(1).for_each(|container| container.created = 0);
        }
    }

    /// Whether a container with this name was seen, whatever it is.
    #[must_use]
    pub fn has_seen(&self, name: &str) -> bool {
        self.starts.seen().iter().any(|seen| seen.container.name == name)
    }

    /// The name of the agent's own container.
    pub(super) fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }

    /// Containers that run and can be main ones, and that are not in the list.
    fn strangers(&self) -> Vec<String> {
        let roots = self.world.processes().into_iter().filter(|process| process.parent == 0 && process.state != b'Z');
        let mut names: Vec<String> = roots.filter_map(|root| self.world.container(root.pid)).map(|it| it.name).collect();
        names.sort();
        names.dedup();
        let is_known = |name: &String| self.own.as_ref() == Some(name) || self.list.iter().any(|known| known.name == *name);
        names.retain(|name| self.options.can_be_main(name) && !is_known(name));
        names
    }

    /// Says once what is there if a container that was named is missing while others run. Its name may be wrong, unless Envoy has told that the pod
    /// has it.
    fn check_names(&mut self) {
        if let Some((level, message)) = self.news_of_names() {
            log!(level, "{message}");
        }
    }

    fn news_of_names(&mut self) -> Option<(Level, String)> {
        let is_missing = |it: &&MainContainer<_>| it.phase.is_awaited() && !self.wrong.contains(&it.name);
        let missing: Vec<_> = self.list.iter().filter(is_missing).map(|container| container.name.as_str()).collect();
        if self.options.containers.is_empty() || self.has_warned || missing.is_empty() {
            return None;
        }
        let missing = missing.join(", ");
        let running = self.strangers().join(", ");
        if running.is_empty() {
            self.stranger = None;
            return None;
        }
        let now = self.world.now();
        self.has_warned = now.since(*self.stranger.get_or_insert(now)) >= times::WRONG_NAME;
        let question = "is --container right? Without it all regular containers count";
        let news = if self.wrong.are_known() {
            (Level::Info, format!("{missing} has not started yet, but {running} runs"))
        } else {
            (Level::Warn, format!("no container called {missing} has started, but {running} runs: {question}"))
        };
        Some(news).filter(|_| self.has_warned)
    }
}

#[cfg(test)]
mod tests;
