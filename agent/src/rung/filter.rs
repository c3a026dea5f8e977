//! The best rung: the filter in Envoy takes the completion, and everything we learn after it, and decides.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use drain::machine::State;
use drain::time::Instant;
use drain::wire::{self, Action, Status};
use pod::delivery::Held;

use super::{Outcome, Route};
use crate::ending::Ending;
use crate::http::{self, Body, Problem, Request};
use crate::log;
use crate::report::Reporter;

/// The filter answers within a millisecond, unless its worker is throttled.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer that is read. A status has 300 bytes; the rest is room for a newer filter.
const MAX_ANSWER: usize = 64 * 1024;
/// How often the filter is asked where it stands: a filter that has crashed after its answer must not cost the whole drain
/// timeout.
const CHECK: Duration = Duration::from_secs(1);
/// The same while its answer is all that is waited for.
const EAGER_CHECK: Duration = Duration::from_millis(50);
/// Pause after an exchange that failed. Envoy, shutting down, refuses connections for some 20 ms before it is gone.
const RETRY: Duration = Duration::from_millis(250);
/// So many failures in a row, and the filter is not there any more.
const MAX_FAILURES: u32 = 3;
/// How much longer than its limits the filter is given to have Envoy leave; and how long, if it is asked when they have passed.
const LEAVING: Duration = Duration::from_secs(5);

/// Why the filter has not taken a signal.
#[derive(Debug)]
enum Refusal {
    /// There is no answer.
    None(Problem),
    /// An answer without the filter's header: Envoy's own, with this status. The module is missing or has crashed, or another
    /// program listens there.
    NotTheFilter(u16),
    /// The filter does not take it, and says why.
    Refused(u16, String),
}

/// The talk with a filter that has taken the completion.
#[derive(Debug)]
struct Talk {
    at: SocketAddr,
    reporter: Reporter,
    failures: u32,
    /// It does not know of the completion any more.
    untold: bool,
    /// No report before this.
    report_from: Instant,
    /// When the filter is asked where it stands, if nothing else was said to it.
    check_at: Instant,
    /// When it has had its time.
    give_up: Instant,
}

/// How long a filter that was silent is given to answer again, and how often it is asked: often enough that it learns of a byte that
/// moves before its stall timeout.
const BACK_TIMEOUT: Duration = Duration::from_millis(250);
pub(crate) const BACK: Duration = Duration::from_secs(2);

/// Signals the filter at `at`, and stays until the proxy has left or the filter turns out to be no help.
pub(crate) fn climb(ending: &mut Ending<'_>, at: SocketAddr) -> Outcome {
    let route = Route::Filter(at);
    let held = ending.sidecar.fresh();
    let status = match tell(ending, at, held) {
        Ok(status) => status,
        Err(refusal) => {
            let failed = Outcome::Failed(refusal.to_string());
            ending.trail.record(route, failed.clone());
            if matches!(refusal, Refusal::None(Problem::NoAnswer(_) | Problem::NotUnderstood)) {
                ending.remember_silent(at);
            }
            // By itself: the filter has no part in it.
            return if ending.sidecar.is_gone() { Outcome::Gone } else { failed };
        }
    };
    log::line(&format!("the filter on {at} has taken it: {}{}", status.state, of(held)));
    ending.silent.retain(|silent| *silent != at);
    ending.sidecar.find_process();
    let mut talk = Talk::begun(ending, at, held);
    let outcome = loop {
        if let Some(outcome) = talk.go_on(ending) {
            break outcome;
        }
    };
    ending.trail.record(route, outcome.clone());
    outcome
}

// === impl Talk ===

impl Talk {
    fn begun(ending: &mut Ending<'_>, at: SocketAddr, held: Option<Held>) -> Self {
        let now = ending.clock.now();
        let limits = ending.options.drain_timeout + ending.options.stall_timeout + LEAVING;
        let mut talk = Self {
            at,
            reporter: Reporter::new(now),
            failures: 0,
            untold: false,
            report_from: now,
            check_at: now,
            give_up: (ending.began + limits).max(now + 2 * LEAVING),
        };
        talk.was_told(ending, held, now);
        talk.check_later(ending, now);
        talk
    }

    /// Waits for one pause, looks, and says what is to be said.
    fn go_on(&mut self, ending: &mut Ending<'_>) -> Option<Outcome> {
        let confirms = self.reporter.awaits_confirmation();
        let pause = if confirms { ending.sidecar.pause_to_confirm() } else { ending.sidecar.pause() };
        if ending.sidecar.wait(pause) {
            return Some(Outcome::Gone);
        }
        let held = ending.sidecar.look();
        let now = ending.clock.now();
        if ending.sidecar.is_gone() {
            return Some(Outcome::Gone);
        }
        if ending.must_leave() {
            return Some(Outcome::Failed("taken, but the grace period is over".to_owned()));
        }
        if now >= self.give_up {
            return Some(Outcome::Failed("taken, but the proxy has not left in time".to_owned()));
        }
        let tells = now >= self.report_from && (self.untold || held.is_some_and(|held| self.reporter.is_due(&held, now)));
        let answer = if tells {
            tell(ending, self.at, held)
        } else if now >= self.check_at {
            ask(ending, self.at)
        } else {
            return None;
        };
        match answer {
            Ok(status) => {
                if tells {
                    self.was_told(ending, held, now);
                }
                self.on_status(ending, &status, now)
            }
            Err(refusal) => self.on_refusal(ending, &refusal, now),
        }
    }

