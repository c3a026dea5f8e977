//! Kubelet: the runs of the task, and the order in which it ends the containers of a pod.
//!
//! Regular containers come first. When the last of them has ended for good, or has left after a deletion, the native sidecars get SIGTERM
//! in the reverse order of their list, each when the one before has left: another sidecar, the agent, another sidecar, istio-proxy. They
//! share what is left of the pod's grace period, and each has at least two seconds. (Kubernetes, KEP-753 and `pkg/kubelet/kuberuntime`,
//! `killContainer`.)

use core::time::Duration;

use agent::task::Source;
use drain::time::Instant;

use super::proxy::{Cause, LEAVING, MINIMUM_DRAIN};
use super::{Happening, Interruption, MILLISECOND, World};

const SECOND: u64 = 1_000 * MILLISECOND;
/// `minimumGracePeriodInSeconds`.
const LEAST_GRACE: u64 = 2 * SECOND;
/// From the end of a main container that kubelet waits for, to what it does next. It has to ask nobody.
const AT_ONCE: u64 = 5 * MILLISECOND;
/// How long kubelet waits before it starts a sidecar again that has ended by itself: the first time, and later.
const BACK_OFF: u64 = SECOND;
const LONG_BACK_OFF: u64 = 10 * SECOND;

/// What kubelet or a container does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The task starts for the first time, or again.
    RunBegins(usize),
    /// This run of the task ends.
    RunEnds(usize),
    /// The pod is deleted.
    Deletes,
    /// Kubelet has seen that all regular containers have ended for good, or that all containers are to be restarted.
    EndsSidecars,
    /// The sidecars behind the agent have left.
    TellsAgent,
    /// The sidecars before the agent have left.
    TellsProxy,
    /// The istio-proxy of this number has used up its grace period.
    KillsProxy(u32),
    /// Somebody else sends SIGTERM to the agent.
    Stray,
    StartsAgent,
    StartsProxy,
    /// The Envoy of this number listens.
    EnvoyListens(u32),
}

/// The phase of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A run of the task runs, or kubelet waits before the next one.
    Works,
    /// Since then, kubelet ends the containers of the pod.
    Ends(u64),
    /// Since then, kubelet ends them all in order to start them all again.
    Restarts(u64),
    /// All have ended.
    Over,
}

#[derive(Debug)]
pub(super) struct Kubelet {
    phase: Phase,
    /// How many runs of the task are over.
    runs_over: usize,
    /// When the last one ended.
    task_ended: Option<u64>,
    agent_runs: bool,
    /// How often the agent was started again.
    restarts: u32,
    /// When the running agent last got SIGTERM.
    terminated: Option<u64>,
    /// Whether it was kubelet's.
    has_told: bool,
    /// When kubelet kills the agent.
    kills_agent: Option<u64>,
    /// When the grace period of a deletion ends.
    deleted_until: Option<u64>,
}

// === impl Kubelet ===

impl Kubelet {
    /// The pod has started: its sidecars run.
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Works,
            runs_over: 0,
            task_ended: None,
            agent_runs: true,
            restarts: 0,
            terminated: None,
            has_told: false,
            kills_agent: None,
            deleted_until: None,
        }
    }

    pub(super) const fn kills_agent_at(&self) -> Option<u64> {
        if self.agent_runs { self.kills_agent } else { None }
    }

    pub(super) const fn runs_agent(&self) -> bool {
        self.agent_runs
    }

    pub(super) const fn task_has_ended(&self) -> bool {
        self.task_ended.is_some()
    }

    pub(super) const fn terminated(&self) -> Option<u64> {
        self.terminated
    }

    pub(super) const fn has_told(&self) -> bool {
        self.has_told
    }

    pub(super) const fn is_deleted(&self) -> bool {
        self.deleted_until.is_some()
    }

    pub(super) const fn run_is_over(&self, run: usize) -> bool {
        run < self.runs_over
    }

    pub(super) fn pod_is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether the task goes on, as far as kubelet has seen.
    pub(super) fn works(&self) -> bool {
        self.phase == Phase::Works
    }

    /// Whether kubelet ends the sidecars now, in order, and since when.
    const fn ends_since(&self) -> Option<u64> {
        match self.phase {
            Phase::Ends(since) | Phase::Restarts(since) => Some(since),
            Phase::Works | Phase::Over => None,
        }
    }
}

