//! Kubelet: the order in which it starts and ends the containers of a pod.
//!
//! When the last regular container has ended for good, or all have left after a deletion, the native sidecars get SIGTERM in the reverse
//! order of their list, each when the one before has left: another sidecar, the agent, another sidecar, istio-proxy. They share what is
//! left of the pod's grace period, and each has at least two seconds. (Kubernetes, KEP-753 and `pkg/kubelet/kuberuntime`,
//! `killContainer`.)

use core::time::Duration;

use agent::os::world::{Creations, Source as Answer};
use agent::task::Source;
use drain::time::Instant;

use super::mains::MainState;
use super::proxy::{Cause, LEAVING, MINIMUM_DRAIN};
use super::{Happening, Interruption, MILLISECOND, World};
use crate::plan::Plan;

const SECOND: u64 = 1_000 * MILLISECOND;
/// `minimumGracePeriodInSeconds`.
const LEAST_GRACE: u64 = 2 * SECOND;
/// From the end of a main container that kubelet waits for, to what it does next. It has to ask nobody.
pub(super) const AT_ONCE: u64 = 5 * MILLISECOND;
/// How long kubelet waits before it starts a sidecar again that has ended by itself: the first time, and later.
const BACK_OFF: u64 = SECOND;
const LONG_BACK_OFF: u64 = 10 * SECOND;

/// What kubelet or a container does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// This run of this main container begins.
    RunBegins(usize, usize),
    /// It ends by itself.
    RunEnds(usize, usize),
    /// It ends because kubelet has asked for it.
    RunIsStopped(usize, usize),
    /// The pod is deleted.
    Deletes,
    /// Kubelet has seen the end of a container, after which all are to be started again.
    RestartsAll,
    /// Kubelet has seen that all regular containers have ended.
    EndsSidecars,
    /// The sidecars behind the agent have left.
    TellsAgent,
    /// The sidecars before the agent have left.
    TellsProxy,
    /// Kubelet creates a container, which will start. It writes `/etc/hosts` before it asks the runtime.
    Creates,
    /// The istio-proxy of this number has used up its grace period.
    KillsProxy(u32),
    /// Somebody else sends SIGTERM to the agent.
    Stray,
    StartsAgent,
    StartsProxy,
    /// The init container of Istio runs.
    InitBegins,
    InitEnds,
    /// The Envoy of this number listens.
    EnvoyListens(u32),
}

/// The phase of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A run of the task runs, or kubelet waits before the next one.
    Works,
    /// Since then, kubelet ends the sidecars, and the pod with them.
    Ends(u64),
    /// Kubelet ends all containers in order to start them all again.
    Restarts,
    /// All have ended.
    Over,
}

/// The container of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agent {
    Runs,
    /// It has ended, or has not started yet, and kubelet can start it.
    Down,
    /// It has ended for good.
    Ended,
}

#[derive(Debug)]
pub(super) struct Kubelet {
    pub(super) phase: Phase,
    pub(super) mains: Vec<MainState>,
    /// When the last main container ended for good.
    pub(super) task_ended: Option<u64>,
    agent: Agent,
    /// How often kubelet has started all containers again.
    pub(super) round: u32,
    /// How often the agent was started since then.
    starts: u32,
    /// The PID of the agent that runs, and since when it does.
    pub(super) agent_pid: i32,
    pub(super) agent_since: u64,
    /// How many containers kubelet has created, and how many of them before the agent that runs.
    creations: u32,
    creations_before: u32,
    /// How many when the agent began to watch, and when that was.
    watched_since: u32,
    pub(super) watches_since: u64,
    /// The process of `istio-init` while it runs, and since when it does.
    pub(super) init: Option<(i32, u64)>,
    /// When the running agent last got SIGTERM.
    terminated: Option<u64>,
    /// What the agent knows of it.
    known_sigterm: Option<u64>,
    /// Whether it was kubelet's.
    has_told: bool,
    /// When kubelet kills the agent.
    kills_agent: Option<u64>,
    /// Whether kubelet will start the proxy: for the first time, or again after a crash.
    proxy_comes: bool,
    /// Whether kubelet has seen that all regular containers have ended, or will within moments.
    has_seen_end: bool,
    /// When the grace period of a deletion ends.
    deleted_until: Option<u64>,
}

