//! The laws: no byte is lost within the limits, and no telemetry in a healthy pod, the agent leaves in time, it never ends Envoy in a native sidecar, its verdict is true.

use core::time::Duration;

use agent::shutdown::MARGIN;
use agent::task::Source;
use drain::admin::Call;
use serde_json::Value;

use super::proxy::Cause;
use super::{Interruption, MILLISECOND, World};
use crate::files;

/// How much earlier a stall can seem to begin, or later to end. Movement is reported four times a second, a queue can then be as long as
/// before, and Envoy's own buffers show in no queue. While Envoy hangs, a request to it costs the agent two seconds without a report.
const RESOLUTION: Duration = Duration::from_secs(3);
/// The time of one decision: a limit is reached, and the verdict is written, within a few readings.
const DECISION: Duration = Duration::from_millis(200);
/// How much earlier than its time a limit may be named.
const EARLY: Duration = Duration::from_millis(1_200);
/// Within this time after SIGTERM there is a first verdict: the time of the first reading and its file.
const FIRST_VERDICT: Duration = Duration::from_millis(100);
/// After all limits: five minutes of waiting for a proxy that ended while no agent ran, five of draining, five of flushing.
const LONGEST: Duration = Duration::from_mins(15);
/// Within this time after the last byte a healthy pod's agent leaves.
const PROMPT: Duration = Duration::from_millis(50);

/// Within this time it gives up a connect to the filter.
const CONNECT: Duration = Duration::from_millis(50);

/// What has happened to the bytes of the task.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// When the drain began: with the end of the task, or with SIGTERM to the agent.
    began: u64,
    /// When a byte last moved, and the longest time between two movements since the drain began.
    moved: u64,
    longest_stall: u64,
    /// When the last byte was delivered.
    pub(super) delivered: Option<u64>,
    envoy_ended: Option<u64>,
    /// The bytes that ended with Envoy when it was asked to quit.
    lost_with_envoy: u64,
    /// The bytes that ended with it, however it ended.
    ended_with_envoy: u64,
    envoy_crashed: bool,
    /// Whether there was no agent when the task ended: it was killed, or a SIGTERM that is not kubelet's had ended it.
    agent_was_away: bool,
    /// Whether kubelet has killed the agent at the end of the grace period. What is left then ends with the pod a moment later.
    agent_was_killed: bool,
    wrongs: Vec<String>,
    /// What is wrong and cannot be known.
    excuses: Vec<&'static str>,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn wrong(&mut self, what: String) {
        self.wrongs.push(what);
    }

    /// Something is wrong, unless it is excused.
    fn wrong_unless(&mut self, excuse: Option<&'static str>, what: String) {
        match excuse {
            Some(excuse) if self.excuses.contains(&excuse) => {}
            Some(excuse) => self.excuses.push(excuse),
            None => self.wrong(what),
        }
    }

    /// The drain begins.
    pub(super) const fn begin(&mut self, now: u64) {
        (self.began, self.moved, self.longest_stall) = (now, now, 0);
    }

    pub(super) fn moved(&mut self, now: u64) {
        self.longest_stall = self.longest_stall.max(now.saturating_sub(self.moved));
        self.moved = now;
    }

    pub(super) const fn no_agent(&mut self) {
        self.agent_was_away = true;
    }
}

// === impl World ===

impl World {
    pub(crate) fn wrongs(&self) -> &[String] {
        &self.ledger.wrongs
    }

    pub(crate) fn excuses(&self) -> &[&'static str] {
        &self.ledger.excuses
    }

    pub(crate) fn wrong(&mut self, what: &str) {
        self.ledger.wrong(what.to_owned());
    }

    /// From the delivery of the last byte to the end of Envoy, if Envoy ended after it.
    pub(crate) fn lateness(&self) -> Option<Duration> {
        let delivered = self.ledger.delivered.or_else(|| (self.undelivered() == 0).then_some(self.ledger.began))?;
        self.ledger.envoy_ended.and_then(|ended| ended.checked_sub(delivered)).map(Duration::from_micros)
    }

    /// Whether the proxy may end: its task has ended for good, or kubelet ends all containers to start them all again.
    fn proxy_may_go(&self) -> bool {
        self.kubelet.task_has_ended() || (self.kubelet.restarts_all() && self.mains_are_down())
    }

    /// Checks a call to Envoy or pilot-agent, by the agent or by the filter.
    pub(super) fn check_call(&mut self, call: Call) {
        let asks_only = matches!(call, Call::CountClusters | Call::Clusters);
        if self.plan.native && !asks_only {
            self.ledger.wrong(format!("{call:?} in a native sidecar"));
        }
        if !asks_only && !self.proxy_may_go() {
            self.ledger.wrong_unless(self.misses_a_restart(), format!("{call:?} before the task has ended"));
        }
    }

