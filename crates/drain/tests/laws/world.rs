//! A simulated world: a kernel that delivers bytes as fast as the receivers read, an Envoy that answers or not, and an agent that reads
//! the kernel and reports over a network with delays and losses. All time is virtual, in milliseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use drain::admin::{Answer, Call, CallId, Failure};
use drain::limits::Limits;
use drain::machine::{Effect, Event, Machine, Reason, SLACK, State};
use drain::time::Instant;
use drain::wire::{Action, Completion, Unsent};

const LIMITS: Limits = Limits {
    drain_timeout: Duration::from_secs(30),
    stall_timeout: Duration::from_secs(3),
    settle: Duration::from_millis(3),
    max_clusters: 1_000,
    may_quit: true,
};

/// The parameters of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// For each connection: bytes, bytes per millisecond, and when the receiver stops reading.
    pub(crate) connections: Vec<(u64, u64, Option<u64>)>,
    /// Requests of helper containers, each one second long.
    pub(crate) helpers: u64,
    /// Streams of Envoy itself that never end.
    pub(crate) noise: u64,
    /// When a second signal with the action `drain` comes.
    pub(crate) drain_after: Option<u64>,
    pub(crate) starts_as_drain: bool,
    /// For how long after the last byte Envoy buffers telemetry, in milliseconds.
    pub(crate) buffers: u64,
    /// Whether signals carry facts.
    pub(crate) has_agent: bool,
    /// The limits that the agent brings, if it brings any, in milliseconds: for the drain, and for a stall.
    pub(crate) brings: Option<(u64, u64)>,
    pub(crate) faults: Faults,
}

/// What goes wrong until the drain timeout, in percent of the calls.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// No answer comes, and no failure.
    pub(crate) lost: u32,
    /// The answer comes after seconds.
    pub(crate) late: u32,
    /// The answer is 5xx or cannot be understood.
    pub(crate) wrong: u32,
    /// The call cannot be sent.
    pub(crate) refused: u32,
    pub(crate) too_many_clusters: bool,
    pub(crate) agent_dies: Option<u64>,
    /// The longest delay of a signal, in milliseconds.
    pub(crate) delay: u64,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum End {
    Gone {
        lost: u64,
        limit: bool,
    },
    Drained {
        lost: u64,
        limit: bool,
    },
    /// The agent died before a signal arrived, so there was nothing to do.
    Unsignalled,
    NotEnded,
}

enum Happening {
    Signal(Completion),
    Answer(CallId, Answer),
    Tick,
    AgentLooks,
    EnvoyEnds,
}

pub(crate) struct World {
    plan: Plan,
    random: u64,
    now: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    machine: Machine,
    knowledge: Knowledge,
    agent: Agent,
    /// The undelivered bytes when `Draining` ended. Telemetry that Envoy buffers counts as one.
    open_when_left: u64,
}

/// What the machine was told, recorded independently of it.
#[derive(Default)]
struct Knowledge {
    facts: Option<Unsent>,
    in_flight: Option<u64>,
    moved: u64,
    drain: bool,
    /// When the last report arrived. `None`: none has, for example because another sender's signal came first.
    heard: Option<u64>,
    /// When the first signal arrived. The drain begins then: an agent whose first signals are lost begins it late.
    began: Option<u64>,
    /// The limits that the last signal with limits has brought.
    limits: Option<(u64, u64)>,
}

