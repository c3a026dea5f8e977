//! A main container that was never seen: it may still start, or it ended before the agent looked.
//!
//! To end a proxy before its task is the worst mistake there is, so a task that was never seen counts as ended on evidence only. Kubelet
//! starts the containers of a pod in the order of its list. If a container that is listed after the main one ran before the agent, the
//! main one was started before the agent too. A slow pull of the task's image leaves no such evidence, because nothing listed after it
//! starts meanwhile.

use core::net::SocketAddr;
use core::time::Duration;

use drain::duration;
use drain::machine::State;
use drain::time::Instant;
use drain::wire::{self, Status};
use log::info;
use pod::container::Container;
use pod::stat::Stat;

use super::times;
use crate::options::{Form, Options, PROXY};
use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::proxy::{Sidecar, metadata};

/// The longest status of the filter, in bytes.
const MAX_STATUS: usize = 4096;

/// What to do about a main container that was never seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Wait: it may still start.
    Wait,
    /// Count it as ended, by this evidence.
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
    /// When the next judgement is due.
    due: Instant,
    pause: Duration,
}

// === impl MissedTask ===

impl<'a, W: World> MissedTask<'a, W> {
    /// Begins now.
    pub(super) fn new(world: &'a W, options: &'a Options) -> Self {
        let start = world.now();
        Self { world, options, start, has_asked: false, due: start + options.late_start, pause: times::FIRST_PAUSE }
    }

    /// What to do about `missing`. [`Judgement::Wait`] if the next judgement is not yet due.
    pub(super) fn judge(&mut self, missing: &str) -> Judgement {
        if !self.has_asked {
            self.has_asked = true;
            if self.filter_knows() {
                info!("{missing} has ended: the filter already has the completion");
                return Judgement::Ended("the filter already had the completion".to_owned());
            }
        }
        let now = self.world.now();
        if now < self.due || self.options.proxy_pid.is_some() {
            return Judgement::Wait;
        }
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(times::LONGEST_PAUSE);
        let judgement = self.evidence().map_or_else(|| self.without_evidence(), Judgement::Ended);
        let waited = duration::display(Duration::from_secs(now.since(self.start).as_secs()));
        match &judgement {
            Judgement::Wait => info!("no sign of {missing} after {waited}; still waiting, because nothing shows that it has run"),
            Judgement::Ended(evidence) => info!("no sign of {missing} after {waited}; it counts as ended, because {evidence}"),
            Judgement::Leave(why) => info!("no sign of {missing} after {waited}; leaving, because {why}"),
        }
        judgement
    }

    /// The evidence that the main container was started before the agent, as a clause.
    fn evidence(&self) -> Option<String> {
        let earlier = started_before(&self.world.processes(), |pid| self.world.container(pid), self.world.own_pid())?;
        let listed_after = self.options.listed_after.iter().find(|name| earlier.contains(name));
        let name = listed_after.map(String::as_str).or_else(|| {
            let proxy = earlier.iter().any(|name| name == PROXY);
            (proxy && self.options.form.form == Form::Classic && self.proxy_is_listed_last()).then_some(PROXY)
        })?;
        Some(format!("{name}, listed after it, ran before the agent"))
    }

    /// Whether the injector has listed the proxy after all other containers, as it does unless they wait for the proxy (Istio,
    /// `pkg/kube/inject/webhook.go`, `reorderPod`). Only Envoy can tell. Without its response: no.
    fn proxy_is_listed_last(&self) -> bool {
        let metadata = metadata::ask(self.world, self.options.admin_port, times::ENVOY_CALL);
        metadata.is_some_and(|metadata| metadata.holds_applications() == Some(false))
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