    pub(super) fn on_envoy_end(&mut self, cause: Cause, lost: u64) {
        self.ledger.envoy_ended = Some(self.now);
        self.ledger.ended_with_envoy += lost;
        match cause {
            Cause::Asked => {
                self.judge(lost, "with Envoy");
                self.judge_telemetry("with Envoy");
                if !self.proxy_may_go() {
                    let what = "Envoy was asked to quit before its task has ended".to_owned();
                    self.ledger.wrong_unless(self.misses_a_restart(), what);
                }
                self.ledger.lost_with_envoy += lost;
                if self.plan.native {
                    self.ledger.wrong("Envoy was asked to quit in a native sidecar".to_owned());
                }
            }
            Cause::Crash => self.ledger.envoy_crashed = true,
            Cause::Kubelet => {}
        }
    }

    /// Checks the end of the agent: what is not delivered now never will be if the pod ends.
    pub(super) fn check_agent_end(&mut self, interruption: Option<Interruption>) {
        let left = self.undelivered();
        let pod_ends = match self.plan.source {
            Source::Kubelet => !self.kubelet.works() && !self.kubelet.restarts_all(),
            Source::Processes => !matches!(interruption, Some(Interruption::Killed(_))) || self.kubelet.is_deleted(),
        };
        // Kubelet does not start it again, or not while it ends the pod.
        let is_lost = pod_ends || !self.plan.kubelet.restarts_agent() || !self.kubelet.starts_containers();
        if matches!(interruption, Some(Interruption::Killed(_))) && is_lost {
            self.ledger.agent_was_away = true;
        }
        if pod_ends {
            self.judge(left, "with the pod");
            self.judge_telemetry("with the pod");
        }
        self.ledger.agent_was_killed |= interruption == Some(Interruption::GraceIsOver);
        let proxy_stays = self.plan.source == Source::Processes && !self.plan.native && self.kubelet.starts_containers();
        // After a deletion, kubelet ends the proxy at the end of the grace period.
        // A crash after the delivery looks like the end that the agent has asked for.
        // A native sidecar that leaves for a SIGTERM which is not kubelet's is started again, and does its work then.
        let comes_again = self.plan.kubelet.agent_native && self.kubelet.terminated().is_some();
        let is_excused = comes_again || self.ledger.envoy_crashed && left == 0;
        if interruption.is_none() && proxy_stays && !self.proxy.is_down() && !is_excused {
            self.ledger.wrong("the agent has left, and the proxy has not".to_owned());
        }
        match interruption {
            None if self.plan.source == Source::Kubelet => {
                self.check_verdict();
                self.check_promptness();
            }
            None => self.check_verdict(),
            Some(Interruption::GraceIsOver) => self.check_killed(),
            // In the second case the pod does not end, either.
            Some(Interruption::Killed(_) | Interruption::NeverEnds) => {}
        }
    }

    /// Checks that the pod has ended. Returns whether it has not.
    pub(crate) fn check_end(&mut self) -> bool {
        // Nothing in the pod can end a classic proxy if its agent was killed and kubelet does not start it again.
        let lost = self.kubelet.has_lost_agent() && !self.plan.native && !self.plan.kubelet.restarts_agent();
        let excuse = lost.then_some("a regular agent was killed, and kubelet does not start it again").or(self.misses_a_task());
        let stays = !self.kubelet.pod_is_over();
        if stays {
            self.ledger.wrong_unless(excuse, "the pod does not end".to_owned());
        }
        let late = self.kubelet.task_ended().map_or(Duration::ZERO, |at| self.since(at));
        if !stays && late > LONGEST {
            self.ledger.wrong_unless(excuse, format!("the pod ends {late:?} after its task"));
        }
        stays
    }

    /// The network of the pod ends with it.
    pub(super) fn check_pod_end(&mut self) {
        let left = self.undelivered();
        self.judge(left, "with the pod");
    }

    /// Bytes may be lost after a limit only.
    fn judge(&mut self, lost: u64, how: &str) {
        if lost > 0 && !self.may_lose() {
            let now = Duration::from_micros(self.now);
            self.ledger.wrong(format!("{lost} bytes are lost {how} at {now:?}"));
        }
    }

    /// The same for telemetry. Where Envoy's answers can be missing, the agent does not know of it.
    fn judge_telemetry(&mut self, how: &str) {
        let lost =
            if self.proxy.is_down() && self.ledger.envoy_ended != Some(self.now) { 0 } else { self.telemetry.unsent(self.now) };
        if lost > 0 && self.plan.is_healthy() && !self.may_lose() {
            let now = Duration::from_micros(self.now);
            self.ledger.wrong(format!("{lost} entries and spans are lost {how} at {now:?}"));
        }
    }

