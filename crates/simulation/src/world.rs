//! The world of one agent: the kernel, Envoy with the filter, pilot-agent, kubelet. Its time passes while the agent waits.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::resume_unwind;

use agent::os::http::Request;
use agent::shutdown::MARGIN;
use drain::admin::{Answer, Call, CallId, Callee, Failure};
use drain::limits::Limits;
use drain::machine::{Effect, Event, Machine};
use drain::time::Instant;
use drain::wire::{self, Completion};
use pod::ports;
use pod::sockets::{Endpoint, Socket, State as SocketState};

use crate::flow::{CAPTURE, Flow, PROXY_UID};
use crate::plan::{Dice, Plan};

const MILLISECOND: u64 = 1_000;
/// From the call to quit to the end of Envoy, as measured on a real one.
const LEAVING: u64 = 17 * MILLISECOND;
/// After a crash of the filter's virtual machine, Envoy itself responds until there is a new one.
const NEW_VM: u64 = 300 * MILLISECOND;
/// After SIGTERM, pilot-agent waits for this time, then looks every second whether there are connections
/// (`EXIT_ON_ZERO_ACTIVE_CONNECTIONS`).
const MINIMUM_DRAIN: u64 = 5_000 * MILLISECOND;
/// How much earlier a stall can seem to begin, or later to end. Movement is reported four times a second, a queue can then be as long as
/// before, and Envoy's own buffers show in no queue. While Envoy hangs, a request to it costs the agent two seconds without a report.
const RESOLUTION: Duration = Duration::from_secs(3);
/// A pod that has not ended by then never will.
const PATIENCE: u64 = 3_600_000 * MILLISECOND;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new(Plan::of(0)));
}

/// Why the agent stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It is killed. Kubelet restarts it after this time.
    Killed(Duration),
    /// The pod's grace period is over.
    PodIsOver,
    /// It runs for ever.
    NeverEnds,
}

/// The result of a request.
#[derive(Debug)]
pub(crate) enum Service {
    Answered {
        status: u16,
        is_filters: bool,
        text: String,
    },
    /// The connection is cut.
    Broken,
    /// There is no response.
    Silence,
}

/// Why Envoy has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Asked,
    Crash,
    Deletion,
}

#[derive(Debug)]
enum Happening {
    Move,
    FilterWakes(u64),
    FilterIsAnswered(CallId, Answer),
    EnvoyEnds(Cause),
    FilterReloads,
    VmCrashes,
    PilotAgentLooks,
}

#[derive(Debug)]
pub(crate) struct World {
    plan: Plan,
    dice: Dice,
    /// In microseconds since the task's end, as all times here.
    now: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    flows: Vec<Flow>,
    moves: bool,
    /// When a byte last moved, and the longest time between two movements.
    moved: u64,
    longest_stall: u64,
    /// When the last byte was delivered.
    delivered: Option<u64>,
    envoy_lives: bool,
    envoy_ended: Option<u64>,
    filter: Machine,
    filter_sleeps: u64,
    vm_is_down_until: u64,
    kills: Vec<(u64, u64)>,
    /// What is wrong, such as bytes that are lost without an excuse.
    wrongs: Vec<String>,
    log: Vec<String>,
}

/// Does `work` with the world of this thread.
pub(crate) fn with<T>(work: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(work)
}

/// The world's time.
pub(crate) fn now() -> Instant {
    with(|world| world.now())
}

/// Lets `time` pass, with all events in it.
pub(crate) fn pass(time: Duration) {
    interrupt(with(|world| world.run(time, false)));
}

/// The same, but at most until the end of Envoy. Returns whether Envoy has ended.
pub(crate) fn pass_until_envoy_ends(time: Duration) -> bool {
    interrupt(with(|world| world.run(time, true)));
    with(|world| !world.envoy_lives)
}

/// Stops the agent, as SIGKILL would.
fn interrupt(interruption: Option<Interruption>) {
    if let Some(interruption) = interruption {
        resume_unwind(Box::new(interruption));
    }
}