    fn on_status(&mut self, ending: &Ending<'_>, status: &Status, now: Instant) -> Option<Outcome> {
        self.failures = 0;
        match State::named(&status.state) {
            // By our action or by its configuration: it will not quit Envoy.
            Some(State::Drained) => return Some(Outcome::Left),
            // It has lost what it was told, with its virtual machine.
            Some(State::Serving) => {
                self.untold = true;
                self.report_from = now + RETRY;
            }
            Some(State::Draining | State::Quitting) | None => {}
        }
        self.check_later(ending, now);
        None
    }

    fn on_refusal(&mut self, ending: &mut Ending<'_>, refusal: &Refusal, now: Instant) -> Option<Outcome> {
        if ending.sidecar.is_gone() {
            return Some(Outcome::Gone);
        }
        self.failures += 1;
        self.report_from = now + RETRY;
        self.check_at = now + RETRY;
        ending.remember_silent(self.at);
        let lost = match refusal {
            Refusal::None(_) => self.failures >= MAX_FAILURES,
            Refusal::NotTheFilter(_) | Refusal::Refused(..) => true,
        };
        lost.then(|| Outcome::Failed(format!("taken, then {refusal}")))
    }

    fn check_later(&mut self, ending: &Ending<'_>, now: Instant) {
        let quiet = ending.sidecar.reading().is_none_or(|held| held.is_quiet());
        let eager = ending.action() == Action::Drain && quiet;
        self.check_at = now + if eager { EAGER_CHECK } else { CHECK };
    }

    fn was_told(&mut self, ending: &mut Ending<'_>, held: Option<Held>, now: Instant) {
        if let Some(held) = held {
            self.reporter.reported(held, now);
        }
        self.untold = false;
        ending.told = held;
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(problem) => problem.fmt(f),
            Self::NotTheFilter(status) => write!(f, "not the filter's answer ({status})"),
            Self::Refused(status, why) => write!(f, "refused with {status}: {why}"),
        }
    }
}

/// Sends what is known of the task's end.
fn tell(ending: &mut Ending<'_>, at: SocketAddr, held: Option<Held>) -> Result<Status, Refusal> {
    let completion = ending.completion(held).to_json();
    let headers = [(wire::HEADER, "1"), (wire::COMPLETION_HEADER, completion.as_str())];
    let timeout = ending.time_for(TIMEOUT);
    exchange(ending, at, &Request { method: "POST", path: wire::COMPLETE, headers: &headers, timeout })
}

/// Asks for the status.
fn ask(ending: &mut Ending<'_>, at: SocketAddr) -> Result<Status, Refusal> {
    let timeout = ending.time_for(TIMEOUT);
    exchange(ending, at, &Request { method: "GET", path: wire::STATUS, headers: &[], timeout })
}

/// Whether a filter that was silent answers again. It has perhaps taken the completion: then it goes on draining by what it was told
/// last, and only who talks to it can keep it from taking silence for a standstill.
pub(crate) fn is_back(ending: &mut Ending<'_>) -> bool {
    let request = Request { method: "GET", path: wire::STATUS, headers: &[], timeout: BACK_TIMEOUT };
    ending.silent.clone().into_iter().any(|at| exchange(ending, at, &request).is_ok())
}

fn exchange(ending: &mut Ending<'_>, at: SocketAddr, request: &Request<'_>) -> Result<Status, Refusal> {
    let stream =
        http::connect(at, ending.time_for(http::CONNECT_TIMEOUT)).map_err(|error| Refusal::None(Problem::NotSent(error)))?;
    if !at.ip().is_loopback() {
        // It is captured, or should be.
        stream.local_addr().into_iter().for_each(|end| ending.sidecar.disregard(end));
    }
    let mut answer = Body::up_to(MAX_ANSWER);
    let head = http::exchange_on(stream, at, request, &mut |piece| answer.take(piece)).map_err(Refusal::None)?;
    match head.status {
        status if !head.is_filters => Err(Refusal::NotTheFilter(status)),
        200 | 202 => Status::parse(answer.bytes()).map_err(|_| Refusal::None(Problem::NotUnderstood)),
        status => Err(Refusal::Refused(status, first_line(answer.bytes()))),
    }
}

/// The reason in an error's body, short enough for a line.
fn first_line(text: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(text);
    text.lines().next().unwrap_or_default().chars().take(LONGEST).collect()
}

/// What is held, as a clause.
fn of(held: Option<Held>) -> String {
    match held {
        None => String::new(),
        Some(held) if held.is_quiet() => ", nothing undelivered".to_owned(),
        Some(held) => format!(", {} bytes in {} connections undelivered", held.bytes, held.connections),
    }
}