// === impl Kubelet ===

impl Kubelet {
    /// The pod has started: its sidecars run.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            phase: Phase::Works,
            mains: plan.kubelet.mains.iter().map(|_| MainState::new()).collect(),
            task_ended: None,
            agent: Agent::Down,
            round: 0,
            starts: 0,
            agent_pid: 0,
            agent_since: 0,
            creations: 0,
            creations_before: 0,
            watched_since: 0,
            watches_since: 0,
            init: None,
            terminated: None,
            known_sigterm: None,
            has_told: false,
            kills_agent: None,
            proxy_comes: true,
            has_seen_end: false,
            deleted_until: None,
        }
    }

    pub(super) fn kills_agent_at(&self) -> Option<u64> {
        self.kills_agent.filter(|_| self.runs_agent())
    }

    pub(super) fn runs_agent(&self) -> bool {
        self.agent == Agent::Runs
    }

    pub(super) const fn task_has_ended(&self) -> bool {
        self.task_ended.is_some()
    }

    pub(super) const fn task_ended(&self) -> Option<u64> {
        self.task_ended
    }

    pub(super) const fn terminated(&self) -> Option<u64> {
        self.terminated
    }

    pub(super) const fn was_agent_restarted(&self) -> bool {
        self.starts > 1
    }

    /// Whether there were creations before the watch of the running agent began that it does not count: the time of the file tells the last one.
    pub(super) const fn has_uncounted(&self) -> bool {
        self.watched_since > self.creations_before + 1
    }

    /// Whether the running agent has got a SIGTERM that it does not know.
    pub(super) fn has_new_sigterm(&self) -> bool {
        self.terminated != self.known_sigterm
    }

    pub(super) const fn has_told(&self) -> bool {
        self.has_told
    }

    pub(super) const fn is_deleted(&self) -> bool {
        self.deleted_until.is_some()
    }

    pub(super) fn pod_is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether the task goes on, as far as kubelet has seen.
    pub(super) fn works(&self) -> bool {
        self.phase == Phase::Works
    }

    /// Whether kubelet still starts containers.
    pub(super) fn starts_containers(&self) -> bool {
        self.works() && !self.is_deleted()
    }

    /// Whether kubelet ends all containers in order to start them all again.
    pub(super) const fn restarts_all(&self) -> bool {
        matches!(self.phase, Phase::Restarts)
    }

    /// Whether the agent has ended and kubelet does not start it again.
    pub(super) fn has_lost_agent(&self) -> bool {
        self.agent == Agent::Ended
    }

    /// Whether kubelet ends the sidecars now, in order, and since when.
    const fn ends_since(&self) -> Option<u64> {
        match self.phase {
            Phase::Ends(since) => Some(since),
            Phase::Works | Phase::Restarts | Phase::Over => None,
        }
    }
}

// === impl World ===

impl World {
    /// When SIGTERM last came to the agent that runs, as far as it knows, or else as it knows now.
    pub(crate) fn terminated_at(&mut self, source: Answer) -> Option<Instant> {
        if source == Answer::Kernel {
            self.kubelet.known_sigterm = self.kubelet.terminated;
        }
        self.kubelet.known_sigterm.map(|at| Instant::at(Duration::from_micros(at)))
    }

    /// When the task ended for good.
    pub(crate) fn task_ended_at(&self) -> Option<Instant> {
        self.kubelet.task_ended.map(|at| Instant::at(Duration::from_micros(at)))
    }

    pub(crate) fn pod_is_over(&self) -> bool {
        self.kubelet.pod_is_over()
    }

    /// How many containers kubelet has created since the agent started, if that can be seen.
    pub(crate) fn creations(&self) -> Option<Creations> {
        let Kubelet { creations, creations_before, watched_since, .. } = self.kubelet;
        // Of several before the watch began, the time of the file tells one.
        let unwatched = (watched_since - creations_before).min(1);
        let count = creations - watched_since + unwatched;
        self.plan.kubelet.shows_starts.then_some(Creations { count, is_exact: unwatched == 0 })
    }