#[derive(Default)]
struct Agent {
    sent: Option<(Unsent, u64)>,
    /// When the last signal arrives. No other is sent before that, as on one connection.
    busy_until: u64,
    /// The last idle reading was sent twice.
    confirmed: bool,
    /// Since when its readings show no undelivered bytes.
    idle_at: Option<u64>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut world = Self {
            random: plan.seed | 1,
            now: 0,
            agenda: BTreeMap::new(),
            scheduled: 0,
            machine: Machine::new(LIMITS, at(0)),
            knowledge: Knowledge::default(),
            agent: Agent::default(),
            open_when_left: 0,
            plan,
        };
        if world.plan.has_agent {
            world.schedule(0, Happening::AgentLooks);
        } else {
            let action = world.first_action();
            world.schedule(0, Happening::Signal(completion(action, None)));
        }
        if let Some(after) = world.plan.drain_after {
            world.schedule(after, Happening::Signal(completion(Action::Drain, None)));
        }
        world
    }

    /// Runs the world until the drain ends, and checks the laws at every step.
    pub(crate) fn run(mut self) -> End {
        let longest = self.plan.brings.map_or(0, |(drain, _)| drain).max(milliseconds(LIMITS.drain_timeout));
        let patience = longest + milliseconds(SLACK) + 10_000;
        for _ in 0..1_000_000 {
            let Some(((time, _), happening)) = self.agenda.pop_first() else { break };
            if time > patience + self.knowledge.began.unwrap_or(0) {
                break;
            }
            self.now = time;
            if self.happen(happening) {
                return self.end();
            }
        }
        match self.machine.state() {
            State::Drained => self.end(),
            State::Serving if self.plan.faults.agent_dies.is_some() => End::Unsignalled,
            State::Serving | State::Draining | State::Quitting => End::NotEnded,
        }
    }

    /// True if Envoy has ended.
    fn happen(&mut self, happening: Happening) -> bool {
        let event = match happening {
            Happening::AgentLooks => {
                self.agent_looks();
                return false;
            }
            Happening::EnvoyEnds => return true,
            Happening::Tick => Event::Tick,
            Happening::Answer(id, answer) => {
                if let Answer::InFlight(number) = answer {
                    self.knowledge.in_flight = Some(number);
                }
                Event::Answer(id, answer)
            }
            Happening::Signal(completion) => {
                self.learn(&completion);
                Event::Signal(completion)
            }
        };
        let before = self.machine.state();
        let effects = self.machine.on(event, at(self.now));
        self.check_the_laws(before, &effects);
        for effect in effects {
            self.envoy_takes(effect);
        }
        if let Some(wake) = self.machine.next_wake() {
            let time = milliseconds(wake.since_zero()).max(self.now + 1);
            self.schedule(time - self.now, Happening::Tick);
        }
        false
    }

    fn learn(&mut self, completion: &Completion) {
        self.knowledge.began.get_or_insert(self.now);
        self.knowledge.drain |= completion.action == Action::Drain;
        self.knowledge.limits = completion.drain_timeout_ms.zip(completion.stall_timeout_ms).or(self.knowledge.limits);
        if let Some(unsent) = completion.unsent {
            self.knowledge.heard = Some(self.now);
            let last = self.knowledge.facts;
            if unsent.buffers > 0 || last.is_none_or(|last| (last.connections, last.bytes) != (unsent.connections, unsent.bytes))
            {
                self.knowledge.moved = self.now;
            }
            self.knowledge.facts = Some(unsent);
        }
    }

    fn check_the_laws(&mut self, before: State, effects: &[Effect]) {
        let quits = effects.iter().any(|effect| matches!(effect.call, Call::Quit | Call::PilotAgentQuit));
        assert!(!(quits && self.knowledge.drain), "it quits under drain at {} ms: {:?}", self.now, self.plan);
        let left = before == State::Draining && self.machine.state() != State::Draining;
        if left {
            // Envoy's count, which decides while the agent is silent, knows nothing of buffers.
            // That is so for the stall timeout at most, and not before two seconds.
            let silence = self.limits().1.max(2_000);
            let is_silent = self.knowledge.heard.is_none_or(|heard| self.now >= heard + silence);
            let buffers = if is_silent { 0 } else { self.buffers() };
            self.open_when_left = self.open().iter().sum::<u64>() + u64::from(buffers);
        }
        let (limit, stall) = self.limits();
        if left && self.now < limit {
            let facts = self.knowledge.facts;
            let stalled = self.now >= self.knowledge.moved + stall;
            assert!(facts.is_none_or(|facts| facts.is_empty()) || stalled, "it leaves against the kernel: {:?}", self.plan);
            let nobody = facts.is_some_and(|facts| facts.downstream == Some(0));
            let reason = self.machine.left().map(|(reason, _)| reason);
            let contradicted = self.knowledge.in_flight.is_some_and(|number| number > 0);
            assert!(
                nobody || !contradicted || stalled || reason != Some(Reason::Delivered) || facts.is_some(),
                "it leaves against Envoy's count at {} ms: {:?}",
                self.now,
                self.plan
            );
        }
        if self.knowledge.began.is_some_and(|began| self.now >= began + limit + milliseconds(SLACK)) {
            assert_ne!(self.machine.state(), State::Draining, "it does not end: {:?}", self.plan);
        }
    }

    /// The agent reads the kernel, and reports as the real one does: a change from busy to idle or back at once, other changes four times
    /// a second, the second idle reading soon after the first, and then again every second.
    fn agent_looks(&mut self) {
        if self.plan.faults.agent_dies.is_some_and(|dies| self.now >= dies) {
            return;
        }
        self.schedule(5, Happening::AgentLooks);
        if self.now < self.agent.busy_until {
            return;
        }
        // Its own readings decide. One from a moment in which all data is inside Envoy is followed by another that shows it.
        if self.kernel_holds().is_empty() {
            self.agent.idle_at.get_or_insert(self.now);
        } else {
            self.agent.idle_at = None;
        }
        let unsent = Unsent { buffers: self.buffers(), ..self.kernel_holds() };
        let due = match self.agent.sent {
            None => true,
            Some((last, at)) if last == unsent => {
                self.now >= at + if self.agent.confirmed || !unsent.is_empty() { 1_000 } else { 3 }
            }
            Some((last, at)) => last.is_empty() != unsent.is_empty() || self.now >= at + 250,
        };
        if due {
            let lost = self.chance(self.plan.faults.lost);
            let delay = if lost { 2_000 } else { self.pick(self.plan.faults.delay) };
            self.agent.busy_until = self.now + delay;
            if !lost {
                self.agent.confirmed = unsent.is_empty() && self.agent.sent.is_some_and(|(last, _)| last == unsent);
                self.agent.sent = Some((unsent, self.now));
                let action = self.first_action();
                let (drain_timeout_ms, stall_timeout_ms) = self.plan.brings.unzip();
                let signal = Completion { drain_timeout_ms, stall_timeout_ms, ..completion(action, Some(unsent)) };
                self.schedule(delay, Happening::Signal(signal));
            }
        }
    }

    /// What the socket tables show. For two milliseconds in every hundred, all data is inside Envoy between a read and a write.
    fn kernel_holds(&self) -> Unsent {
        let open = self.open();
        let between = self.now % 100 < 2;
        let bytes = if between { 0 } else { open.iter().sum() };
        let connections = if between { 0 } else { narrow(open.len()) };
        Unsent { connections, bytes, downstream: Some(narrow(open.len() + self.helpers_busy())), buffers: 0 }
    }

    /// Whether Envoy buffers telemetry, as the agent counts it: from the first look without undelivered bytes.
    fn buffers(&self) -> u32 {
        u32::from(self.plan.has_agent && self.now < self.agent.idle_at.map_or(0, |at| at + self.plan.buffers))
    }

    /// The undelivered bytes of each connection that has any.
    fn open(&self) -> Vec<u64> {
        let left = |(bytes, pace, stops): &(u64, u64, Option<u64>)| {
            let taken = self.now.min(stops.unwrap_or(u64::MAX)) * pace;
            bytes.saturating_sub(taken)
        };
        self.plan.connections.iter().map(left).filter(|bytes| *bytes > 0).collect()
    }

    fn helpers_busy(&self) -> usize {
        if self.now < 1_000 { usize::try_from(self.plan.helpers).unwrap_or(0) } else { 0 }
    }

    fn envoy_takes(&mut self, effect: Effect) {
        // After the drain timeout everything works, so that the drain can end.
        let disturbed = self.now < self.limits().0;
        let faults = self.plan.faults.clone();
        if disturbed && self.chance(faults.refused) {
            return self.schedule(0, Happening::Answer(effect.id, Answer::Failed(Failure::NotSent)));
        }
        if disturbed && self.chance(faults.lost) {
            return;
        }
        let delay = if disturbed && self.chance(faults.late) { 2_000 + self.pick(6_000) } else { 1 + self.pick(10) };
        if disturbed && self.chance(faults.wrong) {
            let failure = if self.chance(50) { Failure::Status(503) } else { Failure::NotUnderstood };
            return self.schedule(delay, Happening::Answer(effect.id, Answer::Failed(failure)));
        }
        let answer = match effect.call {
            Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => Answer::Done,
            Call::CountClusters => Answer::ClusterCount(if faults.too_many_clusters { 10_000 } else { 10 }),
            Call::Clusters => {
                let number = self.open().len() + self.helpers_busy();
                Answer::InFlight(u64::from(narrow(number)) + self.plan.noise)
            }
        };
        if matches!(effect.call, Call::Quit | Call::PilotAgentQuit) {
            self.schedule(delay + 17, Happening::EnvoyEnds);
        }
        self.schedule(delay, Happening::Answer(effect.id, answer));
    }

    fn end(&self) -> End {
        let limit = self.machine.left().is_some_and(|(reason, _)| reason != Reason::Delivered);
        let lost = self.open_when_left;
        match self.machine.state() {
            State::Drained => End::Drained { lost, limit },
            State::Serving | State::Draining | State::Quitting => End::Gone { lost, limit },
        }
    }

    /// The limits in force, for the drain and for a stall.
    fn limits(&self) -> (u64, u64) {
        let configured = (milliseconds(LIMITS.drain_timeout), milliseconds(LIMITS.stall_timeout));
        self.knowledge.limits.unwrap_or(configured)
    }

    fn first_action(&self) -> Action {
        if self.plan.starts_as_drain { Action::Drain } else { Action::Quit }
    }

    fn schedule(&mut self, after: u64, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((self.now + after, self.scheduled), happening);
    }

    fn pick(&mut self, below: u64) -> u64 {
        // xorshift64: the seed in the plan makes a run repeatable.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if below == 0 { 0 } else { self.random % below }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.pick(100) < u64::from(percent)
    }
}

fn completion(action: Action, unsent: Option<Unsent>) -> Completion {
    Completion {
        container: Some("base".to_owned()),
        exit_code: Some(0),
        signal: None,
        action,
        unsent,
        ended_at_ms: None,
        drain_timeout_ms: None,
        stall_timeout_ms: None,
    }
}

fn at(ms: u64) -> Instant {
    Instant::at(Duration::from_millis(ms))
}

fn milliseconds(span: Duration) -> u64 {
    drain::duration::milliseconds(span)
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
