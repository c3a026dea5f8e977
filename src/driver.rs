//! Runs the drain machine on behalf of all workers: signals, answers and time go in, calls come out.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use drain::admin::{Answer, Call, CallId, Callee, Failure};
use drain::clusters::ClusterReader;
use drain::machine::{Effect, Event, Machine, State};
use drain::time::Instant;
use drain::wire::Completion;
use log::{debug, info, warn};

use crate::clock::Clock;
use crate::host;
use crate::shared::Shared;
use crate::store::{self, LEASE};

/// While a drain runs, the driver renews its claim at least this often.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// The longest answer to [`Call::CountClusters`] that is read, in bytes: it is one line.
const MAX_COUNT_BODY: usize = 4096;
/// Envoy's timers have a resolution of a millisecond.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// Drives the drain if its worker holds the claim. If another worker holds it, checks that this worker is still alive.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Rc<Shared>,
    run: Option<Run>,
}

/// The state of a driver during one term.
#[derive(Debug)]
struct Run {
    term: u64,
    clock: Clock,
    machine: Machine,
    /// Calls that wait for their answers, by Envoy's token.
    calls: Vec<(u32, Effect)>,
}

// === impl Driver ===

impl Driver {
    pub(crate) const fn new(shared: Rc<Shared>) -> Self {
        Self { shared, run: None }
    }

    pub(crate) const fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    /// Runs after a configuration: defines the metrics and, if a drain is under way, ensures that a worker drives it.
    pub(crate) fn watch(&self) {
        self.shared.metrics();
        store::seed();
        self.look_after();
    }

    /// There are signals in `queue`.
    pub(crate) fn on_signals(&mut self, queue: u32) {
        while let Some(text) = host::dequeue(queue) {
            // Only completions that were parsed before are put into the queue.
            let Ok(completion) = Completion::parse(&text) else { continue };
            let wall = host::wall();
            if self.shared.claim.renew(wall) || !self.shared.claim.pass_on(&completion, wall) {
                self.step(Event::Signal(completion));
            } else {
                self.step_down();
            }
        }
    }

    /// A call was answered, with a body of that size; with `None` it failed and gets no answer.
    pub(crate) fn on_answer(&mut self, token: u32, body_size: Option<usize>) {
        let Some(run) = &mut self.run else { return };
        let Some(place) = run.calls.iter().position(|(known, _)| *known == token) else { return };
        let (_, effect) = run.calls.swap_remove(place);
        let ignored = self.shared.config.ignore_clusters();
        let answer = body_size.and_then(|size| read_answer(effect.call, size, ignored));
        let answer = answer.unwrap_or(Answer::Failed(Failure::NoAnswer));
        let (method, path) = (effect.call.method(), effect.call.path());
        match answer {
            Answer::Failed(failure) => warn!("{method} {path} {failure}"),
            Answer::Done | Answer::ClusterCount(_) | Answer::InFlight(_) => debug!("{method} {path} was answered: {answer:?}"),
        }
        self.step(Event::Answer(effect.id, answer));
    }

    pub(crate) fn on_tick(&mut self) {
        if self.run.is_some() {
            self.step(Event::Tick);
        } else {
            self.look_after();
        }
    }

    /// The worker shuts down. The next one need not wait until the claim expires.
    pub(crate) fn resign(&mut self) {
        self.shared.claim.resign();
    }

    /// Watches a drain that another worker drives, and takes it over if that worker is gone.
    fn look_after(&self) {
        let under_way = store::keep_going(&self.shared.claim, host::wall());
        host::set_tick(if under_way { LEASE } else { Duration::ZERO });
    }

    /// Another worker has taken over, with the state in the shared data.
    fn step_down(&mut self) {
        if self.run.take().is_some() {
            debug!("another worker drives the drain now");
        }
        self.look_after();
    }

    /// Takes one step of the machine, if this worker drives.
    fn step(&mut self, event: Event) {
        let wall = host::wall();
        if !self.shared.claim.renew(wall) {
            return self.step_down();
        }
        let Some(run) = current_run(&mut self.run, &self.shared, wall) else { return };
        let now = run.clock.read(wall);
        run.perform(event, now, &self.shared);
        for transition in run.machine.take_transitions() {
            info!("{transition}");
        }
        self.shared.metrics().show(&run.machine);
        store::publish(&run.machine.snapshot(now), wall);
        host::set_tick(run.next_tick(now));
    }
}

/// The run of the current term. A new term resumes the machine that the last driver published.
fn current_run<'a>(run: &'a mut Option<Run>, shared: &Shared, wall: Duration) -> Option<&'a mut Run> {
    let term = shared.claim.term()?;
    if run.as_ref().is_none_or(|run| run.term != term) {
        debug!("this worker drives the drain, term {term}");
        *run = Some(Run::new(term, shared, wall));
    }
    run.as_mut()
}

// === impl Run ===

impl Run {
    fn new(term: u64, shared: &Shared, wall: Duration) -> Self {
        let mut clock = Clock::new(wall);
        let now = clock.read(wall);
        let limits = *shared.config.limits();
        let machine = match store::snapshot(wall) {
            Some((snapshot, age)) => Machine::resume(limits, &snapshot, age, now),
            None => Machine::new(limits, now),
        };
        Self { term, clock, machine, calls: Vec::new() }
    }

    /// Passes `event` to the machine and makes the calls that it returns. If a call cannot be sent, the machine is told at once.
    fn perform(&mut self, event: Event, now: Instant, shared: &Shared) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.machine.on(event, now) {
                match Self::call(effect, shared) {
                    Ok(token) => self.calls.push((token, effect)),
                    Err(id) => events.push_back(Event::Answer(id, Answer::Failed(Failure::NotSent))),
                }
            }
        }
    }

    fn call(effect: Effect, shared: &Shared) -> Result<u32, CallId> {
        let cluster = match effect.call.callee() {
            Callee::Admin => shared.config.admin_cluster(),
            Callee::PilotAgent => shared.config.agent_cluster(),
        };
        let token = host::call(cluster, effect.call.method(), effect.call.path(), effect.call.timeout());
        if token.is_none() {
            warn!("{} {} cannot be sent to cluster {cluster}", effect.call.method(), effect.call.path());
        }
        token.ok_or(effect.id)
    }

    fn next_tick(&self, now: Instant) -> Duration {
        match self.machine.state() {
            State::Serving | State::Drained => Duration::ZERO,
            State::Draining | State::Quitting => {
                let wanted = self.machine.next_wake().map_or(HEARTBEAT, |at| at.since(now));
                // Rounded up: a timer that fires a fraction of a millisecond early would find nothing to do.
                (wanted + Duration::from_micros(999)).clamp(SHORTEST_TICK, HEARTBEAT)
            }
        }
    }
}

/// Reads the answer to `call` that Envoy is delivering.
fn read_answer(call: Call, body_size: usize, ignored: &[String]) -> Option<Answer> {
    let status = host::answer_status()?;
    Some(match call {
        Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => Answer::of_status(status),
        Call::CountClusters => {
            let mut body = Vec::new();
            host::answer_body(body_size.min(MAX_COUNT_BODY), |piece| body.extend_from_slice(piece));
            Answer::of_cluster_count(status, &body)
        }
        Call::Clusters if status != 200 => Answer::Failed(Failure::Status(status)),
        Call::Clusters => {
            let mut reader = ClusterReader::new(ignored);
            host::answer_body(body_size, |piece| reader.read(piece));
            reader.finish()
        }
    })
}