    /// The agent has begun to watch the creations.
    pub(crate) const fn watch_creations(&mut self) {
        self.kubelet.watched_since = self.kubelet.creations;
        self.kubelet.watches_since = self.now;
    }

    /// The last id in the PID namespace, if that can be seen.
    pub(crate) fn last_id(&self) -> Option<i32> {
        self.plan.kubelet.shows_starts.then(|| self.ids.last())
    }

    /// How many ids above `after` are no longer alive, if that can be seen.
    pub(crate) fn unused_ids(&self, after: i32) -> Option<u32> {
        self.plan.kubelet.shows_starts.then(|| self.ids.unused(after))
    }

    /// The agent's container has ended: by itself, or by `interruption`.
    pub(crate) fn on_agent_end(&mut self, interruption: Option<Interruption>) {
        self.note(&format!("the agent ends ({interruption:?})"));
        self.check_agent_end(interruption);
        let had_told = core::mem::take(&mut self.kubelet.has_told);
        (self.kubelet.terminated, self.kubelet.known_sigterm, self.kubelet.kills_agent) = (None, None, None);
        let native = self.plan.kubelet.agent_native;
        let pause = match interruption {
            Some(Interruption::Killed(pause)) if self.plan.kubelet.restarts_agent() => Some(micros(pause)),
            None if native && self.kubelet.starts == 1 => Some(BACK_OFF),
            None if native => Some(LONG_BACK_OFF),
            Some(_) | None => None,
        };
        let restarts = self.kubelet.restarts_all();
        let pause = pause.filter(|_| self.kubelet.starts_containers());
        self.kubelet.agent = if pause.is_some() || native || restarts { Agent::Down } else { Agent::Ended };
        if let Some(pause) = pause {
            self.schedule_start(pause, Step::StartsAgent);
        }
        self.ids.end(self.kubelet.agent_pid);
        if had_told && self.kubelet.ends_since().is_some() {
            // Otherwise it is not yet the agent's turn, and then kubelet finds none.
            self.schedule(self.plan.kubelet.before * MILLISECOND, Happening::Kubelet(Step::TellsProxy));
        }
        self.proceed();
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::RunBegins(main, run) => self.begin_run(main, run),
            Step::RunEnds(main, run) => self.end_run(main, run, false),
            Step::RunIsStopped(main, run) => self.end_run(main, run, true),
            Step::Deletes => self.delete(),
            Step::RestartsAll if self.kubelet.starts_containers() => {
                self.note("kubelet ends all containers to start them again");
                self.kubelet.phase = Phase::Restarts;
                self.stop_all();
            }
            Step::InitBegins if self.kubelet.starts_containers() => {
                let pid = self.start_process();
                // It runs iptables several times.
                self.ids.pass(3);
                self.kubelet.init = Some((pid, self.now));
                self.schedule(self.plan.kubelet.init_lasts * MILLISECOND, Happening::Kubelet(Step::InitEnds));
            }
            Step::InitEnds => {
                if let Some((pid, _)) = self.kubelet.init.take() {
                    self.ids.end(pid);
                }
            }
            Step::EndsSidecars => self.end_sidecars(),
            Step::Creates if self.kubelet.starts_containers() => self.kubelet.creations += 1,
            Step::TellsAgent => self.tell_agent(),
            Step::TellsProxy => self.tell_proxy(),
            Step::KillsProxy(number) if self.proxy.is_number(number) => self.end_envoy(Cause::Kubelet),
            Step::Stray if self.kubelet.runs_agent() && self.kubelet.works() => {
                self.note("SIGTERM that is not kubelet's");
                self.terminate_agent();
            }
            Step::StartsAgent if self.kubelet.agent == Agent::Down && self.kubelet.starts_containers() => {
                self.note("kubelet starts the agent");
                self.kubelet.starts += 1;
                self.kubelet.agent = Agent::Runs;
                self.kubelet.agent_pid = self.start_process();
                self.kubelet.agent_since = self.now;
                self.forget_opened();
                self.kubelet.creations_before = self.kubelet.creations;
                self.kubelet.watched_since = self.kubelet.creations;
            }
            Step::StartsProxy if self.proxy.is_down() && self.kubelet.starts_containers() => {
                self.kubelet.proxy_comes = false;
                self.start_pilot_agent();
                let listens = Step::EnvoyListens(self.proxy.number());
                self.schedule(self.plan.kubelet.proxy_starts * MILLISECOND, Happening::Kubelet(listens));
            }
            Step::EnvoyListens(number) if self.proxy.is_number(number) => self.start_envoy(),
            Step::RestartsAll
            | Step::InitBegins
            | Step::Creates
            | Step::KillsProxy(_)
            | Step::EnvoyListens(_)
            | Step::Stray
            | Step::StartsAgent
            | Step::StartsProxy => {}
        }
    }

    /// Kubelet creates a container shortly before its start, `step`, which comes after this time.
    pub(super) fn schedule_start(&mut self, after: u64, step: Step) {
        let runtime = 30 * MILLISECOND + self.dice.below(100 * MILLISECOND);
        let round = self.kubelet.round;
        self.schedule(after.saturating_sub(runtime), Happening::Start(round, Step::Creates));
        self.schedule(after, Happening::Start(round, step));
    }

    /// The first process of a container starts. Returns its PID.
    pub(super) fn start_process(&mut self) -> i32 {
        self.ids.start_container(self.plan.kubelet.runtime, &mut self.dice)
    }

    /// The pod is deleted while the task runs, or while kubelet already ends the sidecars.
    fn delete(&mut self) {
        let plan = &self.plan.kubelet;
        let grace = plan.shorter.unwrap_or(plan.grace) * MILLISECOND;
        if self.kubelet.pod_is_over() || self.kubelet.is_deleted() {
            return;
        }
        self.note(&format!("the pod is deleted, grace period {:?}", Duration::from_micros(grace)));
        let until = self.now + grace;
        self.kubelet.deleted_until = Some(until);
        self.kubelet.proxy_comes = false;
        if !self.kubelet.runs_agent() {
            self.ledger.no_agent();
        }
        if let Some(kills) = &mut self.kubelet.kills_agent {
            // A shorter grace period counts from now on.
            *kills = (*kills).min(until);
        }
        match self.kubelet.phase {
            Phase::Works => self.stop_regular(grace),
            Phase::Restarts if self.kubelet.has_seen_end => {
                self.kubelet.phase = Phase::Ends(self.now);
                self.end_waiting_mains();
            }
            Phase::Restarts => {
                self.kubelet.phase = Phase::Works;
                self.stop_regular(grace);
            }
            Phase::Ends(_) | Phase::Over => {}
        }
    }

    /// All regular containers get SIGTERM at once, and SIGKILL after `grace`.
    fn stop_regular(&mut self, grace: u64) {
        self.stop_mains(grace);
        let until = self.now + grace;
        if !self.plan.kubelet.agent_native && self.kubelet.runs_agent() {
            self.terminate_agent();
            self.kubelet.kills_agent = Some(until);
        }
        if !self.plan.native && !self.proxy.is_down() {
            self.schedule(MINIMUM_DRAIN, Happening::PilotAgentLooks(self.proxy.number(), Cause::Kubelet));
            self.schedule(grace, Happening::Kubelet(Step::KillsProxy(self.proxy.number())));
        }
        if self.kubelet.agent == Agent::Down && !self.plan.kubelet.agent_native && self.kubelet.is_deleted() {
            self.kubelet.agent = Agent::Ended;
        }
        self.proceed();
    }

    /// All containers get SIGTERM at once, in no order, and SIGKILL after two seconds, whatever the grace period of the pod is (Kubernetes,
    /// KEP-5532).
    fn stop_all(&mut self) {
        self.stop_mains(LEAST_GRACE);
        if self.kubelet.runs_agent() {
            self.terminate_agent();
            self.kubelet.kills_agent = Some(self.now + LEAST_GRACE);
        }
        if !self.proxy.is_down() {
            self.terminate_proxy(LEAST_GRACE);
        }
        self.proceed();
    }

    /// Looks whether all regular containers have ended, and goes on if so. If all are to be started again, all must have ended.
    pub(super) fn proceed(&mut self) {
        let restarts = self.kubelet.restarts_all();
        if self.kubelet.has_seen_end || !(self.kubelet.works() || restarts) {
            return;
        }
        let have_ended = if restarts {
            self.mains_are_down() && !self.kubelet.runs_agent() && self.proxy.is_down()
        } else {
            let agent = self.plan.kubelet.agent_native || self.kubelet.agent == Agent::Ended;
            let proxy = self.plan.native || (self.proxy.is_down() && !self.kubelet.proxy_comes);
            self.kubelet.task_has_ended() && agent && proxy
        };
        if have_ended {
            self.kubelet.has_seen_end = true;
            // In a deletion kubelet waits for the containers themselves.
            let late = if self.kubelet.is_deleted() { AT_ONCE } else { self.plan.kubelet.late * MILLISECOND };
            self.schedule(late, Happening::Kubelet(Step::EndsSidecars));
        }
    }

    fn end_sidecars(&mut self) {
        if self.kubelet.restarts_all() {
            return self.restart_all();
        }
        if self.kubelet.works() {
            self.kubelet.phase = Phase::Ends(self.now);
        }
        if self.plan.kubelet.agent_native {
            let behind = (self.plan.kubelet.behind * MILLISECOND).min(self.grace_left());
            self.schedule(behind, Happening::Kubelet(Step::TellsAgent));
        } else {
            self.tell_proxy();
        }
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
        if self.kubelet.runs_agent() {
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
        if self.kubelet.terminated.is_none() && self.plan.source == Source::Kubelet {
            self.ledger.begin(self.now);
        }
        self.kubelet.terminated = Some(self.now);
    }

    fn tell_proxy(&mut self) {
        if self.proxy.is_down() {
            return self.on_proxy_end(Cause::Kubelet);
        }
        self.terminate_proxy(self.grace_left());
    }

    /// istio-proxy gets SIGTERM, and SIGKILL after this time.
    fn terminate_proxy(&mut self, left: u64) {
        self.note("kubelet sends SIGTERM to istio-proxy");
        self.schedule(left, Happening::Kubelet(Step::KillsProxy(self.proxy.number())));
        if self.plan.kubelet.pre_stop {
            self.schedule(LEAVING, Happening::EnvoyEnds(self.proxy.number(), Cause::Kubelet));
        } else {
            self.schedule(MINIMUM_DRAIN, Happening::PilotAgentLooks(self.proxy.number(), Cause::Kubelet));
        }
    }

    /// istio-proxy has ended. A native one is started again while the task goes on, a classic one by the restart policy.
    pub(super) fn on_proxy_end(&mut self, cause: Cause) {
        match self.kubelet.phase {
            Phase::Works => {
                let restarts = self.plan.native || (self.plan.kubelet.on_failure && cause == Cause::Crash);
                if restarts && !self.kubelet.is_deleted() {
                    self.kubelet.proxy_comes = true;
                    self.schedule_start(self.plan.kubelet.proxy_down * MILLISECOND, Step::StartsProxy);
                }
                self.proceed();
            }
            // Otherwise it has crashed, and the agent has still to leave.
            Phase::Ends(_) if !self.kubelet.runs_agent() => {
                self.kubelet.phase = Phase::Over;
                self.note("the pod ends");
                self.check_pod_end();
            }
            Phase::Restarts => self.proceed(),
            Phase::Ends(_) | Phase::Over => {}
        }
    }

    /// Every container has ended. They start again in the order of the list.
    fn restart_all(&mut self) {
        self.note("kubelet starts all containers again");
        self.kubelet.phase = Phase::Works;
        self.kubelet.has_seen_end = false;
        self.kubelet.agent = Agent::Down;
        self.kubelet.proxy_comes = true;
        // What is still planned is of the containers that are gone.
        self.kubelet.round += 1;
        self.kubelet.starts = 0;
        let plan = &self.plan.kubelet;
        let (proxy, agent, init, mains) = (plan.proxy_begins, plan.agent_begins, plan.init_begins, plan.main_again);
        for (begins, step) in [(proxy, Step::StartsProxy), (agent, Step::StartsAgent), (init, Step::InitBegins)] {
            self.schedule_start(begins * MILLISECOND, step);
        }
        self.restart_mains(mains * MILLISECOND);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
