//! The calls to Envoy and to pilot-agent, and their answers.
//!
//! Source: Envoy, "Administration interface"; Istio, `pilot/cmd/pilot-agent/status/server.go`.

use core::fmt;
use core::time::Duration;

/// Who receives a call.
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
    /// Fails the inbound health checks, so clients stop sending new requests.
    FailHealthcheck,
    /// Drains the inbound listeners. With `skip_exit` they stay open for the requests that they still serve.
    DrainListeners,
    /// Asks how many clusters Envoy has. With too many, [`Call::Clusters`] would be too expensive.
    CountClusters,
    /// Asks for the requests in flight of every cluster.
    Clusters,
    /// Shuts Envoy down: it flushes its access logs and exits with 0, then pilot-agent does the same.
    Quit,
    /// Makes pilot-agent end Envoy, since Istio 1.26 by SIGKILL. Used when the admin interface cannot be reached.
    PilotAgentQuit,
}

/// The id of one call: it tells a late answer from the answer to a newer call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId(pub u32);

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Status 200; the body does not matter.
    Done,
    /// The answer to [`Call::CountClusters`].
    ClusterCount(u64),
    /// The answer to [`Call::Clusters`]: the requests and TCP streams in flight in the workload's clusters.
    InFlight(u64),
    /// No usable answer.
    Failed(Failure),
}

/// Why a call has no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The cluster does not exist or the call could not be sent.
    NotSent,
    /// No answer within [`Call::timeout`], or the connection broke.
    NoAnswer,
    /// A status other than 200.
    Status(u16),
    /// Status 200, with an unexpected body.
    NotUnderstood,
}

// === impl Call ===

impl Call {
    /// Who receives the call.
    #[must_use]
    pub const fn callee(self) -> Callee {
        match self {
            Self::FailHealthcheck | Self::DrainListeners | Self::CountClusters | Self::Clusters | Self::Quit => Callee::Admin,
            Self::PilotAgentQuit => Callee::PilotAgent,
        }
    }

    /// The HTTP method. Envoy and pilot-agent change nothing on a GET.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::CountClusters | Self::Clusters => "GET",
            Self::FailHealthcheck | Self::DrainListeners | Self::Quit | Self::PilotAgentQuit => "POST",
        }
    }

    /// The path with the query.
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

    /// How long to wait for the answer. Envoy answers within a millisecond unless its main thread is busy. pilot-agent ends Envoy first,
    /// and answers then.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        match self {
            // An answer of 35 MB takes 0.2 s on an idle machine. A sidecar with little CPU may need ten times as long.
            Self::Clusters => Duration::from_secs(5),
            Self::FailHealthcheck | Self::DrainListeners | Self::CountClusters | Self::Quit | Self::PilotAgentQuit => {
                Duration::from_secs(2)
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    /// The answer of a call whose body does not matter.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        if status == 200 { Self::Done } else { Self::Failed(Failure::Status(status)) }
    }

    /// Reads the answer to [`Call::CountClusters`]: a line such as `cluster_manager.active_clusters: 8`.
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
            Self::NotUnderstood => f.write_str("was answered with an unexpected body"),
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
