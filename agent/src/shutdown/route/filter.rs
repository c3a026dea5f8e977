//! The best route: the filter in Envoy accepts the completion and every new reading, and decides.

use core::net::SocketAddr;
use core::time::Duration;

use drain::machine::State;
use drain::time::Instant;
use drain::wire::{self, Action, Completion, Status};
use log::{debug, info};
use pod::bounds::Input;
use pod::delivery::Held;
use pod::proxy::Listener;

use crate::os::World;
use crate::os::http::{self, Body, Problem, Request};
use crate::os::world::Connection;
use crate::proxy::Sidecar;
use crate::shutdown::attempts::{Attempts, Failure, Outcome, Progress, Route};
use crate::shutdown::budget::Budget;
use crate::shutdown::context::Context;
use crate::shutdown::limit::Limit;
use crate::shutdown::reporter::Reporter;
use crate::shutdown::{progress, times};

/// The signal listener has the tracer of all others. With these headers of B3 and W3C it makes no spans of the agent's own requests.
const UNSAMPLED: [(&str, &str); 2] =
    [("x-b3-sampled", "0"), ("traceparent", "00-00000000000000000000000000000001-0000000000000001-00")];
/// After this many failures in a row, the filter counts as gone.
const MAX_FAILURES: u32 = 3;

/// The session with a filter that has accepted the completion.
#[derive(Debug)]
struct Session<'c, W: World> {
    context: &'c Context<'c, W>,
    at: SocketAddr,
    reporter: Reporter,
    failures: u32,
    /// Whether the filter no longer knows of the completion, or must hear of another end.
    lost: bool,
    /// The end that the reports are about.
    ended_at: Instant,
    /// When the next report is allowed.
    report_from: Instant,
    /// When to ask for the status if nothing else is sent.
    check_at: Instant,
    /// The next pause between two questions while the status is all that the agent waits for.
    eager_pause: Duration,
    /// When the session fails.
    give_up: Instant,
    /// The latest time of that, once a drain was promised.
    latest: Option<Instant>,
    /// Whether the filter has told Envoy to quit. While Envoy ends, its connections vanish from the table. That is no delivery, and no
    /// movement either, so it is not reported.
    quits: bool,
    /// Whether the filter is too old to take limits or buffers.
    is_older: bool,
    /// Since when an Envoy that the filter has told to quit does not respond.
    dying_since: Option<Instant>,
}

/// Signals the completion to the filter at `at`, and stays until the proxy has ended or was drained, or the filter has failed.
pub(in crate::shutdown) fn signal<W: World>(
    context: &Context<'_, W>,
    sidecar: &mut Sidecar<'_, W>,
    attempts: &mut Attempts,
    at: SocketAddr,
) -> Outcome {
    let mut session = Session::new(context, at);
    let held = sidecar.fresh();
    let response = if let Some(stranger) = stranger(sidecar, at) { Err(stranger) } else { session.report(sidecar, held) };
    let outcome = match response {
        Ok(status) => {
            let state = State::named(&status.state).map_or("an unknown state", State::name);
            info!("the filter on {at} has accepted the completion: {state}{}", clause(held));
            attempts.remove_silent(at);
            sidecar.confirm();
            sidecar.hold_process();
            session.follow(attempts, &status);
            session.accepted(sidecar, attempts, held);
            session.check_later(sidecar);
            session.run(sidecar, attempts)
        }
        Err(failure) => {
            if matches!(failure, Failure::NoResponse(Problem::NoAnswer(_) | Problem::NotUnderstood)) {
                attempts.add_silent(at);
            }
            Outcome::Failed(failure)
        }
    };
    attempts.record(Route::Filter(at), outcome.clone());
    outcome
}

/// Whether a silent filter responds again. It may have accepted the completion. Then it still drains with the last report, and only new
/// reports keep it from mistaking silence for a stall.
pub(super) fn responds_again<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>, attempts: &Attempts) -> bool {
    let request = Request { method: "GET", path: wire::STATUS, headers: &UNSAMPLED, timeout: times::SILENT_CALL };
    let mut responds =
        |at: SocketAddr| stranger(sidecar, at).is_none() && Session::new(context, at).exchange(sidecar, &request).is_ok();
    attempts.silent().iter().any(|at| responds(*at))
}