// === impl World ===

impl World {
    /// When SIGTERM last came to the agent that runs.
    pub(crate) fn terminated_at(&self) -> Option<Instant> {
        self.kubelet.terminated.map(|at| Instant::at(Duration::from_micros(at)))
    }

    /// When the task ended for good.
    pub(crate) fn task_ended_at(&self) -> Option<Instant> {
        self.kubelet.task_ended.map(|at| Instant::at(Duration::from_micros(at)))
    }

    pub(crate) fn pod_is_over(&self) -> bool {
        self.kubelet.pod_is_over()
    }

    /// The agent's container has ended: by itself, or by `interruption`.
    pub(crate) fn on_agent_end(&mut self, interruption: Option<Interruption>) {
        self.note(&format!("the agent ends ({interruption:?})"));
        self.check_agent_end(interruption);
        self.kubelet.agent_runs = false;
        let had_told = core::mem::take(&mut self.kubelet.has_told);
        (self.kubelet.terminated, self.kubelet.kills_agent) = (None, None);
        let back_off = if self.kubelet.restarts == 0 { BACK_OFF } else { LONG_BACK_OFF };
        match (self.plan.source, interruption) {
            (_, Some(Interruption::Killed(pause))) if self.kubelet.works() && !self.kubelet.is_deleted() => {
                let pause = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
                self.schedule(pause, Happening::Kubelet(Step::StartsAgent));
            }
            (Source::Kubelet, None) if self.kubelet.works() => self.schedule(back_off, Happening::Kubelet(Step::StartsAgent)),
            // Otherwise it is not yet the agent's turn, and then kubelet finds none.
            (Source::Kubelet, _) if had_told => {
                self.schedule(self.plan.kubelet.before * MILLISECOND, Happening::Kubelet(Step::TellsProxy));
            }
            (Source::Kubelet, _) => {}
            (Source::Processes, _) => self.kubelet.phase = Phase::Over,
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::RunBegins(run) => self.begin_run(run),
            Step::RunEnds(run) => self.end_run(run),
            Step::Deletes => self.delete(),
            Step::EndsSidecars => self.end_sidecars(),
            Step::TellsAgent => self.tell_agent(),
            Step::TellsProxy => self.tell_proxy(),
            Step::KillsProxy(number) if self.proxy.is_number(number) => self.end_envoy(Cause::Kubelet),
            Step::Stray if self.kubelet.agent_runs && self.kubelet.works() => {
                self.note("SIGTERM that is not kubelet's");
                self.terminate_agent();
            }
            Step::StartsAgent if self.kubelet.is_deleted() && self.plan.source == Source::Processes => {
                self.kubelet.phase = Phase::Over;
            }
            Step::StartsAgent if !self.kubelet.works() => {}
            Step::StartsAgent => {
                self.note("kubelet starts the agent again");
                self.kubelet.restarts += 1;
                self.kubelet.agent_runs = true;
            }
            Step::StartsProxy if self.proxy.is_down() && self.kubelet.restarts_proxy() => {
                self.start_pilot_agent();
                let listens = Step::EnvoyListens(self.proxy.number());
                self.schedule(self.plan.kubelet.proxy_starts * MILLISECOND, Happening::Kubelet(listens));
            }
            Step::EnvoyListens(number) if self.proxy.is_number(number) => self.start_envoy(),
            Step::KillsProxy(_) | Step::EnvoyListens(_) | Step::Stray | Step::StartsProxy => {}
        }
    }

