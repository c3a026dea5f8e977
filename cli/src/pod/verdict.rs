//! The verdict of the agent, as far as the commands need it: docs/verdict.schema.json has all of it.

use serde::{Deserialize, Serialize};

/// One verdict. A field that a later agent adds is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The version of the agent.
    pub version: String,
    /// What became of the proxy: `gone`, `left`, `draining`, `none`, `stays` or `untouched`.
    pub proxy: String,
    /// The route that worked.
    #[serde(default)]
    pub route: Option<String>,
    /// How long it took from the end of the task to the end of the proxy.
    #[serde(default)]
    pub drain_ms: Option<u64>,
    /// The part of it in which only buffered access logs, spans and metrics were waited for.
    #[serde(default)]
    pub telemetry_ms: Option<u64>,
    /// How long the kernel needed after the end of the proxy to send the last bytes.
    #[serde(default)]
    pub linger_ms: Option<u64>,
    /// What was cut off.
    #[serde(default)]
    pub undelivered: Option<Undelivered>,
    /// The limit that has cut it off.
    #[serde(default)]
    pub limit: Option<String>,
    /// What to do about it.
    #[serde(default)]
    pub advice: Option<String>,
    /// Why the agent did nothing.
    #[serde(default)]
    pub refused: Vec<Refusal>,
    /// The containers beside the task that were asked to end, or waited for.
    #[serde(default)]
    pub helpers: Vec<HelperEnd>,
}

/// What became of a container beside the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelperEnd {
    /// Its name, if the agent was told one.
    #[serde(default)]
    pub container: Option<String>,
    /// The request or the signal that it got.
    #[serde(default)]
    pub asked: Option<String>,
    /// Milliseconds from the end of the task to its end. `None`: it still ran.
    #[serde(default)]
    pub ended_ms: Option<u64>,
}

/// One reason why the agent did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A sentence for a person.
    pub reason: String,
}

/// What was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undelivered {
    /// How many connections were cut off.
    pub connections: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Whether it may be more.
    pub at_least: bool,
}

// === impl Verdict ===

impl Verdict {
    /// Reads a termination message. It is `None` if that is no verdict: any container can write there.
    #[must_use]
    pub fn read(message: &str) -> Option<Self> {
        let line = message.lines().rev().find(|line| !line.trim().is_empty())?;
        serde_json::from_str(line).ok()
    }
}