/// Why the agent does not talk to `at`: another process than the proxy listens there, by the last reading of the socket table.
fn stranger<W: World>(sidecar: &Sidecar<'_, W>, at: SocketAddr) -> Option<Failure> {
    match sidecar.who_listens(at) {
        Listener::Other(uid) => Some(Failure::NotTheProxy(uid)),
        Listener::Proxy | Listener::Unknown => None,
    }
}

// === impl Session ===

impl<'c, W: World> Session<'c, W> {
    fn new(context: &'c Context<'c, W>, at: SocketAddr) -> Self {
        let now = context.world.now();
        let deadline = Budget::of(context, &Attempts::default()).deadline;
        Self {
            context,
            at,
            reporter: Reporter::new(now),
            failures: 0,
            lost: false,
            ended_at: context.task.at,
            report_from: now,
            check_at: now,
            eager_pause: times::EAGER_CHECK,
            // Until the filter says how much time it takes.
            give_up: (deadline + times::FILTER_QUIT).max(now + 2 * times::FILTER_QUIT),
            latest: None,
            quits: false,
            is_older: false,
            dying_since: None,
        }
    }

    /// Reports every new reading, until the proxy has ended or was drained, or the filter has failed.
    fn run(&mut self, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts) -> Outcome {
        loop {
            if let Some(outcome) = self.step(sidecar, attempts) {
                return outcome;
            }
        }
    }

    /// Waits for one pause, reads the sockets, and sends what is due.
    fn step(&mut self, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts) -> Option<Outcome> {
        let pause = if self.reporter.awaits_confirmation() { sidecar.pause_to_confirm() } else { sidecar.pause() };
        if sidecar.wait(pause) {
            return Some(Outcome::Gone);
        }
        let held = sidecar.look();
        progress::report_sigterm(self.context, sidecar, attempts);
        let now = self.context.world.now();
        if sidecar.has_ended() {
            return Some(Outcome::Gone);
        }
        if self.context.must_leave() {
            return Some(Outcome::Failed(Failure::GracePeriodOver(Progress::Accepted)));
        }
        if now >= self.give_up {
            return Some(Outcome::Failed(Failure::StillRuns(Progress::Accepted)));
        }
        if let Some(stranger) = stranger(sidecar, self.at) {
            return Some(Outcome::Failed(Failure::Later(Box::new(stranger))));
        }
        let reports =
            !self.quits && now >= self.report_from && (self.lost || held.is_some_and(|held| self.reporter.is_due(&held, now)));
        let response = if reports {
            attempts.sends(held, now);
            self.report(sidecar, held)
        } else if now >= self.check_at {
            self.ask(sidecar)
        } else {
            return None;
        };
        let before = attempts.last_reported();
        match response {
            Ok(status) => {
                self.follow(attempts, &status);
                if reports {
                    self.accepted(sidecar, attempts, held);
                }
                let only_drains = self.context.action(sidecar) == Action::Drain;
                let is_drained = State::named(&status.state) == Some(State::Drained);
                // The reading above may be old, if the agent was not scheduled meanwhile.
                let held = sidecar.fresh();
                // What Envoy itself sends after a flush is an entry about the agent's own requests.
                let is_telemetry = sidecar.telemetry_took().is_some() && held.is_some_and(|held| held.downstream == 0);
                if is_drained && only_drains && !is_telemetry && is_new_data(before, held) {
                    sidecar.telemetry_fills_again();
                    self.begin_again(now);
                    return None;
                }
                self.on_status(sidecar, attempts, &status, now)
            }
            Err(failure) => {
                attempts.add_silent(self.at);
                self.on_failure(sidecar, attempts, failure, now)
            }
        }
    }

    fn on_status(
        &mut self,
        sidecar: &mut Sidecar<'_, W>,
        attempts: &mut Attempts,
        status: &Status,
        now: Instant,
    ) -> Option<Outcome> {
        self.failures = 0;
        self.dying_since = None;
        match State::named(&status.state) {
            Some(State::Drained) => return Some(self.on_drained(sidecar, attempts, status)),
            // Its virtual machine was replaced, and the completion is lost.
            Some(State::Serving) => {
                self.lost = true;
                self.report_from = now + times::RETRY;
            }
            Some(State::Draining | State::Quitting) | None => {}
        }
        self.check_later(sidecar);
        None
    }

