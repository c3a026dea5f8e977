//! What has happened to a pod, as far as its status does not say it: its Events, and lines of the logs of the agent and of the proxy.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The history of a pod. `None`: unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct History {
    /// Its Events. Most clusters keep them for one hour.
    pub events: Option<Vec<PodEvent>>,
    /// What the agent and the proxy have said, each line with the time at which the container runtime read it.
    pub log: Option<Vec<LogLine>>,
    /// What could not be asked, each with the reason as one line.
    pub unknown: Vec<String>,
}

/// An Event, or several that are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodEvent {
    /// When it was written, or the last time of several.
    pub at: Timestamp,
    /// Whether `at` is more exact than a second.
    #[serde(default)]
    pub is_exact: bool,
    /// The container that it is about, if it is about one.
    #[serde(default)]
    pub container: Option<String>,
    /// For example `Killing`.
    pub reason: String,
    /// The sentence of who has written it.
    #[serde(default)]
    pub message: String,
    /// Whether it is a warning.
    #[serde(default)]
    pub is_warning: bool,
    /// How often it was written.
    #[serde(default)]
    pub count: i32,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Whose log it is.
    pub container: String,
    /// When the container runtime read it.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
}

/// What of the proxy's log is about its life: exeunt's filter, and pilot-agent at its start and end.
const OF_THE_PROXY: [&str; 7] =
    ["exeunt", "Envoy proxy is ready", "draining", "Draining", "raceful termination", "exited", "successfully terminated"];

// === impl LogLine ===

impl LogLine {
    /// Reads a line that begins with its time, as an API server writes it with `timestamps=true`.
    #[must_use]
    pub fn read(container: &str, line: &str) -> Option<Self> {
        let (at, text) = line.split_once(' ')?;
        Some(Self { container: container.to_owned(), at: at.parse().ok()?, text: text.trim_end().to_owned() })
    }

    /// Whether a line of the proxy's log is about the proxy's life and not about its traffic.
    #[must_use]
    pub fn is_about_the_proxy(&self) -> bool {
        OF_THE_PROXY.iter().any(|word| self.text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_time() {
        let line = LogLine::read("exeunt", "2026-11-22T19:46:29.512345678Z base has ended (exit code 0)").unwrap();
        assert_eq!(
            (line.at.to_string().as_str(), line.text.as_str()),
            ("2026-11-22T19:46:29.512345678Z", "base has ended (exit code 0)")
        );
        for wrong in ["", "no time", "2026-11-22T19:46:29Z", "unable to retrieve container logs for containerd://1"] {
            assert_eq!(LogLine::read("exeunt", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn traffic_is_not_the_life_of_the_proxy() {
        let about = |text: &str| {
            LogLine { container: String::new(), at: Timestamp::UNIX_EPOCH, text: text.to_owned() }.is_about_the_proxy()
        };
        assert!(about("info\tEnvoy proxy is ready") && about("info\tGraceful termination period is 5s, starting..."));
        assert!(!about("[2026-11-22T19:46:29.512Z] \"GET / HTTP/1.1\" 200 - via_upstream"));
    }
}
