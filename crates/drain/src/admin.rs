//! What is asked of Envoy and of pilot-agent, and what they answer.
//!
//! Source: Envoy, "Administration interface"; Istio, `pilot/cmd/pilot-agent/status/server.go`.

use core::fmt;
use core::time::Duration;

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// Envoy's admin interface: the static cluster `prometheus_stats`, port 15000.
    Admin,
    /// pilot-agent's status server: the static cluster `agent`, port 15020.
    PilotAgent,
}

/// One request to Envoy's admin interface or to pilot-agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Fails the inbound health checks, so that nobody sends new work.
    FailHealthcheck,
    /// Drains the inbound listeners; `skip_exit` keeps them from being closed under the requests they still serve.
    DrainListeners,
    /// Asks how many clusters there are: whether [`Call::Clusters`] is affordable.
    CountClusters,
    /// Asks for every cluster's requests in flight.
    Clusters,
    /// Shuts Envoy down in order: it flushes its access logs and exits 0, and pilot-agent after it.
    Quit,
    /// Has pilot-agent end Envoy. Since Istio 1.26 that is SIGKILL: the second way, for when the admin interface is out of reach.
    PilotAgentQuit,
}

/// The name of one call, so that a late answer is not taken for a new one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId(pub u32);

/// What a call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200, and the body says nothing that matters.
    Done,
    /// To [`Call::CountClusters`].
    ClusterCount(u64),
    /// To [`Call::Clusters`]: requests and TCP streams in flight in the workload's clusters.
    InFlight(u64),
    /// Nothing usable.
    Failed(Failure),
}

/// Why a call brought nothing usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The cluster does not exist or the call could not be sent.
    NotSent,
    /// No answer within [`Call::timeout`], or the connection broke.
    NoAnswer,
    /// An answer other than 200.
    Status(u16),
    /// 200, and a body that is not what it should be.
    NotUnderstood,
}

// === impl Call ===

impl Call {
    /// Whom it goes to.
    #[must_use]
    pub const fn callee(self) -> Callee {
        match self {
            Self::FailHealthcheck | Self::DrainListeners | Self::CountClusters | Self::Clusters | Self::Quit => Callee::Admin,
            Self::PilotAgentQuit => Callee::PilotAgent,
        }
    }

    /// The HTTP method; Envoy and pilot-agent refuse to change anything on a GET.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::CountClusters | Self::Clusters => "GET",
            Self::FailHealthcheck | Self::DrainListeners | Self::Quit | Self::PilotAgentQuit => "POST",
        }
    }

    /// The path with its query.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::FailHealthcheck => "/healthcheck/fail",
            Self::DrainListeners => "/drain_listeners?inboundonly&graceful&skip_exit",
            Self::CountClusters => "/stats?filter=^cluster_manager.active_clusters$",
            Self::Clusters => "/clusters",
            Self::Quit | Self::PilotAgentQuit => "/quitquitquit",
        }
    }

    /// How long to wait for the answer. Envoy answers within a millisecond unless its main thread is busy; pilot-agent ends Envoy
    /// before it answers.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        match self {
            // 35 MB of clusters take 0.2 s on an idle machine; a throttled sidecar may need ten times that.
            Self::Clusters => Duration::from_secs(5),
            Self::FailHealthcheck | Self::DrainListeners | Self::CountClusters | Self::Quit | Self::PilotAgentQuit => {
                Duration::from_secs(2)
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    /// What `status` alone says, for the calls whose body does not matter.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        if status == 200 { Self::Done } else { Self::Failed(Failure::Status(status)) }
    }

    /// The answer to [`Call::CountClusters`]: a line `cluster_manager.active_clusters: 8`.
    #[must_use]
    pub fn of_cluster_count(status: u16, body: &[u8]) -> Self {
        if status != 200 {
            return Self::Failed(Failure::Status(status));
        }
        let count = core::str::from_utf8(body)
            .ok()
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix("cluster_manager.active_clusters:")))
            .and_then(|count| count.trim().parse().ok());
        count.map_or(Self::Failed(Failure::NotUnderstood), Self::ClusterCount)
    }
}

// === impl Failure ===

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str("could not be sent"),
            Self::NoAnswer => f.write_str("was not answered"),
            Self::Status(status) => write!(f, "was answered with {status}"),
            Self::NotUnderstood => f.write_str("was answered with something else"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_cluster_count_is_read_from_its_line() {
        let body = b"cluster_manager.active_clusters: 8\n";
        assert_eq!(Answer::of_cluster_count(200, body), Answer::ClusterCount(8));
    }

    #[test]
    fn anything_else_is_not_understood() {
        for body in [&b""[..], b"cluster_manager.active_clusters: many\n", b"\xff\xfe", b"server.live: 1\n"] {
            assert_eq!(Answer::of_cluster_count(200, body), Answer::Failed(Failure::NotUnderstood), "{body:?}");
        }
        assert_eq!(Answer::of_cluster_count(503, b""), Answer::Failed(Failure::Status(503)));
    }
}
