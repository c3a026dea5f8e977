//! Sleeps until the main containers have ended. While all of them run, that is one system call.

use core::time::Duration;

use log::info;
use pod::pidfd::Exit;

use super::containers::Containers;
use super::main_container::MainContainer;
use super::missed_task::Judgement;
use super::phase::Phase;
use super::times;
use crate::os::World;
use crate::os::world::{Process, Source};

/// The result of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// All have ended for good.
    Ended,
    /// All run.
    Running,
    /// The given time is over.
    TimeUp,
    /// The process that was to be watched beside them has ended, or SIGTERM has come.
    Interrupted,
    /// The agent can leave: SIGTERM came before all were seen (the pod is deleted), or leaving loses nothing.
    Leave,
}

// === impl Containers ===

impl<W: World> Containers<'_, W> {
    /// Sleeps until all have ended for good, at most for `limit`. While all run, that is one system call.
    pub fn wait(&mut self, limit: Option<Duration>) -> Waited {
        self.wait_beside(limit, None, false)
    }

    /// The same until `proxy`, a process beside them, has ended, or, with `or_sigterm`, until SIGTERM has come.
    pub fn wait_beside(&mut self, limit: Option<Duration>, proxy: Option<&W::Process>, or_sigterm: bool) -> Waited {
        let end = limit.map(|limit| self.world.now() + limit);
        loop {
            self.look();
            if self.is_complete && self.list.iter().all(MainContainer::has_ended) {
                return Waited::Ended;
            }
            if !self.are_seen() && self.world.terminated_at(Source::Kernel).is_some() {
                info!("SIGTERM before {} was seen; leaving", self.missing());
                return Waited::Leave;
            }
            if self.is_missing_one() {
                let missing = self.missing();
                match self.missed.judge(&missing) {
                    Judgement::Wait => {}
                    Judgement::Ended(evidence) => {
                        self.count_as_ended(evidence);
                        continue;
                    }
                    Judgement::Leave(_) => return Waited::Leave,
                }
            }
            let has_sigterm = || or_sigterm && self.world.terminated_at(Source::LastAnswer).is_some();
            if proxy.is_some_and(|proxy| proxy.wait(Duration::ZERO)) || has_sigterm() {
                return Waited::Interrupted;
            }
            let left = end.map(|end| end.since(self.world.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimeUp;
            }
            self.sleep([left, self.pause()].into_iter().flatten().min(), proxy);
        }
    }

    /// Waits until each was seen, or counts as ended. While nobody has named them, one that was seen is enough.
    pub fn wait_seen(&mut self) -> Waited {
        loop {
            match self.wait(Some(Duration::ZERO)) {
                Waited::TimeUp if self.are_seen() => return Waited::Running,
                Waited::TimeUp => self.sleep(Some(times::LOOK), None),
                other => return other,
            }
        }
    }

    /// How long to sleep before the next look. `None` if all run.
    fn pause(&self) -> Option<Duration> {
        let pauses = self.list.iter().map(|container| match &container.phase {
            Phase::Awaited | Phase::Between { .. } => Some(times::LOOK),
            Phase::Running { process, .. } if !process.wakes() => Some(times::LOOK_WITHOUT_PIDFD),
            Phase::Running { .. } | Phase::Ended(_) => None,
        });
        let unknown = (!self.is_complete).then_some(times::LOOK);
        pauses.flatten().chain(unknown).min()
    }

    /// Sleeps until one of those that run or `proxy` has ended, at most for `timeout`.
    fn sleep(&self, timeout: Option<Duration>, proxy: Option<&W::Process>) {
        log::logger().flush();
        let running = self.list.iter().filter_map(|container| match &container.phase {
            Phase::Running { process, .. } => Some(process),
            Phase::Awaited | Phase::Between { .. } | Phase::Ended(_) => None,
        });
        self.world.wait_any(&running.chain(proxy).collect::<Vec<_>>(), timeout);
    }

    /// Whether each was seen. While nobody has named them, one that was seen is enough.
    fn are_seen(&self) -> bool {
        !self.list.is_empty() && !self.is_missing_one()
    }

    fn is_missing_one(&self) -> bool {
        let none_is_known = !self.is_complete && self.list.is_empty();
        none_is_known || self.list.iter().any(|container| matches!(container.phase, Phase::Awaited))
    }

    /// The names of those that were never seen.
    pub(super) fn missing(&self) -> String {
        if self.list.is_empty() {
            return "a main container".to_owned();
        }
        let missing = self.list.iter().filter(|container| matches!(container.phase, Phase::Awaited));
        missing.map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn count_as_ended(&mut self, evidence: String) {
        self.evidence = Some(evidence);
        for place in 0..self.list.len() {
            if self.list.get(place).is_some_and(|container| matches!(container.phase, Phase::Awaited)) {
                self.enter(place, Phase::Ended(Exit::Unknown));
            }
        }
    }
}
