//! The ladder's rungs: ways to have the proxy leave, from the best to the worst. A rung is climbed when the proxy is seen to end.

use core::fmt;
use core::net::SocketAddr;

pub(crate) mod admin;
pub(crate) mod filter;
pub(crate) mod terminate;
pub(crate) mod ztunnel;

/// Whom a rung talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The filter in Envoy, on this signal address.
    Filter(SocketAddr),
    /// Envoy's admin interface; the agent itself decides.
    Admin(SocketAddr),
    /// pilot-agent's status server; the agent itself decides.
    PilotAgent(SocketAddr),
    /// A signal to pilot-agent.
    Terminate,
    /// None: ztunnel is only waited for.
    Ztunnel,
}

/// What came of a rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The proxy has ended.
    Gone,
    /// Everything is delivered, and the proxy is left to kubelet.
    Left,
    /// Why not.
    Failed(String),
}

/// What came of every route, each with its last outcome, in the order in which they were first taken.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<(Route, Outcome)>);

// === impl Route ===

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(at) => write!(f, "filter {at}"),
            Self::Admin(at) => write!(f, "admin {at}"),
            Self::PilotAgent(at) => write!(f, "pilot-agent {at}"),
            Self::Terminate => f.write_str("SIGTERM to pilot-agent"),
            Self::Ztunnel => f.write_str("ztunnel"),
        }
    }
}

// === impl Outcome ===

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("gone"),
            Self::Left => f.write_str("left"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

// === impl Trail ===

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (route, outcome)) in self.0.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{route}: {outcome}")?;
        }
        Ok(())
    }
}

impl Trail {
    /// What came of `route` now.
    pub(crate) fn record(&mut self, route: Route, outcome: Outcome) {
        match self.0.iter_mut().find(|(known, _)| *known == route) {
            Some((_, last)) => *last = outcome,
            None => self.0.push((route, outcome)),
        }
    }

    /// Every route and its outcome.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Route, Outcome)> {
        self.0.iter()
    }

    /// The route by which the proxy has left or was left; `None` if it went by itself.
    pub(crate) fn way_out(&self) -> Option<Route> {
        let done = |(_, outcome): &&(Route, Outcome)| matches!(outcome, Outcome::Gone | Outcome::Left);
        self.0.iter().find(done).map(|(route, _)| *route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_taken_again_has_its_last_outcome_and_its_first_place() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut trail = Trail::default();
        trail.record(Route::Filter(at(15190)), Outcome::Failed("refused".to_owned()));
        trail.record(Route::Admin(at(15000)), Outcome::Failed("refused".to_owned()));
        assert_eq!(trail.way_out(), None);
        trail.record(Route::Filter(at(15190)), Outcome::Gone);
        assert_eq!(trail.to_string(), "filter 127.0.0.1:15190: gone, admin 127.0.0.1:15000: refused");
        assert_eq!(trail.way_out(), Some(Route::Filter(at(15190))));
    }
}
