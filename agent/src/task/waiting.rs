//! Sleeps until the main containers have ended. While all of them run, that is one system call.

use core::time::Duration;

use drain::time::Instant;
use log::info;
use pod::pidfd::Exit;

use super::containers::{Containers, Listing};
use super::main_container::MainContainer;
use super::missed_task::{Judgement, Names};
use super::phase::Phase;
use super::times;
use crate::options::Form;
use crate::os::World;
use crate::os::world::{Process, Source};
use crate::proxy::Sidecar;

/// How it is known that a container has ended that was never seen when SIGTERM came, as a clause of the verdict.
const UNSEEN_AT_SIGTERM: &str = "SIGTERM came before it was seen, and kubelet starts nothing after that";

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
    /// The agent can leave, because that loses nothing.
    Leave,
}

// === impl Containers ===

impl<W: World> Containers<'_, W> {
    /// Sleeps until all have ended for good, at most for `limit`. While all run, that is one system call.
    pub fn wait(&mut self, limit: Option<Duration>) -> Waited {
        self.wait_until(limit, None, |_| false)
    }

    /// The same until `proxy`, a process beside them, has ended, or until another SIGTERM has come than that at `sigterm`.
    pub fn wait_beside(&mut self, limit: Option<Duration>, proxy: Option<&W::Process>, sigterm: Option<Instant>) -> Waited {
        self.wait_until(limit, proxy, |last| last != sigterm)
    }

    /// The same until `proxy` has ended, or what is known of SIGTERM ends it.
    fn wait_until(
        &mut self,
        limit: Option<Duration>,
        proxy: Option<&W::Process>,
        ends: impl Fn(Option<Instant>) -> bool,
    ) -> Waited {
        let end = limit.map(|limit| self.world.now() + limit);
        loop {
            self.look();
            if self.listing.are_complete() && self.list.iter().all(MainContainer::has_ended) {
                return Waited::Ended;
            }
            if !self.are_seen() && self.is_asked_to_leave() {
                info!("SIGTERM before {} was seen: kubelet starts nothing any more", self.missing());
                self.end_by_sigterm(|container| container.phase.is_awaited(), Some(UNSEEN_AT_SIGTERM));
                continue;
            }
            if self.is_missing_one() {
                self.find_wrong_names();
            }
            if self.drop_wrong_names() {
                continue;
            }
            if self.is_missing_one() {
                match self.judge() {
                    Judgement::Wait => {}
                    Judgement::Unseen(evidence) => {
                        self.count_as_unseen(evidence);
                        continue;
                    }
                    Judgement::Ended(evidence) => {
                        // All of them, whether they have been named or not.
                        self.listing.complete();
                        self.count_as_ended(evidence);
                        continue;
                    }
                    Judgement::NoProxy(evidence) => {
                        self.listing = Listing::Seen;
                        self.count_as_ended(evidence.to_owned());
                        continue;
                    }
                    Judgement::Leave(_) => return Waited::Leave,
                }
            }
            if self.count_unseen_restarts() {
                continue;
            }
            let is_ended = || ends(self.world.terminated_at(Source::LastAnswer));
            if proxy.is_some_and(|proxy| proxy.wait(Duration::ZERO)) || is_ended() {
                return Waited::Interrupted;
            }
            let left = end.map(|end| end.since(self.world.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimeUp;
            }
            self.sleep(left, proxy);
        }
    }

    /// Waits until each was seen, or counts as ended. While nobody has named them, one that was seen is enough. Calls `meanwhile` between two
    /// looks, and tells it whether none was seen until then.
    pub fn wait_seen(&mut self, mut meanwhile: impl FnMut(bool)) -> Waited {
        loop {
            match self.wait(Some(Duration::ZERO)) {
                Waited::TimeUp if self.are_seen() => return Waited::Running,
                Waited::TimeUp => {
                    meanwhile(self.list.iter().all(|container| container.phase.is_awaited()));
                    self.sleep(None, None);
                }
                other => return other,
            }
        }
    }

    /// Whether the proxy, which has never been seen, was started and has ended: a creation belongs to nothing that was seen, and kubelet has not
    /// repeated it. Only for an agent that is a regular container.
    pub fn have_lost_proxy(&mut self) -> bool {
        let _ = self.starts.look();
        let (unseen, since) = self.starts.unseen();
        unseen > self.unseen && since >= times::NOT_REFUSED && self.starts.are_started()
    }

    /// Whether only SIGTERM tells that all have ended for good. It can be that of somebody else, and then a main container still starts.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        self.sigterm.is_some()
    }

    /// Whether SIGTERM has come and can be kubelet's. A signal that the pod outlives was no deletion. A native sidecar gets kubelet's after the
    /// end of all regular containers.
    #[must_use]
    pub fn is_asked_to_leave(&self) -> bool {
        let Some(sigterm) = self.world.terminated_at(Source::Kernel) else { return false };
        let is_recent = self.world.now().since(sigterm) < self.options.grace_period;
        is_recent && !(self.options.is_native() && self.does_regular_run())
    }

    /// Whether a regular container runs: a main one or a classic proxy.
    fn does_regular_run(&self) -> bool {
        let has_proxy = || Sidecar::new(self.world, self.options, None).is_here();
        self.is_any(|phase| matches!(phase, Phase::Running { .. })) || self.options.form.form == Form::Classic && has_proxy()
    }

    /// Counts instances that kubelet has started again and that have ended, both unseen. Returns whether there is one.
    fn count_unseen_restarts(&mut self) -> bool {
        let (restarts, now) = (&self.options.restarts, self.world.now());
        let restarted = self.list.iter().position(|container| container.is_between() && self.has_restarted_unseen(container));
        let next = restarted.and_then(|place| {
            let container = self.list.get_mut(place)?;
            let most = self.starts.unseen_since(container.created);
            Some((place, container.after_unseen(most, restarts, now)))
        });
        if let Some((place, next)) = next {
            self.enter(place, next);
        }
        restarted.is_some()
    }

    /// Whether kubelet has started `container` again, and the instance has ended, unseen: a creation that is no other container's, because all
    /// others run or have ended for good.
    fn has_restarted_unseen(&self, container: &MainContainer<W::Process>) -> bool {
        let has_ended = |name: &str| self.list.iter().any(|known| known.name == name && known.has_ended());
        let matters_not = |name: &str| name == container.name || has_ended(name) || self.options.helpers.has(name);
        let others_run = self.starts.all_run_but(matters_not);
        let is_alone = self.list.iter().all(|known| known.name == container.name || !known.may_start());
        self.listing.are_complete() && is_alone && others_run && self.starts.has_one_unseen_since(container.created)
    }

    /// What to do about those that were never seen.
    fn judge(&mut self) -> Judgement {
        if !self.listing.are_complete()
            && let Some(regular) = self.missed.regular(&self.starts)
        {
            let regular = regular.to_vec();
            self.learn(&regular);
        } else if let Some(regular) = self.missed.known_regular() {
            let regular = regular.to_vec();
            self.learn_order(&regular);
        }
        let unseen = self.list.iter().filter(|it| it.phase.is_awaited() && !self.wrong.contains(&it.name));
        let unseen: Vec<_> = unseen.map(|container| container.name.as_str()).collect();
        self.missed.judge(&self.starts, Names { missing: &self.missing(), unseen: &unseen })
    }

    /// Sleeps until something may have changed, at most for `limit`: one of those that run or `proxy` has ended, SIGTERM has come, or another
    /// container may have started.
    fn sleep(&mut self, limit: Option<Duration>, proxy: Option<&W::Process>) {
        log::logger().flush();
        let begin = self.world.now();
        let awaits_start =
            !self.listing.are_complete() || self.is_any(|phase| matches!(phase, Phase::Awaited | Phase::Between { .. }));
        let is_unwatched = self.is_any(|phase| matches!(phase, Phase::Running { process, .. } if !process.wakes()));
        let awaits_status = self.list.iter().any(MainContainer::awaits_status);
        let unwatched = (is_unwatched || awaits_status).then_some(times::LOOK_WITHOUT_PIDFD);
        let is_between = self.is_any(|phase| matches!(phase, Phase::Between { .. }));
        let restart = is_between.then(|| self.starts.next_certainty()).flatten();
        let judgement = self.is_missing_one().then(|| self.missed.next(&self.starts));
        let change = [self.next_change(), self.wrong_names_due()].into_iter().flatten().min().map(|at| at.since(begin));
        let limit = [limit, change, restart, judgement, unwatched].into_iter().flatten().min();
        let running = self.list.iter().filter_map(|container| match &container.phase {
            Phase::Running { process, .. } => Some(process),
            Phase::Awaited | Phase::Between { .. } | Phase::Ended(_) => None,
        });
        let processes: Vec<_> = running.chain(proxy).collect();
        if !awaits_start {
            return self.world.wait_any(&processes, limit);
        }
        // An agent that is hardly scheduled wakes long after the event.
        let sigterm = self.world.terminated_at(Source::LastAnswer);
        loop {
            let now = self.world.now();
            let left = limit.map(|limit| limit.saturating_sub(now.since(begin)));
            let pause = left.map_or(self.starts.pause(), |left| left.min(self.starts.pause()));
            self.world.wait_start(&processes, Some(pause));
            let is_woken = self.world.now().since(now) < pause || self.world.terminated_at(Source::LastAnswer) != sigterm;
            if self.starts.look() || is_woken || left == Some(pause) {
                return;
            }
        }
    }

    /// When a phase ends by itself.
    fn next_change(&self) -> Option<Instant> {
        self.list.iter().filter_map(|container| container.ends_at(&self.starts, self.options)).min()
    }

    fn is_any(&self, is: impl Fn(&Phase<W::Process>) -> bool) -> bool {
        self.list.iter().any(|container| is(&container.phase))
    }

    /// Whether each was seen. While nobody has named them, one that was seen is enough.
    fn are_seen(&self) -> bool {
        !self.list.is_empty() && !self.is_missing_one()
    }

    fn is_missing_one(&self) -> bool {
        let none_is_known = !self.listing.are_complete() && self.list.is_empty();
        none_is_known || self.list.iter().any(|container| container.phase.is_awaited() && !self.wrong.contains(&container.name))
    }

    /// The names of those that were never seen.
    pub(super) fn missing(&self) -> String {
        if self.list.is_empty() {
            return "a main container".to_owned();
        }
        let missing = self.list.iter().filter(|container| container.phase.is_awaited());
        missing.map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Those that were never seen were started, and have ended. Nothing tells how.
    fn count_as_unseen(&mut self, evidence: &str) {
        self.evidence = Some(evidence.to_owned());
        let (restarts, now) = (&self.options.restarts, self.world.now());
        // One that kubelet restarts can have all creations that nobody saw.
        let most = self.starts.unseen().0;
        for place in 0..self.list.len() {
            let wrong = &self.wrong;
            let is_unseen = |it: &&mut MainContainer<_>| it.phase.is_awaited() && !wrong.contains(&it.name);
            let Some(container) = self.list.get_mut(place).filter(is_unseen) else { continue };
            if let Some(age) = self.starts.pod_age() {
                container.starts_at(age);
            }
            let next = container.after_unseen(most, restarts, now);
            self.unseen = self.unseen.saturating_add(1);
            self.enter(place, next);
        }
    }

    fn count_as_ended(&mut self, evidence: String) {
        self.evidence = Some(evidence);
        for place in 0..self.list.len() {
            if self.list.get(place).is_some_and(|container| container.phase.is_awaited()) {
                self.enter(place, Phase::Ended(Exit::Unknown));
            }
        }
    }
}
