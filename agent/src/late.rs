//! A main container that does not appear: still to come, or over before we were there?
//!
//! To end a proxy before its task is the worst mistake there is, so a task that was never seen is taken as over on evidence alone:
//! kubelet starts a pod's containers in the order of its list, and one listed behind the main one was running before we were. An image
//! that takes ten minutes to pull leaves no such evidence, as nothing behind it is started meanwhile.

use core::net::SocketAddr;
use core::time::Duration;
use std::process;
use std::time::Instant;

use drain::duration;
use drain::machine::State;
use drain::wire::{self, Status};
use pod::ports;
use pod::procfs::Procfs;

use crate::http::{self, Body, Request};
use crate::istio::{self, Form};
use crate::log;
use crate::options::{Options, Placement};
use crate::readiness::is_captured;
use crate::sidecar::Sidecar;

/// Between two judgements, doubled each time up to [`LONGEST_PAUSE`]: each costs a look at every process and a call to Envoy.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Where kubelet ends the proxy by itself, the agent's own container is all that may keep the pod. No image takes longer than this.
const LONGEST_PULL: Duration = Duration::from_mins(30);
/// Envoy tells here with which configuration its proxy was started. All extensions it has are named beside it: 100 KB.
const SERVER_INFO: &str = "/server_info";
const MAX_SERVER_INFO: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(2);
/// The filter answers within a millisecond, or it is not there yet.
const ANSWER: Duration = Duration::from_millis(100);
const MAX_STATUS: usize = 4096;

/// What to make of a main container that has not appeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It may be still to come.
    Wait,
    /// It was over before we were there; by this evidence.
    Over(String),
    /// Nothing is lost if we leave, and why.
    Leave(String),
}

/// Who judges.
#[derive(Debug)]
pub(crate) struct Late<'a> {
    options: &'a Options,
    proc: Procfs,
    began: Instant,
    /// Whether the filter was asked.
    has_asked: bool,
    /// When the next judgement is due.
    due: Instant,
    pause: Duration,
}

// === impl Late ===

impl<'a> Late<'a> {
    /// We have just begun to look for the main containers of `options`.
    pub(crate) fn new(options: &'a Options) -> Self {
        let began = Instant::now();
        Self { options, proc: Procfs::default(), began, has_asked: false, due: began + options.late_start, pause: FIRST_PAUSE }
    }

    /// What to make of it that `missing` has not appeared. Mostly it is not yet time to judge.
    pub(crate) fn judge(&mut self, missing: &str) -> Judgement {
        if !self.has_asked {
            self.has_asked = true;
            if filter_is_told(self.options) {
                log::line(&format!("{missing} is over: the filter was told so before the agent was started again"));
                return Judgement::Over("the filter was told so before".to_owned());
            }
        }
        if Instant::now() < self.due || self.options.proxy_pid.is_some() {
            return Judgement::Wait;
        }
        self.due = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let judgement = self.evidence().map_or_else(|| self.nothing_to_lose(), Judgement::Over);
        let waited = duration::display(Duration::from_secs(self.began.elapsed().as_secs()));
        log::line(&match &judgement {
            Judgement::Wait => format!("no sign of {missing} after {waited}; waiting on, as nothing shows that it has run"),
            Judgement::Over(evidence) => format!("no sign of {missing} after {waited}: taken as over, as {evidence}"),
            Judgement::Leave(why) => format!("no sign of {missing} after {waited}; leaving, as {why}"),
        });
        judgement
    }

    /// That the main container was started before we were, as a clause; `None` without evidence.
    fn evidence(&self) -> Option<String> {
        let earlier = started_before(&self.proc, process::id().cast_signed())?;
        let told = self.options.behind.iter().find(|name| earlier.contains(name));
        let behind = told.map(String::as_str).or_else(|| {
            let proxy = earlier.iter().any(|name| name == istio::PROXY);
            (proxy && self.options.form == Some(Form::Classic) && self.proxy_is_listed_last()).then_some(istio::PROXY)
        })?;
        Some(format!("{behind}, listed behind it, was running before the agent"))
    }

    /// Whether the injector has put the proxy behind every other container, as it does unless they are held until it is ready (Istio,
    /// `pkg/kube/inject/webhook.go`, `reorderPod`). Only Envoy can tell; without its word, no.
    fn proxy_is_listed_last(&self) -> bool {
        let info = ports::LOCALHOST.into_iter().find_map(|ip| server_info(SocketAddr::new(ip, self.options.admin_port)));
        info.is_some_and(|info| holds_applications(info.bytes()) == Some(false))
    }

