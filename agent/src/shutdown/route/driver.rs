//! The agent itself decides: it drives the same drain machine that the filter has, and makes the calls that the machine wants.

use drain::admin::{Answer, Call};
use drain::machine::{Effect, Event, Machine, State};
use drain::time::Instant;
use log::info;
use pod::delivery::Held;

use super::filter;
use crate::os::World;
use crate::os::world::Source;
use crate::proxy::Sidecar;
use crate::shutdown::attempts::{Attempts, Failure, Outcome, Progress, Route};
use crate::shutdown::context::Context;
use crate::shutdown::reporter::Reporter;

/// The times of this file.
mod times {
    use core::time::Duration;

    /// How long the calls to quit have. Before Istio 1.26, pilot-agent drains for 5 s first; three times that covers a pod that has
    /// raised it.
    pub(super) const QUIT: Duration = Duration::from_secs(15);
    /// The same if no process has accepted a call to quit: each was tried several times, and another route may help.
    pub(super) const REFUSED: Duration = Duration::from_secs(2);
    /// The same if the grace period is over: an Envoy that works ends within 20 ms.
    pub(super) const LAST_CALL: Duration = Duration::from_millis(500);
}

/// Who makes the calls of the machine.
pub(super) trait Calls<W: World> {
    /// Makes `call`.
    fn call(&mut self, context: &Context<'_, W>, attempts: &mut Attempts, call: Call) -> Answer;

    /// The route by which the last call to quit was accepted.
    fn quit_by(&self) -> Option<Route>;

    /// The route by which the last of the other calls was accepted.
    fn drained_by(&self) -> Option<Route>;
}

/// The machine at work.
#[derive(Debug)]
struct Driver<'c, C> {
    machine: Machine,
    reporter: Reporter,
    calls: &'c mut C,
    /// When the calls to quit began.
    quitting_since: Option<Instant>,
}

/// Drains the proxy and ends it, or under the action `drain` only drains it. `None`: a silent filter responds again, and knows better.
pub(super) fn run<W: World>(
    context: &Context<'_, W>,
    sidecar: &mut Sidecar<'_, W>,
    attempts: &mut Attempts,
    calls: &mut impl Calls<W>,
) -> Option<Outcome> {
    let now = context.world.now();
    let (machine, reporter) = (Machine::new(context.limits(), now), Reporter::new(now));
    let mut driver = Driver { machine, reporter, calls, quitting_since: None };
    let outcome = driver.run(context, sidecar, attempts)?;
    let route = match outcome {
        Outcome::Gone => driver.calls.quit_by(),
        Outcome::Left => driver.calls.drained_by(),
        Outcome::Failed(_) => None,
    };
    if let Some(route) = route {
        attempts.record(route, outcome.clone());
    }
    Some(outcome)
}

// === impl Driver ===

impl<C> Driver<'_, C> {
    fn run<W: World>(
        &mut self,
        context: &Context<'_, W>,
        sidecar: &mut Sidecar<'_, W>,
        attempts: &mut Attempts,
    ) -> Option<Outcome>
    where
        C: Calls<W>,
    {
        let held = sidecar.fresh();
        self.signal(context, sidecar, attempts, held);
        let mut asked = context.world.now();
        loop {
            let now = context.world.now();
            if let Some(left) = context.grace_left(Source::Kernel) {
                self.machine.leave_within(left, now);
            }
            match self.machine.state() {
                State::Drained => return Some(Outcome::Left),
                State::Quitting => {
                    if let Some(failure) = self.quit_failure(context, now) {
                        return Some(Outcome::Failed(failure));
                    }
                }
                State::Draining if now.since(asked) >= filter::SILENT_CHECK => {
                    if filter::responds_again(context, sidecar, attempts) {
                        return None;
                    }
                    asked = context.world.now();
                }
                State::Serving | State::Draining => {}
            }
            let pause = self.machine.next_wake().map_or(sidecar.pause(), |at| at.since(now).min(sidecar.pause()));
            if sidecar.wait(pause) {
                return Some(Outcome::Gone);
            }
            let held = sidecar.fresh();
            if sidecar.has_ended() {
                return Some(Outcome::Gone);
            }
            let now = context.world.now();
            if held.is_some_and(|held| self.reporter.is_due(&held, now)) {
                self.signal(context, sidecar, attempts, held);
            } else {
                self.handle(context, attempts, Event::Tick);
            }
        }
    }

    /// Why the calls to quit have failed, once they have.
    fn quit_failure<W: World>(&mut self, context: &Context<'_, W>, now: Instant) -> Option<Failure>
    where
        C: Calls<W>,
    {
        let quitting = now.since(*self.quitting_since.get_or_insert(now));
        if self.calls.quit_by().is_none() && quitting >= times::REFUSED {
            return Some(Failure::NoQuit);
        }
        if context.must_leave() && quitting >= times::LAST_CALL {
            return Some(Failure::GracePeriodOver(Progress::Asked));
        }
        (quitting >= times::QUIT).then_some(Failure::StillRuns(Progress::Asked))
    }

    /// Gives the machine the reading `held`.
    fn signal<W: World>(
        &mut self,
        context: &Context<'_, W>,
        sidecar: &Sidecar<'_, W>,
        attempts: &mut Attempts,
        held: Option<Held>,
    ) where
        C: Calls<W>,
    {
        if let Some(held) = held {
            self.reporter.reported(held, context.world.now());
        }
        attempts.report(held);
        self.handle(context, attempts, Event::Signal(context.completion(sidecar, held)));
    }

    /// Gives `event` to the machine, and makes the calls that it wants.
    fn handle<W: World>(&mut self, context: &Context<'_, W>, attempts: &mut Attempts, event: Event)
    where
        C: Calls<W>,
    {
        let mut effects = self.machine.on(event, context.world.now());
        while !effects.is_empty() {
            let Effect { id, call } = effects.remove(0);
            let answer = self.calls.call(context, attempts, call);
            effects.extend(self.machine.on(Event::Answer(id, answer), context.world.now()));
        }
        for step in self.machine.take_transitions() {
            info!("{step}");
        }
    }
}
