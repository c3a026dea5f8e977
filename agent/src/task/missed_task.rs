//! A main container that was never seen: it may still start, or it ended before the agent looked.
//!
//! To end a proxy before its task is the worst mistake there is, so a task that was never seen counts as ended on evidence only: what
//! [`Starts`] has counted. An image that is still being pulled leaves no such evidence.

use core::net::SocketAddr;
use core::time::Duration;

use drain::duration;
use drain::machine::State;
use drain::time::Instant;
use drain::wire::{self, Action, Status};
use log::{debug, info};
use pod::bounds::Input;

use super::evidence::{self, Evidence, Facts, LAST_INIT};
use super::starts::Starts;
use super::times;
use crate::options::{Form, Options};
use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::proxy::Sidecar;
use crate::proxy::metadata::{self, Metadata};

/// The evidence that was counted, as a clause.
const STARTED_UNSEEN: &str = "kubelet has started it, and it had ended before the agent looked";

/// The same in a pod without a proxy.
const STARTED_WITHOUT_PROXY: &str =
    "kubelet has started a container that had ended before the agent looked, and the pod has no proxy";

/// What to do about a main container that was never seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Wait: it may still start.
    Wait,
    /// It was started and has ended, by this evidence.
    Unseen(&'static str),
    /// It has ended for good, by this evidence.
    Ended(String),
    /// It counts as ended for good, by this evidence: for a long time no proxy is there that would be ended.
    NoProxy(&'static str),
    /// Leave, for this reason: that loses nothing.
    Leave(&'static str),
}

/// Judges main containers that were never seen.
#[derive(Debug)]
pub(super) struct MissedTask<'a, W: World> {
    world: &'a W,
    options: &'a Options,
    start: Instant,
    /// Whether the filter was asked.
    has_asked: bool,
    /// When the next judgement is due of what was not counted.
    due: Instant,
    pause: Duration,
    /// What Envoy has told.
    envoy: Option<Metadata>,
    /// When Envoy may be asked again.
    question: Instant,
    /// The evidence so far.
    weighed: Evidence,
}

/// The main containers, by name, as far as a judgement needs them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'n> {
    /// What is missing, for a message.
    pub(super) missing: &'n str,
    /// Those that were never seen. Empty while nobody has named the main containers.
    pub(super) unseen: &'n [&'n str],
}

// === impl MissedTask ===

impl<'a, W: World> MissedTask<'a, W> {
    /// Begins now.
    pub(super) fn new(world: &'a W, options: &'a Options) -> Self {
        let start = world.now();
        let due = start + options.late_start;
        Self {
            world,
            options,
            start,
            has_asked: false,
            due,
            pause: times::FIRST_PAUSE,
            envoy: None,
            question: start,
            weighed: Evidence::Nothing,
        }
    }

    /// What to do about the containers that are missing, by what `starts` has seen.
    pub(super) fn judge(&mut self, starts: &Starts<'_, W>, names: Names<'_>) -> Judgement {
        let missing = names.missing;
        if !self.has_asked {
            self.has_asked = true;
            if self.filter_knows() {
                info!("{missing} has ended: the filter already has the completion");
                return Judgement::Ended("the filter already had the completion".to_owned());
            }
        }
        if self.options.proxy_pid.is_some() {
            return Judgement::Wait;
        }
        let now = self.world.now();
        let waited = duration::display(Duration::from_secs(now.since(self.start).as_secs()));
        if let Some(evidence) = self.counted(starts, names) {
            info!("no sign of {missing} after {waited}, but {evidence}");
            return Judgement::Unseen(evidence);
        }
        if self.has_no_proxy(starts) {
            info!("no sign of {missing} after {waited}, and no proxy has come that could tell the containers of the pod");
            return Judgement::NoProxy(STARTED_WITHOUT_PROXY);
        }
        if now < self.due {
            return Judgement::Wait;
        }
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(times::LONGEST_PAUSE);
        if let Some(why) = self.why_leave() {
            info!("no sign of {missing} after {waited}; leaving, because {why}");
            return Judgement::Leave(why);
        }
        info!("no sign of {missing} after {waited}; still waiting, because nothing shows that it has run");
        let regular = self.envoy.as_ref().map_or(&[][..], Metadata::regular);
        if let Some(own) = starts.own_name().filter(|own| is_behind(regular, own, names.unseen)) {
            info!("the agent cannot see what has ended before it started: make {own} the first of the containers");
        }
        Judgement::Wait
    }