    fn begin_run(&mut self, run: usize) {
        let Some(plan) = self.plan.kubelet.runs.get(run).copied() else { return };
        if self.kubelet.works() && !self.kubelet.is_deleted() {
            self.note(&format!("run {run} of the task begins"));
            let left = (plan.ends * MILLISECOND).saturating_sub(self.now);
            self.schedule(left, Happening::Kubelet(Step::RunEnds(run)));
        }
    }

    fn end_run(&mut self, run: usize) {
        if self.kubelet.run_is_over(run) || !self.kubelet.works() {
            return;
        }
        self.kubelet.runs_over = run + 1;
        self.close_flows(run);
        let next = self.plan.kubelet.runs.get(run + 1).copied();
        let is_last = next.is_none() || self.kubelet.is_deleted();
        self.note(&format!("run {run} of the task ends{}", if is_last { ", the last one" } else { "" }));
        if is_last {
            self.kubelet.task_ended = Some(self.now);
        }
        if self.plan.source == Source::Processes {
            return self.ledger.begin(self.now);
        }
        // In a deletion kubelet waits for the containers themselves.
        let late = if self.kubelet.is_deleted() { AT_ONCE } else { self.plan.kubelet.late * MILLISECOND };
        match next {
            Some(next) if !is_last && !self.plan.kubelet.restarts_all => {
                let pause = (next.begins * MILLISECOND).saturating_sub(self.now);
                self.schedule(pause, Happening::Kubelet(Step::RunBegins(run + 1)));
            }
            Some(_) | None => self.schedule(late, Happening::Kubelet(Step::EndsSidecars)),
        }
    }

    /// The pod is deleted while the task runs, or while kubelet already ends the sidecars.
    fn delete(&mut self) {
        let plan = &self.plan.kubelet;
        let (grace, handles) = (plan.shorter.unwrap_or(plan.grace) * MILLISECOND, plan.handles.saturating_mul(MILLISECOND));
        if self.kubelet.pod_is_over() || self.kubelet.is_deleted() {
            return;
        }
        self.note(&format!("the pod is deleted, grace period {:?}", Duration::from_micros(grace)));
        let until = self.now + grace;
        self.kubelet.deleted_until = Some(until);
        if self.plan.source == Source::Processes {
            self.kubelet.terminated.get_or_insert(self.now);
            self.kubelet.kills_agent = Some(until);
            if !self.plan.native {
                self.schedule(MINIMUM_DRAIN, Happening::PilotAgentLooks(Cause::Kubelet));
            }
        }
        if self.kubelet.works() && self.kubelet.task_ended.is_none() {
            // Between two runs there is no process to wait for.
            let run = self.kubelet.runs_over;
            let begun = self.plan.kubelet.runs.get(run).is_some_and(|run| run.begins * MILLISECOND <= self.now);
            let left = if begun { handles.min(grace) } else { AT_ONCE };
            self.schedule(left, Happening::Kubelet(Step::RunEnds(run)));
        }
        if let Phase::Restarts(since) = self.kubelet.phase {
            self.kubelet.phase = Phase::Ends(since);
            self.kubelet.task_ended = Some(self.now);
        }
        if let Some(kills) = &mut self.kubelet.kills_agent {
            // A shorter grace period counts from now on.
            *kills = (*kills).min(until);
        }
    }

    fn end_sidecars(&mut self) {
        if !self.kubelet.works() {
            return;
        }
        let ends = self.kubelet.is_deleted() || self.kubelet.task_has_ended();
        self.kubelet.phase = if ends { Phase::Ends(self.now) } else { Phase::Restarts(self.now) };
        if ends {
            self.kubelet.task_ended.get_or_insert(self.now);
        }
        let behind = (self.plan.kubelet.behind * MILLISECOND).min(self.grace_left());
        self.schedule(behind, Happening::Kubelet(Step::TellsAgent));
    }