    /// The filter has drained, and leaves the proxy running. If the agent is to end it, only a filter whose configuration says `quit: never` is
    /// believed, and only where the proxy itself listens: a drain that another signal has asked for would keep the pod for ever.
    fn on_drained(&self, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts, status: &Status) -> Outcome {
        if self.context.action(sidecar) == Action::Drain {
            return Outcome::Left;
        }
        sidecar.look();
        let only_drains = status.action.as_deref() == Some(Action::Drain.name());
        let why = match (status.quits, sidecar.who_listens(self.at)) {
            (Some(false), Listener::Proxy) => return Outcome::Left,
            (_, Listener::Other(uid)) => Failure::NotTheProxy(uid),
            (_, Listener::Proxy | Listener::Unknown) if only_drains => Failure::OnlyDrains,
            (_, Listener::Proxy | Listener::Unknown) => Failure::Unexplained,
        };
        // Its limits are not those of this completion.
        attempts.promised = None;
        Outcome::Failed(why)
    }

    /// The filter has drained, and then the task has sent more: SIGTERM was not from kubelet, and the task has not ended.
    fn begin_again(&mut self, now: Instant) {
        info!("new data after the end: the task still runs, or has ended only now");
        self.ended_at = now;
        self.lost = true;
        self.report_from = now;
        self.latest = None;
    }

    /// Takes over the limits of the filter. The agent waits as long as the filter does, and then as long as it may need to end Envoy.
    fn follow(&mut self, attempts: &mut Attempts, status: &Status) {
        let now = self.context.world.now();
        self.quits = State::named(&status.state) == Some(State::Quitting);
        let Some(budget) = Budget::promised(self.context, status) else { return };
        attempts.promised = Some(budget);
        let is_over = status.deadline_ms == Some(0);
        self.give_up = match State::named(&status.state) {
            Some(State::Quitting) => {
                let since = Duration::from_millis(status.since_ms);
                self.give_up.min(now + times::QUIT.saturating_sub(since))
            }
            // A filter that does not end its drain must not keep the agent.
            _ if is_over => self.give_up.min(now + times::FILTER_QUIT),
            _ => (budget.deadline + times::FILTER_QUIT).min(self.latest(&budget, now)),
        };
    }

    /// How long the agent follows deadlines that move. That of a filter moves if its virtual machine is replaced, or if Envoy was suspended. What
    /// answers may be no filter, and would keep the pod for ever.
    fn latest(&mut self, budget: &Budget, now: Instant) -> Instant {
        let given = self.context.options.drain_timeout.filter(|_| !self.is_older);
        let drain_timeout = given.unwrap_or(budget.drain_timeout());
        *self.latest.get_or_insert(now + 2 * drain_timeout + times::FILTER_QUIT)
    }

    /// Whether an Envoy that does not respond is about to end: by what the filter knows, it has told Envoy to quit. Envoy closes its
    /// listeners first, and can need seconds for the rest on a busy node. Another route would only take the credit for it.
    fn is_dying(&mut self, sidecar: &Sidecar<'_, W>, attempts: &Attempts, now: Instant) -> bool {
        let has_decided = self.quits || attempts.is_delivered(now) || Limit::has_passed(self.context, attempts).is_some();
        if self.context.action(sidecar) != Action::Quit || !(has_decided || self.dying_since.is_some()) {
            return false;
        }
        now.since(*self.dying_since.get_or_insert(now)) < times::FILTER_QUIT
    }

    fn on_failure(
        &mut self,
        sidecar: &mut Sidecar<'_, W>,
        attempts: &Attempts,
        failure: Failure,
        now: Instant,
    ) -> Option<Outcome> {
        if sidecar.has_ended() {
            return Some(Outcome::Gone);
        }
        self.failures += 1;
        self.report_from = now + times::RETRY;
        self.check_at = now + times::RETRY;
        let is_silent = matches!(failure, Failure::NoResponse(_));
        let is_dying = is_silent && self.is_dying(sidecar, attempts, now);
        let fails = !is_silent || (self.failures >= MAX_FAILURES && !is_dying);
        fails.then(|| Outcome::Failed(Failure::Later(Box::new(failure))))
    }