    /// When the next judgement makes sense, if nothing happens before.
    pub(super) fn next(&self, starts: &Starts<'_, W>) -> Duration {
        let no_proxy = Some(times::NO_PROXY.saturating_sub(self.since(starts))).filter(|left| !left.is_zero());
        let due = self.due.since(self.world.now());
        let left = no_proxy.map_or(due, |no_proxy| no_proxy.min(due));
        let may_count = starts.creations().is_some_and(|creations| creations.count > 0) && self.since(starts) < self.longest();
        if may_count { times::WEIGHING.min(left) } else { left }
    }

    /// How long the weakest evidence must stand.
    fn longest(&self) -> Duration {
        times::NOT_REFUSED.max(self.options.late_start) + times::ENVOY_PAUSE
    }

    /// The time since kubelet has created a container.
    fn since(&self, starts: &Starts<'_, W>) -> Duration {
        self.world.now().since(starts.batch().at)
    }

    /// The names of the regular containers, which Envoy tells. It is asked once kubelet has created a container: the proxy's, perhaps.
    pub(super) fn regular(&mut self, starts: &Starts<'_, W>) -> Option<&[String]> {
        let now = self.world.now();
        let may_tell = starts.creations().is_none_or(|creations| creations.count > 0 || now >= self.due);
        if self.envoy.is_none() && may_tell && now >= self.question && self.since(starts) >= times::SETTLED {
            self.question = now + times::ENVOY_PAUSE;
            self.envoy = metadata::ask(self.world, self.options.admin_port, times::ENVOY_CALL, |_| true);
        }
        self.envoy.as_ref().map(Metadata::regular).filter(|regular| !regular.is_empty())
    }

    /// The same, if Envoy has told them already.
    pub(super) fn known_regular(&self) -> Option<&[String]> {
        self.envoy.as_ref().map(Metadata::regular)
    }