// === impl World ===

impl World {
    /// The world of `plan` when the task ends.
    pub(crate) fn new(plan: Plan) -> Self {
        let flows =
            plan.flows.iter().zip(0..).map(|(flow, number)| Flow::new(number, flow.bytes, flow.receiver, flow.of_a_helper));
        let mut world = Self {
            dice: Dice::new(!plan.seed),
            now: 0,
            agenda: BTreeMap::new(),
            scheduled: 0,
            flows: flows.collect(),
            moves: false,
            moved: 0,
            longest_stall: 0,
            delivered: None,
            envoy_lives: true,
            envoy_ended: None,
            filter: Machine::new(Limits::default(), Instant::default()),
            filter_sleeps: 0,
            vm_is_down_until: 0,
            kills: plan.kills.clone(),
            wrongs: Vec::new(),
            log: Vec::new(),
            plan,
        };
        world.kills.sort_unstable();
        world.keep_moving();
        let ms = |ms: u64| ms * MILLISECOND;
        let planned = [
            (world.plan.crashes.map(ms), Happening::EnvoyEnds(Cause::Crash)),
            (world.plan.reloads.map(ms), Happening::FilterReloads),
            (world.plan.vm_crashes.map(ms), Happening::VmCrashes),
            (world.plan.deleted.map(|at| ms(at) + MINIMUM_DRAIN).filter(|_| !world.plan.native), Happening::PilotAgentLooks),
        ];
        for (at, happening) in planned {
            if let Some(at) = at {
                world.schedule(at, happening);
            }
        }
        world
    }

    /// Makes it the world of this thread.
    pub(crate) fn begin(self) {
        with(|world| *world = self);
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::at(Duration::from_micros(self.now))
    }

    /// When SIGTERM comes: for a native sidecar soon after the end of the task, else with the deletion of the pod.
    pub(crate) fn terminated_at(&self) -> Option<Instant> {
        self.terminated().map(|at| Instant::at(Duration::from_micros(at)))
    }

    pub(crate) const fn grace(&self) -> Duration {
        Duration::from_millis(self.plan.grace)
    }

    pub(crate) const fn shows_envoys_process(&self) -> bool {
        self.plan.finds_process && self.envoy_lives
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.log.push(format!("{:>9.3} {text}", Duration::from_micros(self.now).as_secs_f64()));
    }

    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    pub(crate) fn wrongs(&self) -> &[String] {
        &self.wrongs
    }

    /// From the delivery of the last byte to the end of Envoy, if Envoy ended after it.
    pub(crate) fn lateness(&self) -> Option<Duration> {
        let delivered = self.delivered.or_else(|| self.flows.iter().all(|flow| flow.undelivered() == 0).then_some(0))?;
        self.envoy_ended.and_then(|ended| ended.checked_sub(delivered)).map(Duration::from_micros)
    }

    /// The time that a request or its response is under way.
    pub(crate) fn latency(&mut self) -> Duration {
        Duration::from_micros(50 + self.dice.below(self.plan.delay))
    }