    fn may_lose(&self) -> bool {
        let deadline = self.since(self.ledger.began) >= self.plan.least_limits().drain_timeout;
        let grace = self.is_grace_over(Duration::ZERO) || self.ledger.agent_was_killed;
        let is_late = deadline || grace || self.has_stalled();
        is_late || self.ledger.agent_was_away || self.has_left_early() || self.is_hidden_by_envoy()
    }

    /// Whether Envoy hangs, and only its own memory holds something: no table shows that, and Envoy does not answer.
    fn is_hidden_by_envoy(&self) -> bool {
        let mut table = Vec::new();
        self.sockets(&mut table);
        // A FIN counts as a byte there.
        self.hangs_until().is_some() && table.iter().all(|socket| socket.tx_queue <= 1 && socket.rx_queue <= 1)
    }

    /// Whether the agent has drained for a SIGTERM that was not kubelet's, and kubelet's had not come when it left.
    fn has_left_early(&self) -> bool {
        self.plan.source == Source::Kubelet && !self.kubelet.has_told()
    }

    fn since(&self, at: u64) -> Duration {
        Duration::from_micros(self.now.saturating_sub(at))
    }

    /// Also if Envoy has hung for the stall timeout and continues just now: nothing can tell.
    fn has_stalled(&self) -> bool {
        let longest = self.since(self.ledger.moved).max(Duration::from_micros(self.ledger.longest_stall));
        // A connection that comes and goes between two readings of the agent moves bytes that nobody sees, and what is left has not moved.
        let now = self.now / MILLISECOND;
        let left = self.flows.iter().filter_map(|flow| flow.stalled_since(now)).map(|at| self.since(at * MILLISECOND)).max();
        let longest = longest.max(left.unwrap_or_default());
        longest + RESOLUTION + self.plan.lateness() >= self.plan.least_limits().stall_timeout
    }

    /// Whether the grace period is over, as the agent counts it or as kubelet does, without the time for the verdict and without
    /// `tolerance`.
    fn is_grace_over(&self, tolerance: Duration) -> bool {
        let margin = MARGIN + tolerance + self.plan.lateness();
        let counted = Duration::from_millis(self.plan.kubelet.grace);
        let agents = self.kubelet.terminated().is_some_and(|at| self.since(at) + margin >= counted);
        let kubelets =
            self.kubelet.kills_agent_at().is_some_and(|at| Duration::from_micros(self.now) + margin >= Duration::from_micros(at));
        agents || kubelets
    }

    /// Kubelet has killed the agent at the end of the grace period.
    fn check_killed(&mut self) {
        let counted = Duration::from_millis(self.plan.kubelet.grace);
        let Some(terminated) = self.kubelet.terminated() else { return };
        let had = self.since(terminated);
        let works_since = self.since(self.ledger.began.max(terminated));
        // Beside processes, an agent cannot know that SIGTERM is kubelet's.
        if self.plan.source == Source::Kubelet && had >= counted && works_since >= MARGIN && !self.plan.can_miss_margin() {
            self.ledger.wrong(format!("the agent has not left within its grace period of {counted:?}"));
        }
        let has_begun = self.plan.source == Source::Kubelet || self.kubelet.task_has_ended();
        if !has_begun || works_since < FIRST_VERDICT + self.plan.lateness() {
            return;
        }
        match files::read_verdict() {
            Some(verdict) if *at(&verdict, "/proxy") == "draining" || had >= counted.saturating_sub(MARGIN) => {}
            // Kubelet ends the proxy at the same time if it starts all containers again.
            Some(verdict)
                if self.plan.source == Source::Processes || self.ledger.envoy_crashed || self.kubelet.restarts_all() =>
            {
                drop(verdict);
            }
            Some(verdict) => self.ledger.wrong(format!("it was killed, and its last verdict is {verdict}")),
            None => self.ledger.wrong(format!("it was killed {works_since:?} after SIGTERM, and has written no verdict")),
        }
    }