    fn check_later(&mut self, sidecar: &Sidecar<'_, W>) {
        let idle = sidecar.reading().is_none_or(|held| held.is_idle());
        let eager = self.context.action(sidecar) == Action::Drain && idle;
        let pause = if eager { self.eager_pause } else { times::CHECK };
        self.eager_pause = if eager { (pause * 2).min(times::LONGEST_EAGER_CHECK) } else { times::EAGER_CHECK };
        self.check_at = self.context.world.now() + pause;
    }

    fn accepted(&mut self, sidecar: &Sidecar<'_, W>, attempts: &mut Attempts, held: Option<Held>) {
        if let Some(held) = held {
            debug!("reported to the filter{}", clause(Some(held)));
            self.reporter.reported(held, sidecar.read_at());
        }
        self.lost = false;
        if self.quits && attempts.last_reported().is_none_or(|reported| !reported.is_idle()) {
            return;
        }
        attempts.report(held, self.context.world.now());
        progress::report(self.context, sidecar, attempts);
    }

    /// Sends the completion with the reading `held`. An older filter refuses a completion with what it does not know, and gets it without.
    fn report(&mut self, sidecar: &mut Sidecar<'_, W>, held: Option<Held>) -> Result<Status, Failure> {
        let completion = self.context.completion(sidecar, held, self.ended_at);
        let plain = completion.clone().for_older_filter();
        if self.is_older || completion == plain {
            return self.send(sidecar, &plain);
        }
        match self.send(sidecar, &completion) {
            Err(Failure::Refused { status: 400, reason }) => {
                info!("the filter on {} is older, and does not take all that the agent knows: {reason}", self.at);
                self.is_older = true;
                self.send(sidecar, &plain)
            }
            result => result,
        }
    }

    fn send(&self, sidecar: &mut Sidecar<'_, W>, completion: &Completion) -> Result<Status, Failure> {
        let completion = completion.to_json();
        let headers = [(wire::HEADER, "1"), (wire::COMPLETION_HEADER, completion.as_str()), UNSAMPLED[0], UNSAMPLED[1]];
        let timeout = self.context.time_for(times::FILTER_CALL);
        self.exchange(sidecar, &Request { method: "POST", path: wire::COMPLETE, headers: &headers, timeout })
    }

    /// Asks for the status.
    fn ask(&self, sidecar: &mut Sidecar<'_, W>) -> Result<Status, Failure> {
        let timeout = self.context.time_for(times::FILTER_CALL);
        self.exchange(sidecar, &Request { method: "GET", path: wire::STATUS, headers: &UNSAMPLED, timeout })
    }

    fn exchange(&self, sidecar: &mut Sidecar<'_, W>, request: &Request<'_>) -> Result<Status, Failure> {
        let timeout = if self.at.ip().is_loopback() { http::CONNECT_TIMEOUT } else { times::CAPTURED_CONNECT };
        let connection = self.context.world.connect(self.at, self.context.time_for(timeout));
        let connection = connection.map_err(|error| Failure::NoResponse(Problem::NotSent(error.kind())))?;
        if !self.at.ip().is_loopback() {
            // Istio captures this connection, so the proxy holds it.
            connection.local_end().into_iter().for_each(|end| sidecar.disregard(end));
        }
        let mut body = Body::of(Input::FilterAnswer);
        let head = connection.exchange(self.at, request, &mut |piece| body.take(piece)).map_err(Failure::NoResponse)?;
        match head.status {
            status if !head.is_filters => Err(Failure::NotTheFilter(status)),
            200 | 202 => Status::parse(body.bytes()).map_err(|_| Failure::NoResponse(Problem::NotUnderstood)),
            status => Err(Failure::Refused { status, reason: first_line(body.bytes()) }),
        }
    }
}

/// Whether there is data in the reading `now` and was none in the last report, `before`.
fn is_new_data(before: Option<Held>, now: Option<Held>) -> bool {
    before.is_some_and(|before| before.is_idle()) && now.is_some_and(|now| !now.is_idle())
}

/// The first line of an error response, truncated.
fn first_line(text: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(text);
    text.lines().next().unwrap_or_default().chars().take(LONGEST).collect()
}

/// What the kernel holds, as a clause of a message.
fn clause(held: Option<Held>) -> String {
    match held {
        None => String::new(),
        Some(held) if held.is_idle() => ", nothing undelivered".to_owned(),
        Some(held) => format!(", {} bytes in {} connections undelivered", held.bytes, held.connections),
    }
}
