//! What the agent has tried: every route to the proxy with its last outcome, and what was reported on the way.

use core::fmt;
use core::net::SocketAddr;

use drain::admin;
use drain::time::Instant;
use pod::delivery::Held;

use super::budget::Budget;
use super::times;
use crate::os::http::Problem;
use crate::proxy::sidecar::NoSignal;

/// A way to end the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The filter in Envoy, at this signal address.
    Filter(SocketAddr),
    /// Envoy's admin interface; the agent itself decides.
    Admin(SocketAddr),
    /// pilot-agent's status server; the agent itself decides.
    PilotAgent(SocketAddr),
    /// SIGTERM to pilot-agent.
    Terminate,
    /// None: the agent only waits for ztunnel.
    Ztunnel,
    /// None: by the kernel's table of sockets, the agent sees that everything is delivered, and kubelet ends the proxy.
    SocketTable,
}

/// The outcome of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The proxy has ended.
    Gone,
    /// Everything is delivered, and kubelet or the node ends the proxy.
    Left,
    /// The route has failed.
    Failed(Failure),
}

/// Why a route has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no response.
    NoResponse(Problem),
    /// The response is not the filter's but Envoy's own, with this status: the module is missing or has crashed, or another program
    /// listens there.
    NotTheFilter(u16),
    /// Envoy says that it has no filter.
    NoFilter,
    /// The filter does not accept the completion, and gives this reason.
    Refused {
        /// The status of the response.
        status: u16,
        /// Its first line.
        reason: String,
    },
    /// The filter has accepted the completion, and failed later.
    Later(Box<Self>),
    /// The filter has drained, and does not end the proxy, because another signal says so.
    OnlyDrains,
    /// What responds has drained, it says, and does not end the proxy, for no reason that the agent can believe.
    Unexplained,
    /// Another process than the proxy listens on the signal address, of this uid.
    NotTheProxy(u32),
    /// Envoy's admin interface or pilot-agent has failed.
    Call(admin::Failure),
    /// No process accepts the call to quit.
    NoQuit,
    /// The proxy was asked to end, and runs on.
    StillRuns(Progress),
    /// The grace period is over.
    GracePeriodOver(Progress),
    /// SIGTERM was not sent.
    NoSignal(NoSignal),
}

/// How far a route came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was accepted.
    Nothing,
    /// The filter has accepted the completion.
    Accepted,
    /// Envoy or pilot-agent has answered a call.
    Answered,
    /// Envoy or pilot-agent was asked to quit.
    Asked,
}

/// All attempts of one shutdown.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// Every route with its last outcome, in the order of the first try.
    routes: Vec<(Route, Outcome)>,
    /// The last reading that the decider, that is the filter or the agent's own machine, has accepted.
    last_reported: Option<Held>,
    /// Whether the filter has accepted a second idle report in a row, after which it ends the proxy.
    confirmed: bool,
    /// When such a report was sent last. An Envoy that ends does not always answer.
    confirms_at: Option<Instant>,
    /// When the first of the idle reports in a row was accepted.
    idle_at: Option<Instant>,
    /// When a report last differed from the one before.
    moved_at: Option<Instant>,
    /// The limits that the filter has told last.
    pub(super) promised: Option<Budget>,
    /// Filters that may have accepted the completion and do not respond.
    silent: Vec<SocketAddr>,
    /// Whether kubelet's file has a verdict on the drain so far.
    pub(super) reports_progress: bool,
}

// === impl Attempts ===

impl Attempts {
    /// Records the outcome of `route`.
    pub fn record(&mut self, route: Route, outcome: Outcome) {
        match self.routes.iter_mut().find(|(known, _)| *known == route) {
            Some((_, last)) => *last = outcome,
            None => self.routes.push((route, outcome)),
        }
    }

    /// Records that the decider has accepted a report of `held` at the time `now`.
    pub fn report(&mut self, held: Option<Held>, now: Instant) {
        if self.last_reported != held || held.is_none() {
            self.moved_at = Some(now);
        }
        let idle = |held: Option<Held>| held.is_some_and(|held| held.is_idle());
        self.confirmed = idle(self.last_reported) && idle(held);
        self.idle_at = idle(held).then(|| self.idle_at.unwrap_or(now));
        self.last_reported = held;
    }

    /// Records that a report of `held` is sent now.
    pub fn sends(&mut self, held: Option<Held>, now: Instant) {
        if held.is_some_and(|held| held.is_idle()) && self.last_reported.is_some_and(|reported| reported.is_idle()) {
            self.confirms_at = Some(now);
        }
    }