    /// Checks the verdict of an agent that has left.
    fn check_verdict(&mut self) {
        let Some(verdict) = files::read_verdict() else {
            // An agent that has seen nothing leaves beside a native proxy, as that loses nothing. One that finds the work done by an earlier run
            // has left the verdict to that.
            let is_done = self.ledger.envoy_ended.is_some() && files::is_done();
            let has_seen_nothing = self.plan.native && self.misses_a_task().is_some();
            if !(is_done || has_seen_nothing) {
                self.ledger.wrong("the agent has left without a verdict".to_owned());
            }
            return;
        };
        self.note(&format!("agent: the verdict is {verdict}"));
        if self.plan.source == Source::Kubelet {
            self.check_source(&verdict);
        }
        let admits =
            (at(&verdict, "/undelivered/bytes"), at(&verdict, "/undelivered/connections")) != (&Value::from(0), &Value::from(0));
        let task_writes = !self.kubelet.task_has_ended();
        let truth = self.in_queues() + self.ledger.lost_with_envoy;
        // An agent that is not scheduled tells what was true when it last read. While a hung Envoy quits, its last connections vanish before its end is seen, and that reading is reported as idle.
        let reads = self.plan.lateness().is_zero();
        // An agent that has drained for a SIGTERM that was not kubelet's leaves while the task begins.
        let is_seen = !self.ledger.envoy_crashed && self.plan.hangs.is_none() && reads && !self.has_left_early();
        if truth > 0 && !admits && !task_writes && is_seen {
            self.ledger.wrong(format!("{truth} bytes are lost, and the verdict does not say so: {verdict}"));
        }
        // If the filter's responses are lost, the agent cannot know what the filter knows. For a hung Envoy it waits without a reading.
        let hears = self.plan.unanswered == 0 && self.plan.lost == 0 && self.plan.hangs.is_none();
        let long_delivered =
            self.ledger.delivered.is_none_or(|at| self.since(at) >= DECISION + self.plan.lateness()) && self.undelivered() == 0;
        let is_calm = !self.ledger.envoy_crashed && self.ledger.ended_with_envoy == 0 && !task_writes && reads;
        if *at(&verdict, "/undelivered/bytes") != 0 && long_delivered && is_calm && hears {
            self.ledger.wrong(format!("everything is delivered, and the verdict denies it: {verdict}"));
        }
        self.check_limit(&verdict);
    }

    /// Checks what the verdict says about its source.
    fn check_source(&mut self, verdict: &Value) {
        let expected = [
            ("container", Value::Null),
            ("exitCode", Value::Null),
            ("exitStatus", "unknown".into()),
            ("ended", "SIGTERM from kubelet".into()),
            ("action", "drain".into()),
        ];
        for (field, value) in expected {
            if *at(verdict, &format!("/{field}")) != value {
                self.ledger.wrong(format!("{field} is not {value}: {verdict}"));
            }
        }
        if !self.proxy.is_down() && self.ledger.envoy_ended.is_none() && *at(verdict, "/proxy") != "left" {
            self.ledger.wrong(format!("the proxy was left to kubelet: {verdict}"));
        }
    }

    /// Checks the limit that the verdict names.
    fn check_limit(&mut self, verdict: &Value) {
        let since = self.since(self.ledger.began) + EARLY;
        let is_true = match at(verdict, "/limit").as_str() {
            None => true,
            Some("grace-period") => self.is_grace_over(EARLY),
            Some("drain-timeout") => since >= self.plan.least_limits().drain_timeout,
            Some("stall-timeout") => self.has_stalled(),
            Some(_) => false,
        };
        if !is_true {
            self.ledger.wrong(format!("it names a limit that was not reached: {verdict}"));
        }
        if at(verdict, "/limit").is_null() != at(verdict, "/advice").is_null() {
            self.ledger.wrong(format!("a limit without advice, or the reverse: {verdict}"));
        }
        // A drain for another SIGTERM can be over while the task writes on.
        let is_over = self.kubelet.task_has_ended() && !self.has_left_early();
        let names_none = at(verdict, "/limit").is_null() && *at(verdict, "/proxy") == "left" && is_over;
        if names_none && *at(verdict, "/undelivered/bytes") != 0 {
            self.ledger.wrong(format!("bytes are undelivered, and no limit is named: {verdict}"));
        }
    }

    /// Checks that the agent of a healthy pod leaves as soon as it can.
    fn check_promptness(&mut self) {
        let Some(terminated) = self.kubelet.terminated().filter(|_| self.plan.is_healthy() && self.undelivered() == 0) else {
            return;
        };
        let delivered = self.ledger.delivered.unwrap_or_default().max(terminated);
        let late = self.since(delivered);
        // A connect to a captured address, where Istio captures none, is not answered.
        let connect = if self.plan.limited_capture { CONNECT } else { Duration::ZERO };
        let telemetry = self.plan.telemetry.longest();
        if self.kubelet.task_has_ended() && late > PROMPT + connect + telemetry + self.plan.lateness() {
            self.ledger.wrong(format!("the agent has left {late:?} after the last byte"));
        }
    }
}

/// The value at `pointer` in the verdict.
fn at<'v>(verdict: &'v Value, pointer: &str) -> &'v Value {
    verdict.pointer(pointer).unwrap_or(&Value::Null)
}
