//! The second and the third rung: without a filter the agent decides itself, by the very same machine, and has Envoy leave
//! through its admin interface or, where that does not help, through pilot-agent.

use core::net::SocketAddr;
use core::time::Duration;

use drain::admin::{Answer, Call, Callee, Failure};
use drain::clusters::ClusterReader;
use drain::machine::{Effect, Event, Machine, State};
use drain::time::Instant;
use pod::delivery::Held;
use pod::ports;

use super::{Outcome, Route, filter, ztunnel};
use crate::ending::Ending;
use crate::http::{self, Body, Head, Problem, Request};
use crate::log;
use crate::report::Reporter;

/// The longest answer that is held. `/clusters` is read as it comes and not held.
const MAX_ANSWER: usize = 64 * 1024;
/// How long the calls to quit are given before the ladder starts over: before 1.26, pilot-agent drains for 5 blind seconds first,
/// and three times that is a pod whose owner has raised them.
const QUITTING: Duration = Duration::from_secs(15);

/// The same where nobody has taken such a call: each way was tried several times, and another rung may help.
const REFUSED: Duration = Duration::from_secs(2);
/// The same where our own time is over: an Envoy that works goes within 20 ms.
const LAST_WORD: Duration = Duration::from_millis(500);
/// An Envoy that has not answered one call in time is not asked for anything but to quit for so long: a hung one would take two
/// seconds for each of a drain's calls.
const MUTE: Duration = Duration::from_secs(5);

/// The machine at work.
#[derive(Debug)]
struct Run {
    machine: Machine,
    reporter: Reporter,
    /// When the calls to quit began.
    quitting_since: Option<Instant>,
    /// Until when Envoy counts as hung.
    mute_until: Option<Instant>,
    /// Where the last of the other calls has reached somebody.
    drained_by: Option<Route>,
    /// Where the last call to quit has.
    quit_by: Option<Route>,
}

/// Drains and ends the proxy, or with `action: drain` only drains it. `None`: a filter is there again, and knows better.
pub(crate) fn climb(ending: &mut Ending<'_>) -> Option<Outcome> {
    ending.sidecar.find_process();
    let now = ending.clock.now();
    let machine = Machine::new(ending.limits(), now);
    let reporter = Reporter::new(now);
    let mut run = Run { machine, reporter, quitting_since: None, mute_until: None, drained_by: None, quit_by: None };
    let outcome = run.go(ending)?;
    let route = match outcome {
        Outcome::Gone => run.quit_by,
        Outcome::Left => run.drained_by,
        Outcome::Failed(_) => None,
    };
    if let Some(route) = route {
        ending.trail.record(route, outcome.clone());
    }
    Some(outcome)
}

// === impl Run ===

impl Run {
    fn go(&mut self, ending: &mut Ending<'_>) -> Option<Outcome> {
        let held = ending.sidecar.fresh();
        self.signal(ending, held);
        let mut asked = ending.clock.now();
        loop {
            let now = ending.clock.now();
            if let Some(left) = ending.grace_left() {
                self.machine.leave_within(left, now);
            }
            match self.machine.state() {
                State::Drained => return Some(Outcome::Left),
                State::Quitting => {
                    let quitting = now.since(*self.quitting_since.get_or_insert(now));
                    if self.quit_by.is_none() && quitting >= REFUSED {
                        return Some(Outcome::Failed("nobody takes the order to quit".to_owned()));
                    }
                    if ending.must_leave() && quitting >= LAST_WORD {
                        return Some(Outcome::Failed("asked to quit, but the grace period is over".to_owned()));
                    }
                    if quitting >= QUITTING {
                        return Some(Outcome::Failed("asked to quit, but the proxy has not left".to_owned()));
                    }
                }
                State::Draining if now.since(asked) >= filter::BACK => {
                    if filter::is_back(ending) {
                        return None;
                    }
                    asked = ending.clock.now();
                }
                State::Serving | State::Draining => {}
            }
            let wake = self.machine.next_wake().map_or(Duration::MAX, |at| at.since(now));
            if ending.sidecar.wait(wake.min(ending.sidecar.pause())) {
                return Some(Outcome::Gone);
            }
            let held = ending.sidecar.fresh();
            if ending.sidecar.is_gone() {
                return Some(Outcome::Gone);
            }
            let now = ending.clock.now();
            if held.is_some_and(|held| self.reporter.is_due(&held, now)) {
                self.signal(ending, held);
            } else {
                self.take(ending, Event::Tick);
            }
        }
    }