    /// Whether a connection to `to` is accepted.
    pub(crate) fn accepts(&self, to: SocketAddr) -> bool {
        if !self.envoy_lives {
            // pilot-agent ends with Envoy, and captured connections are refused.
            return false;
        }
        match to.port() {
            ports::ADMIN | ports::STATUS => to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST),
            // Envoy accepts everything that is captured, which is all but loopback.
            _ => !to.ip().is_loopback() || self.plan.filter == Some(to.ip()),
        }
    }

    /// Serves a request that has arrived at `to`.
    pub(crate) fn serve(&mut self, to: SocketAddr, request: &Request<'_>) -> Service {
        if !self.envoy_lives {
            return Service::Broken;
        }
        let by_envoy = to.port() != ports::STATUS;
        if (by_envoy && self.hangs_until().is_some()) || self.goes_wrong(self.plan.lost) {
            return Service::Silence;
        }
        if matches!(to.port(), ports::ADMIN | ports::STATUS) && self.goes_wrong(self.plan.wrong) {
            return Service::Answered { status: 503, is_filters: false, text: "no healthy upstream".to_owned() };
        }
        let answer = match to.port() {
            ports::ADMIN => self.serve_admin(request),
            ports::STATUS => {
                self.schedule(MILLISECOND, Happening::EnvoyEnds(Cause::Asked));
                Service::Answered { status: 200, is_filters: false, text: String::new() }
            }
            _ if self.plan.filter != Some(to.ip()) => Service::Silence,
            _ => self.serve_signal(request),
        };
        if self.goes_wrong(self.plan.unanswered) { Service::Silence } else { answer }
    }

    /// The kernel's table, now.
    pub(crate) fn sockets(&self, table: &mut Vec<Socket>) {
        table.clear();
        if self.envoy_lives {
            let nobody = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            let (uid, state) = (PROXY_UID, SocketState::Listen);
            for (local, inode) in [
                (CAPTURE, 10),
                (Endpoint::new(nobody.ip, ports::INBOUND), 11),
                (Endpoint::new(nobody.ip, ports::HEALTH), 12),
                (Endpoint::new(CAPTURE.ip, ports::ADMIN), 13),
            ] {
                table.push(Socket { local, remote: nobody, state, tx_queue: 0, rx_queue: 0, uid, inode });
            }
        }
        for flow in &self.flows {
            flow.sockets(table);
        }
    }

    /// Ends the pod: what is not delivered now never will be. `all_have_left`: nothing had to be killed.
    pub(crate) fn end(&mut self, all_have_left: bool) {
        let left: u64 = self.flows.iter().map(Flow::undelivered).sum();
        self.judge(left, "with the pod");
        // After SIGTERM, kubelet ends the proxy at the end of the grace period.
        if all_have_left && self.envoy_lives && self.terminated().is_none() {
            self.wrongs.push("the agent has left, and the proxy has not".to_owned());
        }
    }

    /// Lets `time` pass, with `until_gone` at most until the end of Envoy.
    pub(crate) fn run(&mut self, time: Duration, until_gone: bool) -> Option<Interruption> {
        let end = self.now.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)).min(PATIENCE);
        let over = self.terminated().map(|at| at + self.plan.grace * MILLISECOND);
        let killed = self.kills.first().map(|(at, _)| at * MILLISECOND);
        let stop = [Some(end), over, killed].into_iter().flatten().min().unwrap_or(end).max(self.now);
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= stop) {
            if until_gone && !self.envoy_lives {
                return None;
            }
            let ((at, _), happening) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(&happening);
        }
        if until_gone && !self.envoy_lives {
            return None;
        }
        self.now = stop;
        if over.is_some_and(|over| stop >= over) {
            return Some(Interruption::PodIsOver);
        }
        if killed.is_some_and(|killed| stop >= killed) {
            let (_, pause) = self.kills.remove(0);
            self.note("the agent is killed");
            return Some(Interruption::Killed(Duration::from_millis(pause)));
        }
        (stop >= PATIENCE).then_some(Interruption::NeverEnds)
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Move => self.move_bytes(),
            Happening::FilterWakes(number) if *number == self.filter_sleeps && self.envoy_lives => match self.hangs_until() {
                Some(until) => self.schedule(until - self.now, Happening::FilterWakes(*number)),
                None => self.tell_filter(Event::Tick),
            },
            Happening::FilterIsAnswered(id, answer) if self.envoy_lives => self.tell_filter(Event::Answer(*id, *answer)),
            Happening::EnvoyEnds(cause) if self.envoy_lives => self.end_envoy(*cause),
            Happening::FilterReloads if self.envoy_lives => {
                self.note("the filter gets a new configuration");
                let snapshot = self.filter.snapshot(self.now());
                self.filter = Machine::resume(Limits::default(), &snapshot, Duration::ZERO, self.now());
                self.tell_filter(Event::Tick);
            }
            Happening::VmCrashes if self.envoy_lives => {
                self.note("the virtual machine of the filter crashes");
                self.filter = Machine::new(Limits::default(), self.now());
                self.vm_is_down_until = self.now + NEW_VM;
            }
            Happening::PilotAgentLooks if self.envoy_lives => {
                if self.flows.iter().any(Flow::is_open) {
                    self.schedule(1_000 * MILLISECOND, Happening::PilotAgentLooks);
                } else {
                    self.end_envoy(Cause::Deletion);
                }
            }
            Happening::FilterWakes(_)
            | Happening::FilterIsAnswered(..)
            | Happening::EnvoyEnds(_)
            | Happening::FilterReloads
            | Happening::VmCrashes
            | Happening::PilotAgentLooks => {}
        }
    }

    fn move_bytes(&mut self) {
        self.moves = false;
        let works = self.envoy_lives && self.hangs_until().is_none();
        let now = self.now / MILLISECOND;
        let before: u64 = self.flows.iter().map(Flow::undelivered).sum();
        let mut moved = false;
        for flow in &mut self.flows {
            moved |= flow.step(now, works);
        }
        if moved {
            self.longest_stall = self.longest_stall.max(self.now - self.moved);
            self.moved = self.now;
        }
        let after: u64 = self.flows.iter().map(Flow::undelivered).sum();
        if before > 0 && after == 0 {
            self.delivered = Some(self.now);
        }
        if moved {
            self.keep_moving();
        } else {
            let resumes = self.flows.iter().filter_map(|flow| flow.resumes(now)).map(|at| at * MILLISECOND);
            if let Some(at) = resumes.chain(self.hangs_until()).min() {
                self.moves = true;
                self.schedule(at.saturating_sub(self.now).max(MILLISECOND), Happening::Move);
            }
        }
    }

    fn keep_moving(&mut self) {
        if !self.moves {
            self.moves = true;
            self.schedule(MILLISECOND, Happening::Move);
        }
    }

    fn end_envoy(&mut self, cause: Cause) {
        self.envoy_lives = false;
        self.envoy_ended = Some(self.now);
        let lost = self.flows.iter_mut().map(Flow::cut).sum();
        self.note(&format!("Envoy ends ({cause:?}), and {lost} bytes with it"));
        if cause == Cause::Asked {
            self.judge(lost, "with Envoy");
        }
        if cause == Cause::Asked && self.plan.native {
            self.wrongs.push("Envoy was asked to quit in a native sidecar".to_owned());
        }
        self.keep_moving();
    }

    /// Bytes may be lost after a limit only.
    fn judge(&mut self, lost: u64, how: &str) {
        let limits = Limits::default();
        let since = |at: u64| Duration::from_micros(self.now.saturating_sub(at));
        let deadline = since(0) >= limits.drain_timeout;
        // Also if Envoy has hung for that long and continues just then: nothing can tell.
        let stalled = since(self.moved).max(Duration::from_micros(self.longest_stall)) + RESOLUTION >= limits.stall_timeout;
        let grace = self.terminated().is_some_and(|at| since(at) + MARGIN >= self.grace());
        if lost > 0 && !deadline && !stalled && !grace {
            self.wrongs.push(format!("{lost} bytes are lost {how} at {:?}", Duration::from_micros(self.now)));
        }
    }

    fn serve_admin(&mut self, request: &Request<'_>) -> Service {
        let calls = [Call::FailHealthcheck, Call::DrainListeners, Call::CountClusters, Call::Clusters, Call::Quit];
        let Some(call) = calls.into_iter().find(|call| (call.method(), call.path()) == (request.method, request.path)) else {
            return Service::Answered { status: 404, is_filters: false, text: String::new() };
        };
        let text = match call {
            Call::CountClusters => format!("cluster_manager.active_clusters: {}\n", self.clusters()),
            Call::Clusters => format!(
                "prometheus_stats::127.0.0.1:15000::rq_active::1\noutbound|9000||backend::10.99.0.10:9000::rq_active::{}\n",
                self.in_flight()
            ),
            Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => "OK\n".to_owned(),
        };
        if call == Call::Quit {
            self.schedule(LEAVING, Happening::EnvoyEnds(Cause::Asked));
        }
        Service::Answered { status: 200, is_filters: false, text }
    }

    fn serve_signal(&mut self, request: &Request<'_>) -> Service {
        if self.plan.fails_open || self.now < self.vm_is_down_until {
            return Service::Answered { status: 503, is_filters: false, text: "no healthy upstream".to_owned() };
        }
        let completion = request.headers.iter().find(|(name, _)| *name == wire::COMPLETION_HEADER);
        if let Some((_, completion)) = completion {
            match Completion::parse(completion.as_bytes()) {
                Ok(completion) => self.tell_filter(Event::Signal(completion)),
                Err(mistakes) => self.wrongs.push(format!("the filter refuses {completion}: {mistakes:?}")),
            }
        }
        let status = if request.method == "POST" { 202 } else { 200 };
        Service::Answered { status, is_filters: true, text: self.filter.status(self.now()).to_json() }
    }

    fn tell_filter(&mut self, event: Event) {
        let now = self.now();
        for effect in self.filter.on(event, now) {
            self.make(effect);
        }
        for step in self.filter.take_transitions() {
            self.note(&format!("filter: {step}"));
        }
        self.filter_sleeps += 1;
        if let Some(wake) = self.filter.next_wake() {
            let pause = u64::try_from(wake.since(now).as_micros()).unwrap_or(u64::MAX);
            // Envoy's timer has a resolution of a millisecond.
            self.schedule(pause.next_multiple_of(MILLISECOND).max(MILLISECOND), Happening::FilterWakes(self.filter_sleeps));
        }
    }

    /// Makes the filter's call.
    fn make(&mut self, Effect { id, call }: Effect) {
        let way = u64::try_from(self.latency().as_micros()).unwrap_or(MILLISECOND);
        if self.goes_wrong(self.plan.lost) {
            return;
        }
        if self.goes_wrong(self.plan.wrong) {
            return self.schedule(way, Happening::FilterIsAnswered(id, Answer::Failed(Failure::Status(503))));
        }
        let answer = match call {
            Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => Answer::Done,
            Call::CountClusters => Answer::ClusterCount(self.clusters()),
            Call::Clusters => Answer::InFlight(self.in_flight()),
        };
        match (call, call.callee()) {
            (Call::Quit, _) => self.schedule(way + LEAVING, Happening::EnvoyEnds(Cause::Asked)),
            (_, Callee::PilotAgent) => self.schedule(way + MILLISECOND, Happening::EnvoyEnds(Cause::Asked)),
            (_, Callee::Admin) => {}
        }
        if !self.goes_wrong(self.plan.unanswered) {
            self.schedule(way, Happening::FilterIsAnswered(id, answer));
        }
    }

    fn in_flight(&self) -> u64 {
        u64::try_from(self.flows.iter().filter(|flow| flow.is_active()).count()).unwrap_or(u64::MAX)
    }

    const fn clusters(&self) -> u64 {
        if self.plan.too_many_clusters { 10_000 } else { 10 }
    }

    fn terminated(&self) -> Option<u64> {
        let at = if self.plan.native { Some(self.plan.native_after) } else { self.plan.deleted };
        at.map(|at| at * MILLISECOND)
    }

    /// Until when Envoy hangs, if it hangs now.
    fn hangs_until(&self) -> Option<u64> {
        let (from, to) = self.plan.hangs?;
        (from * MILLISECOND..to * MILLISECOND).contains(&self.now).then_some(to * MILLISECOND)
    }

    /// Whether a fault happens that has a probability of `percent`.
    fn goes_wrong(&mut self, percent: u64) -> bool {
        self.now < self.plan.troubled_until * MILLISECOND && self.dice.below(100) < percent
    }

    fn schedule(&mut self, after: u64, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((self.now.saturating_add(after), self.scheduled), happening);
    }
}