    /// Whether the proxy, which has just ended, ended by the decision of the filter or of the agent. Before everything is delivered, a decider
    /// ends the proxy only after its limits.
    #[must_use]
    pub fn is_by_decision(&self, now: Instant) -> bool {
        match self.success() {
            None => false,
            Some(Route::Filter(_)) => self.is_delivered(now),
            Some(_) => self.last_reported.is_none_or(|reported| reported.is_idle()),
        }
    }

    /// Whether the proxy, which has just ended, ended as soon as a decider ends it. One that has ended later may have crashed meanwhile.
    #[must_use]
    pub fn is_prompt(&self, now: Instant) -> bool {
        self.idle_at.is_some_and(|at| now.since(at) < times::PROMPT)
    }

    /// Whether the filter has what it needs to end the proxy because everything is delivered.
    #[must_use]
    pub fn is_delivered(&self, now: Instant) -> bool {
        self.confirmed || self.confirms_at.is_some_and(|at| now.since(at) < times::DECISION)
    }

    /// When bytes were last seen to move. `None` if nothing was reported.
    #[must_use]
    pub const fn moved_at(&self) -> Option<Instant> {
        self.moved_at
    }

    /// Records that the filter at `at` may know of the completion and does not respond.
    pub fn add_silent(&mut self, at: SocketAddr) {
        if !self.silent.contains(&at) {
            self.silent.push(at);
        }
    }

    /// Records that the filter at `at` responds.
    pub fn remove_silent(&mut self, at: SocketAddr) {
        self.silent.retain(|silent| *silent != at);
    }

    /// Every route with its last outcome.
    pub fn routes(&self) -> impl Iterator<Item = &(Route, Outcome)> {
        self.routes.iter()
    }

    /// The route that ended or drained the proxy. `None` if the proxy ended by itself.
    #[must_use]
    pub fn success(&self) -> Option<Route> {
        let ended = |(_, outcome): &&(Route, Outcome)| matches!(outcome, Outcome::Gone | Outcome::Left);
        self.routes.iter().find(ended).map(|(route, _)| *route)
    }

    /// The last reading that the decider has accepted.
    #[must_use]
    pub const fn last_reported(&self) -> Option<Held> {
        self.last_reported
    }

    /// Filters that may know of the completion and do not respond.
    #[must_use]
    pub fn silent(&self) -> &[SocketAddr] {
        &self.silent
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (route, outcome)) in self.routes.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{route}: {outcome}")?;
        }
        Ok(())
    }
}

// === impl Route ===

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(at) => write!(f, "filter {at}"),
            Self::Admin(at) => write!(f, "admin {at}"),
            Self::PilotAgent(at) => write!(f, "pilot-agent {at}"),
            Self::Terminate => f.write_str("SIGTERM to pilot-agent"),
            Self::Ztunnel => f.write_str("ztunnel"),
            Self::SocketTable => f.write_str("socket table"),
        }
    }
}

// === impl Outcome ===

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("gone"),
            Self::Left => f.write_str("left"),
            Self::Failed(why) => why.fmt(f),
        }
    }
}

// === impl Failure ===

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResponse(problem) => problem.fmt(f),
            Self::NotTheFilter(status) => write!(f, "not the filter's answer ({status})"),
            Self::NoFilter => f.write_str("Envoy has no filter"),
            Self::Refused { status, reason } => write!(f, "refused with {status}: {reason}"),
            Self::Later(why) => write!(f, "accepted, then {why}"),
            Self::OnlyDrains => f.write_str("it only drains, because another signal says so"),
            Self::Unexplained => f.write_str("it says that it only drains, and not why"),
            Self::NotTheProxy(uid) => write!(f, "a process of uid {uid} listens there, not the proxy"),
            Self::Call(why) => why.fmt(f),
            Self::NoQuit => f.write_str("no process accepts the call to quit"),
            Self::StillRuns(progress) => write!(f, "{progress}the proxy still runs"),
            Self::GracePeriodOver(progress) => write!(f, "{progress}the grace period is over"),
            Self::NoSignal(why) => why.fmt(f),
        }
    }
}

// === impl Progress ===

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "",
            Self::Accepted => "accepted, but ",
            Self::Answered => "answered, but ",
            Self::Asked => "asked to quit, but ",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_route_tried_again_keeps_its_place_and_gets_the_new_outcome() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let refused = || Outcome::Failed(Failure::NoResponse(Problem::NotSent(ErrorKind::ConnectionRefused)));
        let mut attempts = Attempts::default();
        attempts.record(Route::Filter(at(15190)), refused());
        attempts.record(Route::Admin(at(15000)), refused());
        assert_eq!(attempts.success(), None);
        attempts.record(Route::Filter(at(15190)), Outcome::Gone);
        assert_eq!(attempts.to_string(), "filter 127.0.0.1:15190: gone, admin 127.0.0.1:15000: refused");
        assert_eq!(attempts.success(), Some(Route::Filter(at(15190))));
    }
}