    /// Where our leaving costs the task no byte and the pod nothing, we may.
    fn nothing_to_lose(&self) -> Judgement {
        let stays = self.options.placement == Placement::Regular;
        match self.options.form {
            Some(Form::Native) if stays && self.began.elapsed() >= LONGEST_PULL => {
                Judgement::Leave("kubelet ends the native istio-proxy by itself".to_owned())
            }
            Some(Form::Unknown) | None => {
                let mut sidecar = Sidecar::new(self.options, None);
                sidecar.look();
                let none = sidecar.is_ztunnel() || !sidecar.is_here() && !is_captured();
                if none { Judgement::Leave("the pod has no proxy of its own".to_owned()) } else { Judgement::Wait }
            }
            Some(Form::Classic | Form::Native | Form::Absent | Form::Ambient) => Judgement::Wait,
        }
    }
}

/// Whether the filter has taken a completion, which only an earlier run of ours, or the task itself, can have sent. Asked on loopback
/// alone, where nobody listening is news of microseconds: a short task must not be missed meanwhile.
fn filter_is_told(options: &Options) -> bool {
    let request = Request { method: "GET", path: wire::STATUS, headers: &[], timeout: ANSWER };
    let state = |at: &SocketAddr| {
        let mut body = Body::up_to(MAX_STATUS);
        let head = http::exchange(*at, &request, &mut |piece| body.take(piece)).ok()?;
        let status = Status::parse(body.bytes()).ok().filter(|_| head.is_filters && head.status == 200)?;
        State::named(&status.state)
    };
    let told = |state| matches!(state, State::Draining | State::Drained | State::Quitting);
    options.signal.iter().filter(|at| at.ip().is_loopback()).filter_map(state).any(told)
}

/// The containers that have run for longer than the process `ours`. `None` where its beginning is unknown.
fn started_before(proc: &Procfs, ours: i32) -> Option<Vec<String>> {
    let start = proc.process(ours)?.start;
    let roots = proc.processes().filter(|process| process.parent == 0 && process.start < start);
    Some(roots.filter_map(|root| proc.container(root.pid)).map(|container| container.name).collect())
}

/// What the Envoy at `admin` says of itself.
fn server_info(admin: SocketAddr) -> Option<Body> {
    let request = Request { method: "GET", path: SERVER_INFO, headers: &[], timeout: TIMEOUT };
    let mut body = Body::up_to(MAX_SERVER_INFO);
    let head = http::exchange(admin, &request, &mut |piece| body.take(piece));
    (head.ok()?.status == 200).then_some(body)
}

/// Whether a proxy's `/server_info` says `holdApplicationUntilProxyStarts`; `None` where it does not show the proxy's configuration at
/// all.
fn holds_applications(info: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(info);
    let (_, config) = text.split_once("\"PROXY_CONFIG\"")?;
    let value = config.split_once("\"holdApplicationUntilProxyStarts\"").map(|(_, value)| value);
    Some(value.is_some_and(|value| value.trim_start_matches([':', ' ', '\n']).starts_with("true")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn evidence_is_a_container_that_was_running_before_us_and_not_one_that_came_after() {
        let root = std::env::temp_dir().join(format!("exeunt-late-{}", process::id()));
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
        assert_eq!(started_before(&proc, 30), Some(vec!["istio-proxy".to_owned()]));
        assert_eq!(started_before(&proc, 20), Some(Vec::new()), "the first of all has none");
        assert_eq!(started_before(&proc, 99), None);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn only_envoys_own_word_tells_whether_the_proxy_is_listed_first() {
        let table = [
            (r#"{"node":{"metadata":{"PROXY_CONFIG":{"holdApplicationUntilProxyStarts": true}}}}"#, Some(true)),
            (r#"{"node":{"metadata":{"PROXY_CONFIG":{"holdApplicationUntilProxyStarts":false}}}}"#, Some(false)),
            (r#"{"node":{"metadata":{"PROXY_CONFIG": {"statusPort": 15020}}}}"#, Some(false)),
            (r#"{"node":{"metadata":{}}}"#, None),
            ("", None),
        ];
        for (info, holds) in table {
            assert_eq!(holds_applications(info.as_bytes()), holds, "{info}");
        }
    }
}
