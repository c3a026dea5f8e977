//! A main container that was never seen: it may still start, or it ended before the agent looked.
//!
//! To end a proxy before its task is the worst mistake there is, so a task that was never seen counts as ended on evidence only. There is
//! evidence of two kinds: what [`Starts`] has counted, and a container that the pod lists after the main one, which ran before the agent. An
//! image that is still being pulled leaves neither.

use core::net::SocketAddr;
use core::time::Duration;

use drain::duration;
use drain::machine::State;
use drain::time::Instant;
use drain::wire::{self, Status};
use log::{debug, info};
use pod::container::Container;
use pod::stat::Stat;

use super::evidence::{self, Evidence, Facts, LAST_INIT};
use super::starts::Starts;
use super::times;
use crate::options::{Form, Options};
use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::proxy::Sidecar;
use crate::proxy::metadata::{self, Metadata};

/// The longest status of the filter, in bytes.
const MAX_STATUS: usize = 4096;

/// The evidence that was counted, as a clause.
const STARTED_UNSEEN: &str = "kubelet has started it, and it had ended before the agent looked";

/// What to do about a main container that was never seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Wait: it may still start.
    Wait,
    /// It was started and has ended, by this evidence.
    Unseen(&'static str),
    /// It has ended for good, by this evidence.
    Ended(String),
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
    /// Those that have ended for good.
    pub(super) ended: &'n [&'n str],
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
        if now < self.due {
            return Judgement::Wait;
        }
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(times::LONGEST_PAUSE);
        let judgement = self.listed_after().map_or_else(|| self.without_evidence(), Judgement::Ended);
        match &judgement {
            Judgement::Wait => info!("no sign of {missing} after {waited}; still waiting, because nothing shows that it has run"),
            Judgement::Ended(evidence) => info!("no sign of {missing} after {waited}; it counts as ended, because {evidence}"),
            Judgement::Unseen(evidence) => info!("no sign of {missing} after {waited}, but {evidence}"),
            Judgement::Leave(why) => info!("no sign of {missing} after {waited}; leaving, because {why}"),
        }
        judgement
    }

    /// When the next judgement makes sense, if nothing happens before.
    pub(super) fn next(&self, starts: &Starts<'_, W>) -> Duration {
        let left = self.due.since(self.world.now());
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
            self.envoy = metadata::ask(self.world, self.options.admin_port, times::ENVOY_CALL);
        }
        self.envoy.as_ref().map(Metadata::regular).filter(|regular| !regular.is_empty())
    }

    /// The evidence that was counted, as a clause.
    fn counted(&mut self, starts: &Starts<'_, W>, names: Names<'_>) -> Option<&'static str> {
        let creations = starts.creations()?;
        self.regular(starts)?;
        let envoy = self.envoy.as_ref()?;
        let evidence = evidence::weigh(&Facts {
            missing: names.unseen,
            ended: names.ended,
            regular: envoy.regular(),
            own: starts.own_name(),
            own_pid: starts.own_pid(),
            has_last_init: envoy.has_init(LAST_INIT),
            is_classic: envoy.form().form == Form::Classic,
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

    /// The evidence that the main container was started before the agent, as a clause.
    fn listed_after(&self) -> Option<String> {
        let earlier = started_before(&self.world.processes(), |pid| self.world.container(pid), self.world.own_pid())?;
        let name = self.options.listed_after.iter().find(|name| earlier.contains(name))?;
        Some(format!("{name}, listed after it, ran before the agent"))
    }

    /// What to do without evidence: leave if that costs the task no byte and does not keep the pod.
    fn without_evidence(&self) -> Judgement {
        let keeps_the_pod = !self.options.is_native();
        match self.options.form.form {
            Form::Native if keeps_the_pod && self.world.now().since(self.start) >= times::LONGEST_PULL => {
                Judgement::Leave("kubelet ends the native istio-proxy itself")
            }
            Form::Unknown => {
                let mut sidecar = Sidecar::new(self.world, self.options, None);
                let is_here = sidecar.is_here();
                let none = sidecar.is_ztunnel() || !is_here && !sidecar.is_captured();
                if none { Judgement::Leave("the pod has no proxy of its own") } else { Judgement::Wait }
            }
            Form::Classic | Form::Native | Form::Absent | Form::Ambient => Judgement::Wait,
        }
    }

    /// Whether the filter has accepted a completion, which only an earlier run of the agent or the task itself can have sent. The agent
    /// asks on loopback only, where a refusal takes microseconds, so that it misses no short task meanwhile.
    fn filter_knows(&self) -> bool {
        let request = Request { method: "GET", path: wire::STATUS, headers: &[], timeout: times::FILTER_CALL };
        let state = |at: &SocketAddr| {
            let mut body = Body::up_to(MAX_STATUS);
            let head = call::exchange(self.world, *at, &request, &mut |piece| body.take(piece)).ok()?;
            let status = Status::parse(body.bytes()).ok().filter(|_| head.is_filters && head.status == 200)?;
            State::named(&status.state)
        };
        let knows = |state| matches!(state, State::Draining | State::Drained | State::Quitting);
        self.options.signal.iter().filter(|at| at.ip().is_loopback()).filter_map(state).any(knows)
    }
}

/// The names of the containers that started before the process `pid`. `None` if the start of that process is unknown.
fn started_before(processes: &[Stat], container: impl Fn(i32) -> Option<Container>, pid: i32) -> Option<Vec<String>> {
    let start = processes.iter().find(|process| process.pid == pid)?.start;
    let roots = processes.iter().filter(|process| process.parent == 0 && process.start < start);
    Some(roots.filter_map(|root| container(root.pid)).map(|container| container.name).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pod::procfs::Procfs;

    use super::*;

    #[test]
    fn evidence_is_a_container_that_started_before_the_agent() {
        let root = std::env::temp_dir().join(format!("exeunt-missed-{}", std::process::id()));
        let processes =
            [(1, 0, 10, ""), (20, 0, 400, "istio-proxy"), (25, 20, 401, ""), (30, 0, 500, "exeunt"), (40, 0, 600, "other")];
        for (pid, parent, start, container) in processes {
            let directory = root.join(pid.to_string());
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("stat"), format!("{pid} (x) S {parent} {}{start} 0 0\n", "0 ".repeat(17))).unwrap();
            let mount = format!("1 2 0:3 /pods/u/containers/{container}/5b1c0f9e /x rw - ext4 d rw\n");
            fs::write(directory.join("mountinfo"), if container.is_empty() { String::new() } else { mount }).unwrap();
        }
        let proc = Procfs::at(&root);
        let processes: Vec<Stat> = proc.processes().collect();
        let started_before = |pid| started_before(&processes, |pid| proc.container(pid), pid);
        assert_eq!(started_before(30), Some(vec!["istio-proxy".to_owned()]));
        assert_eq!(started_before(20), Some(Vec::new()), "the first container has none");
        assert_eq!(started_before(99), None);
        fs::remove_dir_all(root).unwrap();
    }
}
