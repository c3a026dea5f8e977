//! The proxy: Envoy with the filter, and pilot-agent.

use core::mem::take;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use agent::options::PROXY;
use agent::os::http::Request;
use agent::os::world::NotSignalled;
use agent::task::Source;
use drain::admin::{Answer, Call, Callee, Failure};
use drain::limits::Limits;
use drain::machine::{Effect, Event, Machine};
use drain::time::Instant;
use drain::wire::{self, Completion};
use pod::pidfd::Exit;
use pod::ports;
use pod::stat::Stat;
use serde_json::json;

use super::mains::{AGENT, INIT, ticks};
use super::telemetry::Telemetry;
use super::{Happening, MILLISECOND, World};
use crate::flow::Flow;

/// From the call to quit to the end of Envoy, as measured on a real one.
pub(super) const LEAVING: u64 = 17 * MILLISECOND;
/// After a crash of the filter's virtual machine, Envoy itself responds until there is a new one.
const NEW_VM: u64 = 300 * MILLISECOND;
/// After SIGTERM, a pilot-agent that has not drained yet waits for this time, then looks every second whether there are connections
/// (`EXIT_ON_ZERO_ACTIVE_CONNECTIONS`).
pub(super) const MINIMUM_DRAIN: u64 = 5_000 * MILLISECOND;
/// How many threads pilot-agent and Envoy have at most.
const THREADS: u64 = 20;

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

/// What a connection comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Accepted,
    Refused,
    /// Nobody answers.
    Nobody,
}

/// Why Envoy has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The agent or the filter has asked for it.
    Asked,
    Crash,
    /// Kubelet has sent SIGTERM or SIGKILL to pilot-agent.
    Kubelet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no process.
    Down,
    /// pilot-agent runs, and starts Envoy.
    Starts,
    /// Both run, and Envoy listens.
    Up,
}

