//! The world of one pod: the kernel, Envoy with the filter, pilot-agent, kubelet. Its time passes while the agent waits.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::resume_unwind;

use agent::os::world::Creations;
use agent::task::Source;
use drain::admin::{Answer, CallId};
use drain::machine::Event;
use drain::time::Instant;

use crate::flow::Flow;
use crate::plan::{Dice, Plan};

mod ids;
mod kubelet;
mod law;
mod mains;
mod proxy;
mod telemetry;
mod traffic;

use self::ids::Ids;
pub(crate) use self::ids::Runtime;
use self::kubelet::{Kubelet, Step};
use self::law::Ledger;
use self::proxy::{Cause, Proxy};
pub(crate) use self::proxy::{Reach, Service};
use self::telemetry::Telemetry;

const MILLISECOND: u64 = 1_000;
/// A pod that has not ended by then never will.
const PATIENCE: u64 = 3_000_000 * MILLISECOND;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new(Plan::of(Source::Processes, 0)));
}

/// What ends the run of an agent before its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It is killed, as by the kernel when memory is short. Kubelet can restart it after this time.
    Killed(Duration),
    /// The grace period is over, and kubelet kills it.
    GraceIsOver,
    /// It runs for ever.
    NeverEnds,
}

/// What the agent waits for, besides the end of its pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until<'a> {
    /// Nothing else.
    TimeIsUp,
    /// The end of one of these processes.
    ProcessEnds(&'a [i32]),
    /// The same, or a SIGTERM that the agent does not know of yet, or another creation of a container than these.
    SomethingHappens { processes: &'a [i32], creations: Option<Creations> },
    /// Not the agent waits: there is none. It waits for its start, or for the end of the pod.
    AgentStarts,
}

#[derive(Debug)]
enum Happening {
    Move,
    FlowBegins(usize),
    FilterWakes(u64),
    FilterIsAnswered(CallId, Answer),
    /// The process of Envoy with this number ends.
    EnvoyEnds(u32, Cause),
    FilterReloads,
    VmCrashes,
    /// The pilot-agent with this number looks whether there are connections.
    PilotAgentLooks(u32, Cause),
    Kubelet(Step),
    /// A container is created or starts, unless kubelet has started all containers again since this round.
    Start(u32, Step),
}

#[derive(Debug)]
pub(crate) struct World {
    plan: Plan,
    dice: Dice,
    /// In microseconds since the start of the task, as all times here.
    now: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    flows: Vec<Flow>,
    moves: bool,
    ids: Ids,
    proxy: Proxy,
    telemetry: Telemetry,
    kubelet: Kubelet,
    kills: Vec<(u64, u64)>,
    ledger: Ledger,
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
    pass_until(time, Until::TimeIsUp);
}

/// The same, but at most until `until`.
pub(crate) fn pass_until(time: Duration, until: Until<'_>) {
    let mut interruption = with(|world| world.run(time, until));
    while let Some(frozen) = with(|world| world.frozen()).filter(|_| interruption.is_none()) {
        interruption = with(|world| world.run(frozen, Until::TimeIsUp));
    }
    if let Some(interruption) = interruption {
        // As SIGKILL would.
        resume_unwind(Box::new(interruption));
    }
}

// === impl World ===

impl World {
    /// The world of `plan` when the task starts.
    pub(crate) fn new(plan: Plan) -> Self {
        let flows = plan.flows.iter().zip(0..).map(|(flow, number)| Flow::new(number, flow.receiver, flow.of_a_helper));
        let mut world = Self {
            dice: Dice::new(!plan.seed),
            now: 0,
            agenda: BTreeMap::new(),
            scheduled: 0,
            flows: flows.collect(),
            moves: false,
            ids: Ids::new(),
            proxy: Proxy::new(plan.filter_limits()),
            telemetry: Telemetry::default(),
            kubelet: Kubelet::new(&plan),
            kills: plan.kills.clone(),
            ledger: Ledger::default(),
            log: Vec::new(),
            plan,
        };
        world.kills.sort_unstable();
        let ms = |ms: u64| ms * MILLISECOND;
        let planned = [
            (world.plan.crashes.map(ms), Happening::EnvoyEnds(1, Cause::Crash)),
            (world.plan.reloads.map(ms), Happening::FilterReloads),
            (world.plan.vm_crashes.map(ms), Happening::VmCrashes),
            (world.plan.kubelet.stray.map(ms), Happening::Kubelet(Step::Stray)),
            (world.plan.kubelet.deleted.map(ms), Happening::Kubelet(Step::Deletes)),
        ];
        for (at, happening) in planned {
            if let Some(at) = at {
                world.schedule(at, happening);
            }
        }
        for (at, step) in [
            (world.plan.kubelet.proxy_begins, Step::StartsProxy),
            (world.plan.kubelet.agent_begins, Step::StartsAgent),
            (world.plan.kubelet.init_begins, Step::InitBegins),
        ] {
            world.schedule_start(ms(at), step);
        }
        world.restart_mains(0);
        world
    }

    /// Makes it the world of this thread.
    pub(crate) fn begin(self) {
        with(|world| *world = self);
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::at(Duration::from_micros(self.now))
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.log.push(format!("{:>9.3} {text}", Duration::from_micros(self.now).as_secs_f64()));
    }

    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    /// The time that a request or its response is under way.
    pub(crate) fn latency(&mut self) -> Duration {
        Duration::from_micros(50 + self.dice.below(self.plan.delay))
    }

    /// For how long the agent is not scheduled from now on.
    fn frozen(&self) -> Option<Duration> {
        let until = self.plan.frozen_until(self.now / MILLISECOND)?;
        Some(Duration::from_micros((until * MILLISECOND).saturating_sub(self.now)))
    }

    /// Lets `time` pass, at most until `until`.
    pub(crate) fn run(&mut self, time: Duration, until: Until<'_>) -> Option<Interruption> {
        let end = self.now.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)).min(PATIENCE);
        loop {
            if self.has_reached(until) {
                return None;
            }
            // Kubelet and the kernel can decide to kill the agent while the time passes.
            let killed = self.kills.first().map(|(at, _)| at * MILLISECOND);
            let stop =
                [Some(end), self.kubelet.kills_agent_at(), killed].into_iter().flatten().min().unwrap_or(end).max(self.now);
            if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= stop) {
                let ((at, _), happening) = entry.remove_entry();
                self.now = self.now.max(at);
                self.happen(&happening);
                continue;
            }
            self.now = stop;
            match self.stopped(end) {
                Stop::Goes => {}
                Stop::TimeIsUp => return None,
                Stop::Interrupted(interruption) => return Some(interruption),
            }
        }
    }

    /// Why no time passes any more, now that nothing else happens until now.
    fn stopped(&mut self, end: u64) -> Stop {
        if self.kubelet.kills_agent_at().is_some_and(|at| self.now >= at) {
            return Stop::Interrupted(Interruption::GraceIsOver);
        }
        if self.kills.first().is_some_and(|(at, _)| self.now >= at * MILLISECOND) {
            let (_, pause) = self.kills.remove(0);
            // A kill at a time without an agent finds none.
            return if self.kubelet.runs_agent() {
                self.note("the agent is killed");
                Stop::Interrupted(Interruption::Killed(Duration::from_millis(pause)))
            } else {
                Stop::Goes
            };
        }
        match self.now {
            PATIENCE.. => Stop::Interrupted(Interruption::NeverEnds),
            now if now >= end => Stop::TimeIsUp,
            _ => Stop::Goes,
        }
    }

    fn has_reached(&self, until: Until<'_>) -> bool {
        match until {
            Until::TimeIsUp => false,
            Until::ProcessEnds(pids) => pids.iter().any(|pid| !self.runs(*pid)),
            Until::SomethingHappens { processes, creations } => {
                self.kubelet.has_new_sigterm()
                    || creations.is_some_and(|known| self.creations() != Some(known))
                    || self.has_reached(Until::ProcessEnds(processes))
            }
            Until::AgentStarts => self.kubelet.runs_agent() || self.kubelet.pod_is_over(),
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Move => self.move_bytes(),
            Happening::FlowBegins(index) => self.begin_flow(*index),
            Happening::FilterWakes(number) => self.wake_filter(*number),
            Happening::FilterIsAnswered(id, answer) if self.proxy.is_up() => self.tell_filter(Event::Answer(*id, *answer)),
            Happening::EnvoyEnds(number, cause) if self.proxy.is_number(*number) => self.end_envoy(*cause),
            Happening::FilterReloads if self.proxy.is_up() => self.reload_filter(),
            Happening::VmCrashes if self.proxy.is_up() => self.crash_vm(),
            Happening::PilotAgentLooks(number, cause) if self.proxy.is_number(*number) && self.proxy.is_up() => {
                self.pilot_agent_looks(*cause);
            }
            Happening::Kubelet(step) => self.take(*step),
            Happening::Start(round, step) if self.kubelet.round == *round => self.take(*step),
            Happening::FilterIsAnswered(..)
            | Happening::EnvoyEnds(..)
            | Happening::FilterReloads
            | Happening::VmCrashes
            | Happening::PilotAgentLooks(..)
            | Happening::Start(..) => {}
        }
    }

    fn schedule(&mut self, after: u64, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((self.now.saturating_add(after), self.scheduled), happening);
    }
}

/// Whether time goes on.
enum Stop {
    Goes,
    TimeIsUp,
    Interrupted(Interruption),
}