    /// Tells the machine what the kernel holds.
    fn signal(&mut self, ending: &mut Ending<'_>, held: Option<Held>) {
        if let Some(held) = held {
            self.reporter.reported(held, ending.clock.now());
        }
        ending.told = held;
        self.take(ending, Event::Signal(ending.completion(held)));
    }

    /// Gives `event` to the machine, and makes the calls that it wants.
    fn take(&mut self, ending: &mut Ending<'_>, event: Event) {
        let mut effects = self.machine.on(event, ending.clock.now());
        while !effects.is_empty() {
            let Effect { id, call } = effects.remove(0);
            let answer = self.make(ending, call);
            effects.extend(self.machine.on(Event::Answer(id, answer), ending.clock.now()));
        }
        for step in self.machine.take_transitions() {
            log::line(&step.to_string());
        }
    }

    /// Makes one call, on the second address only where it cannot be made on the first.
    fn make(&mut self, ending: &mut Ending<'_>, call: Call) -> Answer {
        if ending.sidecar.is_ztunnel() {
            self.drained_by = Some(Route::Ztunnel);
            return ztunnel::answer(call);
        }
        let options = ending.options;
        let quits = matches!(call, Call::Quit | Call::PilotAgentQuit);
        if !quits && self.mute_until.is_some_and(|until| ending.clock.now() < until) {
            return Answer::Failed(Failure::NoAnswer);
        }
        let (on, port): (fn(SocketAddr) -> Route, u16) = match call.callee() {
            Callee::Admin => (Route::Admin, options.admin_port),
            Callee::PilotAgent => (Route::PilotAgent, options.status_port),
        };
        let [first, second] = ports::LOCALHOST.map(|ip| SocketAddr::new(ip, port));
        let timeout = ending.time_for(call.timeout());
        let (at, result) = match exchange(first, call, timeout) {
            Err(Problem::NotSent(error)) => match exchange(second, call, timeout) {
                // The first is the one to name.
                Err(Problem::NotSent(_)) => (first, Err(Problem::NotSent(error))),
                result => (second, result),
            },
            result => (first, result),
        };
        let (answer, said) = match result {
            Ok(answer @ Answer::Failed(failure)) => (answer, failure.to_string()),
            Ok(answer) => (answer, "asked, but the proxy has not left".to_owned()),
            Err(problem) => (Answer::Failed(failure(&problem)), problem.to_string()),
        };
        if call.callee() == Callee::Admin && answer == Answer::Failed(Failure::NoAnswer) {
            self.mute_until = Some(ending.clock.now() + MUTE);
        }
        ending.trail.record(on(at), Outcome::Failed(said));
        match (call, answer) {
            (_, Answer::Failed(Failure::NotSent | Failure::Status(_))) => {}
            (Call::Quit | Call::PilotAgentQuit, _) => self.quit_by = Some(on(at)),
            (Call::FailHealthcheck | Call::DrainListeners | Call::CountClusters | Call::Clusters, _) => {
                self.drained_by = Some(on(at));
            }
        }
        answer
    }
}

fn failure(problem: &Problem) -> Failure {
    match problem {
        Problem::NotSent(_) => Failure::NotSent,
        Problem::NoAnswer(_) => Failure::NoAnswer,
        Problem::NotUnderstood => Failure::NotUnderstood,
    }
}

/// Makes `call` at `at`, within `timeout`.
fn exchange(at: SocketAddr, call: Call, timeout: Duration) -> Result<Answer, Problem> {
    let request = Request { method: call.method(), path: call.path(), headers: &[], timeout };
    match call {
        Call::Clusters => {
            let mut reader = ClusterReader::new(&[]);
            let Head { status, .. } = http::exchange(at, &request, &mut |piece| reader.read(piece))?;
            let answer = Answer::of_status(status);
            Ok(if answer == Answer::Done { reader.finish() } else { answer })
        }
        Call::CountClusters => {
            let mut body = Body::up_to(MAX_ANSWER);
            let head = http::exchange(at, &request, &mut |piece| body.take(piece))?;
            Ok(Answer::of_cluster_count(head.status, body.bytes()))
        }
        Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => {
            Ok(Answer::of_status(http::exchange(at, &request, &mut |_| {})?.status))
        }
    }
}