/// The container istio-proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    phase: Phase,
    /// How often it was started.
    number: u32,
    /// The PIDs of its processes, and when pilot-agent has started.
    pilot_agent: i32,
    envoy: i32,
    since: u64,
    filter: Machine,
    filter_sleeps: u64,
    vm_is_down_until: u64,
    /// How the processes of the ones before have ended.
    exits: Vec<(i32, Exit)>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy that has not started.
    pub(super) fn new(limits: Limits) -> Self {
        let filter = Machine::new(limits, Instant::default());
        let (pilot_agent, envoy) = (0, 0);
        Self {
            phase: Phase::Down,
            number: 0,
            pilot_agent,
            envoy,
            since: 0,
            filter,
            filter_sleeps: 0,
            vm_is_down_until: 0,
            exits: Vec::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    pub(super) fn is_down(&self) -> bool {
        self.phase == Phase::Down
    }

    pub(super) const fn is_number(&self, number: u32) -> bool {
        self.number == number
    }

    /// The first process of its container.
    pub(super) const fn root(&self) -> i32 {
        self.pilot_agent
    }

    pub(super) fn exits(&self) -> &[(i32, Exit)] {
        &self.exits
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Its processes: pilot-agent, and Envoy once it is there.
    fn processes(&self) -> Vec<Stat> {
        let start = ticks(self.since);
        let process = |pid, name: &str, parent| Stat { pid, comm: name.to_owned(), state: b'S', parent, start };
        let processes = [process(self.pilot_agent, "pilot-agent", 0), process(self.envoy, "envoy", self.pilot_agent)];
        let running = match self.phase {
            Phase::Down => 0,
            Phase::Starts => 1,
            Phase::Up => 2,
        };
        processes.into_iter().take(running).collect()
    }

    pub(super) fn runs(&self, pid: i32) -> bool {
        match self.phase {
            Phase::Down => false,
            Phase::Starts => pid == self.pilot_agent,
            Phase::Up => pid == self.pilot_agent || pid == self.envoy,
        }
    }
}

// === impl World ===

impl World {
    /// The processes that the agent sees. Without shared processes that is only itself.
    pub(crate) fn processes(&self) -> Vec<Stat> {
        let process = |pid, name: &str, state, since| Stat { pid, comm: name.to_owned(), state, parent: 0, start: ticks(since) };
        let agent = process(self.own_pid(), "exeunt-agent", b'R', self.kubelet.agent_since);
        match self.plan.source {
            Source::Kubelet => vec![agent],
            Source::Processes => {
                let proxy = if self.plan.finds_process { self.proxy.processes() } else { Vec::new() };
                let init = self.kubelet.init.map(|(pid, since)| process(pid, INIT, b'S', since));
                [process(1, "pause", b'S', 0), agent].into_iter().chain(init).chain(proxy).chain(self.main_processes()).collect()
            }
        }
    }

    /// Whether the agent sees the process `pid`.
    pub(crate) fn shows(&self, pid: i32) -> bool {
        let is_other = |pid| pid == 1 || self.kubelet.init.is_some_and(|(init, _)| init == pid) || self.runs_main(pid);
        let is_hidden = self.plan.source == Source::Kubelet;
        pid == self.own_pid() || !is_hidden && (is_other(pid) || self.plan.finds_process && self.is_proxys(pid))
    }

    /// The PID of the agent. Without shared processes it is the first one.
    pub(crate) const fn own_pid(&self) -> i32 {
        match self.plan.source {
            Source::Kubelet => 1,
            Source::Processes => self.kubelet.agent_pid,
        }
    }

    /// Whether the process `pid`, of the proxy or of a main container, runs.
    pub(crate) fn runs(&self, pid: i32) -> bool {
        self.is_proxys(pid) || self.runs_main(pid)
    }

    /// Whether the process `pid` is the proxy's.
    pub(crate) fn is_proxys(&self, pid: i32) -> bool {
        self.proxy.runs(pid)
    }

    /// The agent sends SIGTERM to the process `pid`.
    pub(crate) fn terminate(&mut self, pid: i32) -> Result<(), NotSignalled> {
        if !self.plan.may_terminate {
            return Err(NotSignalled::NotPermitted);
        }
        if pid == self.proxy.pilot_agent {
            self.note("the agent sends SIGTERM to pilot-agent");
            self.schedule(MINIMUM_DRAIN, Happening::PilotAgentLooks(self.proxy.number, Cause::Asked));
        } else {
            self.ledger.wrong(format!("SIGTERM to the process {pid}, which is not pilot-agent"));
        }
        Ok(())
    }

    /// What a connection to `to` comes to.
    pub(crate) fn reach(&self, to: SocketAddr) -> Reach {
        if !to.ip().is_loopback() && self.plan.limited_capture {
            return Reach::Nobody;
        }
        let is_local = to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST);
        let accepts = match (self.proxy.phase, to.port()) {
            (Phase::Up | Phase::Starts, ports::STATUS) | (Phase::Up, ports::ADMIN) => is_local,
            // Without an Envoy, captured connections are refused.
            (Phase::Down | Phase::Starts, _) => false,
            // Envoy accepts everything that is captured, which is all but loopback.
            (Phase::Up, _) => !to.ip().is_loopback() || self.plan.filter == Some(to.ip()),
        };
        if accepts { Reach::Accepted } else { Reach::Refused }
    }

    /// Serves a request that has arrived at `to`.
    pub(crate) fn serve(&mut self, to: SocketAddr, request: &Request<'_>) -> Service {
        let by_envoy = to.port() != ports::STATUS;
        if self.proxy.is_down() || (by_envoy && !self.proxy.is_up()) {
            return Service::Broken;
        }
        if (by_envoy && self.hangs_until().is_some()) || self.goes_wrong(self.plan.lost) {
            return Service::Silence;
        }
        if matches!(to.port(), ports::ADMIN | ports::STATUS) && self.goes_wrong(self.plan.wrong) {
            return Service::Answered { status: 503, is_filters: false, text: "no healthy upstream".to_owned() };
        }
        let answer = match to.port() {
            ports::ADMIN => self.serve_admin(request),
            ports::STATUS => {
                self.schedule(MILLISECOND, Happening::EnvoyEnds(self.proxy.number, Cause::Asked));
                Service::Answered { status: 200, is_filters: false, text: String::new() }
            }
            _ if self.plan.filter != Some(to.ip()) => Service::Silence,
            _ => self.serve_signal(request),
        };
        if self.goes_wrong(self.plan.unanswered) { Service::Silence } else { answer }
    }

    fn serve_admin(&mut self, request: &Request<'_>) -> Service {
        let answer = |status, text: String| Service::Answered { status, is_filters: false, text };
        if (request.method, request.path) == ("GET", "/stats?filter=exeunt_state") {
            return answer(200, self.metric().to_owned());
        }
        if (request.method, request.path) == ("GET", "/server_info") {
            return answer(200, self.server_info());
        }
        if let Some(text) = self.serve_telemetry(request) {
            return answer(200, text);
        }
        let calls = [Call::FailHealthcheck, Call::DrainListeners, Call::CountClusters, Call::Clusters, Call::Quit];
        let Some(call) = calls.into_iter().find(|call| (call.method(), call.path()) == (request.method, request.path)) else {
            return answer(404, String::new());
        };
        self.check_call(call);
        let text = match call {
            Call::CountClusters => format!("cluster_manager.active_clusters: {}\n", self.clusters()),
            Call::Clusters => format!(
                "prometheus_stats::127.0.0.1:15000::rq_active::1\noutbound|9000||backend::10.99.0.10:9000::rq_active::{}\n",
                self.in_flight()
            ),
            Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => "OK\n".to_owned(),
        };
        if call == Call::Quit {
            self.schedule(LEAVING, Happening::EnvoyEnds(self.proxy.number, Cause::Asked));
        }
        answer(200, text)
    }

    /// What Envoy tells of the pod: the names of its regular containers, without its own.
    fn server_info(&self) -> String {
        let plan = &self.plan.kubelet;
        let agent = (!plan.agent_native).then_some(AGENT);
        let names: Vec<&str> = plan.mains.iter().map(|main| main.name).chain(agent).collect();
        let status = if self.plan.native {
            json!({"initContainers": [INIT, PROXY], "containers": null})
        } else {
            json!({"initContainers": [INIT], "containers": [PROXY]})
        };
        let annotations = json!({"sidecar.istio.io/status": status.to_string()});
        json!({"node": {"metadata": {"APP_CONTAINERS": names.join(","), "ANNOTATIONS": annotations}}}).to_string()
    }

    /// The filter's metric, which it defines once it is configured.
    const fn metric(&self) -> &'static str {
        if self.plan.filter.is_some() && !self.plan.fails_open { "wasmcustom.exeunt_state: 0\n" } else { "" }
    }

    fn serve_signal(&mut self, request: &Request<'_>) -> Service {
        if self.plan.fails_open || self.now < self.proxy.vm_is_down_until {
            return Service::Answered { status: 503, is_filters: false, text: "no healthy upstream".to_owned() };
        }
        let completion = request.headers.iter().find(|(name, _)| *name == wire::COMPLETION_HEADER);
        if let Some((_, completion)) = completion {
            match Completion::parse(completion.as_bytes()) {
                Ok(completion) => self.tell_filter(Event::Signal(completion)),
                Err(mistakes) => self.ledger.wrong(format!("the filter refuses {completion}: {mistakes:?}")),
            }
        }
        let status = if request.method == "POST" { 202 } else { 200 };
        Service::Answered { status, is_filters: true, text: self.proxy.filter.status(self.now()).to_json() }
    }

    pub(super) fn tell_filter(&mut self, event: Event) {
        let now = self.now();
        for effect in self.proxy.filter.on(event, now) {
            self.make(effect);
        }
        for step in self.proxy.filter.take_transitions() {
            self.note(&format!("filter: {step}"));
        }
        self.proxy.filter_sleeps += 1;
        if let Some(wake) = self.proxy.filter.next_wake() {
            let pause = u64::try_from(wake.since(now).as_micros()).unwrap_or(u64::MAX);
            // Envoy's timer has a resolution of a millisecond.
            let pause = pause.next_multiple_of(MILLISECOND).max(MILLISECOND);
            self.schedule(pause, Happening::FilterWakes(self.proxy.filter_sleeps));
        }
    }

    pub(super) fn wake_filter(&mut self, number: u64) {
        if number != self.proxy.filter_sleeps || !self.proxy.is_up() {
            return;
        }
        match self.hangs_until() {
            Some(until) => self.schedule(until - self.now, Happening::FilterWakes(number)),
            None => self.tell_filter(Event::Tick),
        }
    }

    pub(super) fn reload_filter(&mut self) {
        self.note("the filter gets a new configuration");
        let snapshot = self.proxy.filter.snapshot(self.now());
        self.proxy.filter = Machine::resume(self.plan.filter_limits(), &snapshot, Duration::ZERO, self.now());
        self.tell_filter(Event::Tick);
    }

    pub(super) fn crash_vm(&mut self) {
        self.note("the virtual machine of the filter crashes");
        self.proxy.filter = Machine::new(self.plan.filter_limits(), self.now());
        self.proxy.vm_is_down_until = self.now + NEW_VM;
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
        self.check_call(call);
        let answer = match call {
            Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => Answer::Done,
            Call::CountClusters => Answer::ClusterCount(self.clusters()),
            Call::Clusters => Answer::InFlight(self.in_flight()),
        };
        let ends = Happening::EnvoyEnds(self.proxy.number, Cause::Asked);
        match (call, call.callee()) {
            (Call::Quit, _) => self.schedule(way + LEAVING, ends),
            (_, Callee::PilotAgent) => self.schedule(way + MILLISECOND, ends),
            (_, Callee::Admin) => {}
        }
        if !self.goes_wrong(self.plan.unanswered) {
            self.schedule(way, Happening::FilterIsAnswered(id, answer));
        }
    }

    pub(super) fn pilot_agent_looks(&mut self, cause: Cause) {
        if self.flows.iter().any(Flow::is_open) {
            self.schedule(1_000 * MILLISECOND, Happening::PilotAgentLooks(self.proxy.number, cause));
        } else {
            self.end_envoy(cause);
        }
    }

    /// Ends Envoy, and pilot-agent with it.
    pub(super) fn end_envoy(&mut self, cause: Cause) {
        if self.proxy.is_down() {
            return;
        }
        self.proxy.phase = Phase::Down;
        let exit = if cause == Cause::Crash { Exit::Signal(11) } else { Exit::Code(0) };
        self.proxy.exits.extend([(self.proxy.pilot_agent, exit), (self.proxy.envoy, exit)]);
        self.ids.end(self.proxy.pilot_agent);
        let lost = self.flows.iter_mut().map(Flow::cut).sum();
        self.note(&format!("Envoy ends ({cause:?}), and {lost} bytes with it"));
        self.on_envoy_end(cause, lost);
        self.keep_moving();
        self.on_proxy_end(cause);
    }

    /// Kubelet starts the container again.
    pub(super) fn start_pilot_agent(&mut self) {
        let limits = self.plan.filter_limits();
        let pilot_agent = self.start_process();
        let (threads, exits) = (self.dice.below(THREADS), take(&mut self.proxy.exits));
        self.ids.begin(pilot_agent, threads);
        self.proxy = Proxy {
            phase: Phase::Starts,
            number: self.proxy.number + 1,
            pilot_agent,
            since: self.now,
            exits,
            ..Proxy::new(limits)
        };
        self.proxy.filter = Machine::new(self.plan.filter_limits(), self.now());
        self.note("pilot-agent starts");
    }

    /// Envoy has its configuration and listens.
    pub(super) fn start_envoy(&mut self) {
        if self.proxy.phase == Phase::Starts {
            self.proxy.phase = Phase::Up;
            self.proxy.envoy = self.ids.begin(self.proxy.pilot_agent, 1 + self.dice.below(THREADS));
            self.telemetry = Telemetry::begin(self.now);
            self.note("Envoy listens");
        }
    }

    fn in_flight(&self) -> u64 {
        u64::try_from(self.flows.iter().filter(|flow| flow.is_active()).count()).unwrap_or(u64::MAX)
    }

    const fn clusters(&self) -> u64 {
        if self.plan.too_many_clusters { 10_000 } else { 10 }
    }

    /// Whether a fault happens that has a probability of `percent`.
    fn goes_wrong(&mut self, percent: u64) -> bool {
        self.now < self.plan.troubled_until * MILLISECOND && self.dice.below(100) < percent
    }
}