    /// What is left of the grace period, at least two seconds. Kubelet counts in whole seconds.
    fn grace_left(&self) -> u64 {
        let end = match (self.kubelet.deleted_until, self.kubelet.ends_since()) {
            (Some(until), _) => until,
            (None, since) => since.unwrap_or(self.now) + self.plan.kubelet.grace * MILLISECOND,
        };
        end.saturating_sub(self.now).next_multiple_of(SECOND).max(LEAST_GRACE)
    }

    fn tell_agent(&mut self) {
        let left = self.grace_left();
        if self.kubelet.agent_runs {
            self.note(&format!("kubelet sends SIGTERM to the agent, which has {:?}", Duration::from_micros(left)));
            self.terminate_agent();
            self.kubelet.has_told = true;
            self.kubelet.kills_agent = Some(self.now + left);
        } else {
            self.ledger.no_agent();
            self.schedule(0, Happening::Kubelet(Step::TellsProxy));
        }
    }

    /// The agent gets SIGTERM. Its drain begins with the first one, its grace period with the last one.
    fn terminate_agent(&mut self) {
        if self.kubelet.terminated.is_none() {
            self.ledger.begin(self.now);
        }
        self.kubelet.terminated = Some(self.now);
    }

    fn tell_proxy(&mut self) {
        if self.proxy.is_down() {
            return self.on_proxy_end(Cause::Kubelet);
        }
        self.note("kubelet sends SIGTERM to istio-proxy");
        let left = self.grace_left();
        self.schedule(left, Happening::Kubelet(Step::KillsProxy(self.proxy.number())));
        if self.plan.kubelet.pre_stop {
            self.schedule(LEAVING, Happening::EnvoyEnds(self.proxy.number(), Cause::Kubelet));
        } else {
            self.schedule(MINIMUM_DRAIN, Happening::PilotAgentLooks(Cause::Kubelet));
        }
    }

    /// istio-proxy has ended. A native one is started again while the task goes on, a classic one by the restart policy.
    pub(super) fn on_proxy_end(&mut self, cause: Cause) {
        match self.kubelet.phase {
            Phase::Works => {
                let restarts = self.plan.native || (self.plan.kubelet.on_failure && cause == Cause::Crash);
                if restarts && !self.kubelet.is_deleted() {
                    self.schedule(self.plan.kubelet.proxy_down * MILLISECOND, Happening::Kubelet(Step::StartsProxy));
                }
            }
            // Otherwise it has crashed, and the agent has still to leave.
            Phase::Ends(_) if !self.kubelet.agent_runs => {
                self.kubelet.phase = Phase::Over;
                self.note("the pod ends");
            }
            Phase::Restarts(_) if !self.kubelet.agent_runs => self.restart_all(),
            Phase::Ends(_) | Phase::Restarts(_) | Phase::Over => {}
        }
    }

    /// Every container has ended. They start again in the order of the list.
    fn restart_all(&mut self) {
        self.note("kubelet starts all containers again");
        self.kubelet.phase = Phase::Works;
        let plan = &self.plan.kubelet;
        let (next, listens) = (self.kubelet.runs_over, plan.proxy_starts * MILLISECOND);
        let begins = plan.runs.get(next).map_or(0, |run| run.begins * MILLISECOND).saturating_sub(self.now);
        self.schedule(0, Happening::Kubelet(Step::StartsProxy));
        self.schedule(listens + AT_ONCE, Happening::Kubelet(Step::StartsAgent));
        self.schedule(begins.max(listens + 2 * AT_ONCE), Happening::Kubelet(Step::RunBegins(next)));
    }
}

// === impl Kubelet ===

impl Kubelet {
    /// Whether kubelet starts istio-proxy: not in a pod that ends.
    fn restarts_proxy(&self) -> bool {
        self.works() && !self.is_deleted()
    }
}
