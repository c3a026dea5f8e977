//! Without a filter, the agent itself decides: it drives the same drain machine that the filter has, and makes the calls that the machine
//! wants. Beside ztunnel there is never a filter.

use drain::machine::{Effect, Event, Machine, State};
use drain::time::Instant;
use log::info;
use pod::delivery::Held;

use super::admin::Admin;
use super::calls::Calls;
use super::filter;
use super::ztunnel::Ztunnel;
use crate::os::World;
use crate::os::world::Source;
use crate::proxy::Sidecar;
use crate::shutdown::attempts::{Attempts, Failure, Outcome, Progress};
use crate::shutdown::budget::Budget;
use crate::shutdown::context::Context;
use crate::shutdown::reporter::Reporter;
use crate::shutdown::{progress, times};

/// The machine at work.
#[derive(Debug)]
struct Driver<'c, W: World, C> {
    context: &'c Context<'c, W>,
    machine: Machine,
    reporter: Reporter,
    calls: C,
    /// When the calls to quit began.
    quitting_since: Option<Instant>,
}

/// Drains the proxy and ends it, or under the action `drain` only drains it. `None`: a silent filter responds again, and knows better.
pub(in crate::shutdown) fn decide<W: World>(
    context: &Context<'_, W>,
    sidecar: &mut Sidecar<'_, W>,
    attempts: &mut Attempts,
) -> Option<Outcome> {
    if sidecar.is_ztunnel() {
        info!("ztunnel, on the node, carries the pod's traffic: the agent only waits for delivery");
        return Driver::new(context, attempts, Ztunnel).run(sidecar, attempts);
    }
    sidecar.hold_process();
    Driver::new(context, attempts, Admin::new(context)).run(sidecar, attempts)
}

// === impl Driver ===

impl<'c, W: World, C: Calls> Driver<'c, W, C> {
    fn new(context: &'c Context<'c, W>, attempts: &Attempts, calls: C) -> Self {
        let now = context.world.now();
        // A filter that had the drain before may have promised more than the agent would, or less.
        let limits = Budget::of(context, attempts).limits(now);
        let (machine, reporter) = (Machine::new(limits, now), Reporter::new(now));
        Self { context, machine, reporter, calls, quitting_since: None }
    }

    fn run(&mut self, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts) -> Option<Outcome> {
        let outcome = self.drain(sidecar, attempts)?;
        let route = match outcome {
            Outcome::Gone => self.calls.quit_by(),
            Outcome::Left => self.calls.drained_by(),
            Outcome::Failed(_) => None,
        };
        if let Some(route) = route {
            attempts.record(route, outcome.clone());
        }
        Some(outcome)
    }

    fn drain(&mut self, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts) -> Option<Outcome> {
        let world = self.context.world;
        let held = sidecar.fresh();
        self.signal(sidecar, attempts, held);
        let mut asked = world.now();
        loop {
            let now = world.now();
            if let Some(left) = self.context.grace_left(Source::Kernel) {
                self.machine.leave_within(left, now);
            }
            match self.machine.state() {
                State::Drained => return Some(Outcome::Left),
                State::Quitting => {
                    if self.calls.quit_by().is_some() {
                        sidecar.confirm();
                    }
                    if let Some(failure) = self.quit_failure(now) {
                        return Some(Outcome::Failed(failure));
                    }
                }
                State::Draining if now.since(asked) >= times::SILENT_CHECK => {
                    if filter::responds_again(self.context, sidecar, attempts) {
                        return None;
                    }
                    asked = world.now();
                }
                State::Serving | State::Draining => {}
            }
            let pause = self.machine.next_wake().map_or(sidecar.pause(), |at| at.since(now).min(sidecar.pause()));
            if sidecar.wait(pause) {
                return Some(Outcome::Gone);
            }
            let held = if sidecar.is_unasked() { sidecar.look() } else { sidecar.fresh() };
            if sidecar.has_ended() {
                return Some(Outcome::Gone);
            }
            // While Envoy ends, its connections vanish from the table, and that is no delivery.
            let drains = self.machine.state() == State::Draining;
            if drains && held.is_some_and(|held| self.reporter.is_due(&held, world.now())) {
                self.signal(sidecar, attempts, held);
            } else {
                self.handle(attempts, Event::Tick);
            }
        }
    }

    /// Why the calls to quit have failed, once they have.
    fn quit_failure(&mut self, now: Instant) -> Option<Failure> {
        let quitting = now.since(*self.quitting_since.get_or_insert(now));
        if self.calls.quit_by().is_none() && quitting >= times::REFUSED_QUIT {
            return Some(Failure::NoQuit);
        }
        if self.context.must_leave() && quitting >= times::LAST_QUIT {
            return Some(Failure::GracePeriodOver(Progress::Asked));
        }
        (quitting >= times::QUIT).then_some(Failure::StillRuns(Progress::Asked))
    }

    /// Gives the machine the reading `held`.
    fn signal(&mut self, sidecar: &Sidecar<'_, W>, attempts: &mut Attempts, held: Option<Held>) {
        if let Some(held) = held {
            self.reporter.reported(held, sidecar.read_at());
        }
        attempts.report(held, self.context.world.now());
        progress::report(self.context, sidecar, attempts);
        // The limits of the machine are those in force already.
        let completion = self.context.completion(sidecar, held, self.context.task.at).without_limits();
        self.handle(attempts, Event::Signal(completion));
    }

    /// Gives `event` to the machine, and makes the calls that it wants.
    fn handle(&mut self, attempts: &mut Attempts, event: Event) {
        let world = self.context.world;
        let mut effects = self.machine.on(event, world.now());
        while !effects.is_empty() {
            let Effect { id, call } = effects.remove(0);
            let answer = self.calls.call(attempts, call);
            effects.extend(self.machine.on(Event::Answer(id, answer), world.now()));
        }
        for step in self.machine.take_transitions() {
            info!("{step}");
        }
    }
}
