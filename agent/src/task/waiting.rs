//! Sleeps until the main containers have ended. While all of them run, that is one system call.

use core::time::Duration;

use drain::time::Instant;
use log::info;
use pod::pidfd::Exit;

use super::containers::Containers;
use super::main_container::MainContainer;
use super::missed_task::{Judgement, Names};
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
    /// The agent can leave, because that loses nothing.
    Leave,
}

// === impl Containers ===

impl<W: World> Containers<'_, W> {
    /// Sleeps until all have ended for good, at most for `limit`. While all run, that is one system call.
    pub fn wait(&mut self, limit: Option<Duration>) -> Waited {
        let end = limit.map(|limit| self.world.now() + limit);
        loop {
            self.look();
            if self.is_any(|phase| matches!(phase, Phase::Awaited)) && self.world.terminated_at(Source::Kernel).is_some() {
                info!(
                    "SIGTERM before {} was seen: kubelet starts nothing any more",
                    named(&self.list, Phase::is_awaited).join(", ")
                );
                self.count_as_ended("SIGTERM came before it was seen, and kubelet starts nothing after that".to_owned());
                self.is_terminated = true;
            }
            if self.list.iter().all(|container| container.phase.is_ended()) {
                return Waited::Ended;
            }
            let left = end.map(|end| end.since(self.world.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimeUp;
            }
            self.sleep(left);
        }
    }

    /// Waits until each was seen, or counts as ended.
    pub fn wait_seen(&mut self) -> Waited {
        loop {
            match self.wait(Some(Duration::ZERO)) {
                Waited::TimeUp => {}
                other => return other,
            }
            let missing = named(&self.list, Phase::is_awaited);
            if missing.is_empty() {
                return Waited::Running;
            }
            let names = Names { missing: &missing, ended: &named(&self.list, Phase::is_ended) };
            match self.missed.judge(&self.starts, names) {
                Judgement::Wait => self.sleep(Some(self.missed.next(&self.starts))),
                Judgement::Ended(evidence) => self.count_as_ended(evidence),
                Judgement::Leave(_) => return Waited::Leave,
            }
        }
    }

    /// Whether SIGTERM came before all were seen. It can be that of somebody else, and then a main container still runs or starts.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        self.is_terminated
    }

    /// Sleeps until something may have changed, at most for `limit`: one of those that run has ended, SIGTERM has come, or another container may
    /// have started.
    fn sleep(&mut self, limit: Option<Duration>) {
        log::logger().flush();
        let end = limit.map(|limit| self.world.now() + limit);
        let awaits_start = self.is_any(|phase| matches!(phase, Phase::Awaited | Phase::Between { .. }));
        loop {
            let now = self.world.now();
            let left = [end, self.next_change()].into_iter().flatten().map(|at| at.since(now)).min();
            let unwatched = self.is_any(|phase| matches!(phase, Phase::Running { process, .. } if !process.wakes()));
            let looks = [unwatched.then_some(times::LOOK_WITHOUT_PIDFD), awaits_start.then(|| self.starts.pause())];
            let pause = looks.into_iter().flatten().chain(left).min();
            let running = self.list.iter().filter_map(|container| match &container.phase {
                Phase::Running { process, .. } => Some(process),
                Phase::Awaited | Phase::Between { .. } | Phase::Ended(_) => None,
            });
            let running: Vec<_> = running.collect();
            if !awaits_start {
                return self.world.wait_any(&running, pause);
            }
            self.world.wait_start(&running, pause);
            let slept = self.world.now().since(now);
            let is_woken = pause.is_none_or(|pause| slept < pause);
            if self.starts.look() || is_woken || unwatched || left.is_some_and(|left| slept >= left) {
                return;
            }
        }
    }

    /// When a phase ends by itself.
    fn next_change(&self) -> Option<Instant> {
        let ends =
            self.list.iter().map(|container| if let Phase::Between { until, .. } = &container.phase { *until } else { None });
        ends.flatten().min()
    }

    fn is_any(&self, is: impl Fn(&Phase<W::Process>) -> bool) -> bool {
        self.list.iter().any(|container| is(&container.phase))
    }

    fn count_as_ended(&mut self, evidence: String) {
        self.evidence = Some(evidence);
        for place in 0..self.list.len() {
            if self.list.get(place).is_some_and(|container| container.phase.is_awaited()) {
                self.enter(place, Phase::Ended(Exit::Unknown), 0);
            }
        }
    }
}

/// The names of those whose phase is so.
fn named<P>(list: &[MainContainer<P>], is: impl Fn(&Phase<P>) -> bool) -> Vec<&str> {
    list.iter().filter(|container| is(&container.phase)).map(|container| container.name.as_str()).collect()
}