    /// The evidence that was counted, as a clause.
    fn counted(&mut self, starts: &Starts<'_, W>, names: Names<'_>) -> Option<&'static str> {
        if evidence::have_all_run(names.unseen, starts.seen()) {
            return Some(STARTED_UNSEEN);
        }
        let creations = starts.creations()?;
        self.regular(starts)?;
        let envoy = self.envoy.as_ref()?;
        let evidence = evidence::weigh(&Facts {
            missing: names.unseen,
            regular: envoy.regular(),
            own: starts.own_name(),
            own_pid: starts.own_pid(),
            has_last_init: envoy.has_init(LAST_INIT),
            form: envoy.form().form,
            restarts: &self.options.restarts,
            creations,
            are_started: starts.are_started(),
            seen: starts.seen(),
            jumps: starts.jumps(),
        });
        if core::mem::replace(&mut self.weighed, evidence) != evidence {
            let (seen, jumps) = (starts.seen().len(), starts.jumps().len());
            debug!(
                "evidence of a start: {evidence:?}; {} created, {seen} seen, {jumps} seen by their ids alone",
                creations.count
            );
        }
        let needed = match evidence {
            Evidence::Nothing => return None,
            Evidence::Likely => times::NOT_REFUSED.max(self.options.late_start),
            Evidence::Created => times::NOT_REFUSED,
            Evidence::Started => times::SETTLED,
        };
        (self.since(starts) >= needed).then_some(STARTED_UNSEEN)
    }

    /// Whether a container has started that nobody saw, and for a long time no proxy is there: it has ended, or has never started. Without one nothing
    /// names the containers, so the one that started can be the proxy. But there is nothing to end, and an agent that is a regular container would
    /// keep the pod for nothing.
    fn has_no_proxy(&self, starts: &Starts<'_, W>) -> bool {
        let keeps_the_pod = !self.options.is_native();
        let has_started = starts.unseen().0 > 0 && starts.are_started() && self.since(starts) >= times::NO_PROXY;
        keeps_the_pod && self.envoy.is_none() && has_started && !Sidecar::new(self.world, self.options, None).is_here()
    }

    /// Why the agent can leave without evidence: that costs the task no byte and does not keep the pod.
    fn why_leave(&self) -> Option<&'static str> {
        let keeps_the_pod = !self.options.is_native();
        match self.options.form.form {
            Form::Native if keeps_the_pod && self.world.now().since(self.start) >= times::LONGEST_PULL => {
                Some("kubelet ends the native istio-proxy itself")
            }
            Form::Unknown => {
                let mut sidecar = Sidecar::new(self.world, self.options, None);
                let is_here = sidecar.is_here();
                let has_none = sidecar.is_ztunnel() || !is_here && !sidecar.is_captured();
                has_none.then_some("the pod has no proxy of its own")
            }
            Form::Classic | Form::Native | Form::Absent | Form::Ambient => None,
        }
    }

    /// Whether the filter has accepted a completion, which only an earlier run of the agent or the task itself can have sent. Without a
    /// proxy the agent asks on loopback only, where a refusal takes microseconds, so that it misses no short task meanwhile.
    ///
    /// A completion that only drains is no end of a task beside a classic proxy: an earlier run has sent it after SIGTERM, which can be somebody
    /// else's.
    fn filter_knows(&self) -> bool {
        let request = Request { method: "GET", path: wire::STATUS, headers: &[], timeout: times::FILTER_CALL };
        let state = |at: &SocketAddr| {
            let mut body = Body::of(Input::FilterAnswer);
            let head = call::exchange(self.world, *at, &request, &mut |piece| body.take(piece)).ok()?;
            let status = Status::parse(body.bytes()).ok().filter(|_| head.is_filters && head.status == 200)?;
            let only_drains = status.action.as_deref() == Some(Action::Drain.name());
            let is_the_end = !only_drains || self.options.form.form != Form::Classic;
            State::named(&status.state).filter(|_| is_the_end)
        };
        let knows = |state| matches!(state, State::Draining | State::Drained | State::Quitting);
        let is_here = Sidecar::new(self.world, self.options, None).is_here();
        self.options.signal.iter().filter(|at| is_here || at.ip().is_loopback()).filter_map(state).any(knows)
    }
}

/// Whether the regular container `own` is listed behind one of `unseen`, which can have ended before `own` started.
fn is_behind(regular: &[String], own: &str, unseen: &[&str]) -> bool {
    let mut earlier = regular.iter().take_while(|name| *name != own);
    regular.iter().any(|name| name == own) && earlier.any(|name| unseen.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, options};

    #[test]
    fn a_filter_that_only_drains_beside_a_classic_proxy_knows_of_no_end() {
        let status =
            |action| Script { filter: Some(format!(r#"{{"state":"drained","action":"{action}"}}"#)), ..Script::default() };
        let knows = |world: &Script, line| {
            let options = options(line);
            MissedTask::new(world, &options).filter_knows()
        };
        let (drains, quits) = (status("drain"), status("quit"));
        assert!(!knows(&drains, "watch --proxy classic"), "SIGTERM has made an earlier run of the agent drain");
        assert!(knows(&drains, "watch --proxy native") && knows(&quits, "watch --proxy classic"));
    }

    #[test]
    fn only_a_regular_agent_is_listed_behind_a_task() {
        let is = |regular: &str, unseen: &[&str]| {
            is_behind(&regular.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>(), "exeunt", unseen)
        };
        assert!(is("base exeunt", &["base"]) && is("other base exeunt late", &["base"]));
        assert!(!is("exeunt base", &["base"]), "it is the first");
        assert!(!is("base other", &["base"]), "it is a native sidecar");
        assert!(!is("base exeunt late", &["late"]), "what is missing starts later");
    }
}
