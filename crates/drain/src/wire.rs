//! The wire protocol between agent and filter, version 1: JSON over HTTP on the signal listener.
//!
//! `POST /v1/complete` carries a [`Completion`], in the header [`COMPLETION_HEADER`] or as its body; the answer is 202 and a [`Status`].
//! The answer to `GET /v1/status` is 200 and a [`Status`]. Every answer of the filter has the header [`HEADER`]; an answer without it
//! comes from Envoy. Why a header: docs/decisions/0003-the-signal-travels-in-a-header.md.

use serde::{Deserialize, Serialize};

use crate::duration::milliseconds;
use crate::fields::{Fields, Mistake, document, from_json};
use crate::limits::Limits;

/// The request header that a completion must have, with [`HEADER_VALUE`], and the response header of every answer, with the version.
///
/// A browser, or an HTTP client that was tricked into a request, cannot add such a header to a plain form or a GET.
pub const HEADER: &str = "x-exeunt";
/// The value of [`HEADER`] in a request.
pub const HEADER_VALUE: &str = "1";
/// The request header that carries a completion as JSON. A body works, too, but not with every Envoy: a Wasm filter gets a body only
/// after it has let the request's head pass to an upstream.
pub const COMPLETION_HEADER: &str = "x-exeunt-completion";
/// The path for a completion.
pub const COMPLETE: &str = "/v1/complete";
/// The path for the status.
pub const STATUS: &str = "/v1/status";
/// The longest completion, in bytes.
pub const MAX_BODY: usize = 4096;

/// The longest name of a container, in bytes: an RFC 1123 label.
const MAX_NAME: usize = 63;

/// What to do with the proxy once everything is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Shut Envoy down: the proxy is a regular container and would keep the pod running.
    Quit,
    /// Leave Envoy running: the proxy is a native sidecar. Kubelet ends it, and would restart it.
    Drain,
}

/// The undelivered data of the pod: what the kernel held when the agent read its socket tables, and what Envoy may buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// Connections that are not yet delivered.
    pub connections: u32,
    /// Bytes in their queues: written and not yet read by the proxy, or not yet acknowledged by the receiver.
    pub bytes: u64,
    /// Connections from the pod's own processes that the proxy still holds, without those that are known to be delivered. If there are
    /// none, no request of the pod is in flight, even if Envoy's cluster statistics count one. `None`: not known.
    pub downstream: Option<u32>,
    /// Loggers and tracers of Envoy that may still buffer entries or spans of the task. No queue of the kernel shows them: the agent asks Envoy
    /// what it buffers, and for how long. A filter that is too old to know them refuses them, so none are not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub buffers: u32,
}

/// The signal: the task has ended for good, or there are new facts about its undelivered data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    /// The name of the main container; `None` if kubelet has told the end of the task, which names no container.
    pub container: Option<String>,
    /// Its exit code; `None` if it is unknown or a signal ended the container.
    pub exit_code: Option<u8>,
    /// The signal that ended it, 1 to 64.
    pub signal: Option<u8>,
    /// What to do with the proxy.
    pub action: Action,
    /// What the kernel still holds; `None` if the sender cannot see it.
    pub unsent: Option<Unsent>,
    /// When the task ended, in milliseconds since the boot of the node. It tells a new end from new facts about the same one: kubelet can
    /// restart all containers of a pod, and a SIGTERM can come from somebody else.
    pub ended_at_ms: Option<u64>,
    /// The drain timeout of this pod, in milliseconds; `None`: that of the filter's configuration. A filter that is too old to know limits
    /// refuses a completion that names one, so one that does not count is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_timeout_ms: Option<u64>,
    /// The stall timeout, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_timeout_ms: Option<u64>,
}

/// The state of the filter. A reader ignores fields that it does not know, because an agent must understand a newer filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The name of the state, as [`crate::machine::State::name`] gives it.
    pub state: String,
    /// The main container that has ended; `None` while serving, and if its name is not known.
    pub container: Option<String>,
    /// The action in force, by all signals together; `None` while serving, and from a filter that is too old to tell.
    pub action: Option<String>,
    /// Whether the filter may end Envoy: not with `quit: never` in its configuration. `None` from a filter that is too old to tell.
    pub quits: Option<bool>,
    /// Requests and TCP streams in flight by Envoy's own count; `None` if Envoy was not asked.
    pub in_flight: Option<u64>,
    /// The newest facts from the agent.
    pub unsent: Option<Unsent>,
    /// Milliseconds since the filter entered this state.
    #[serde(default)]
    pub since_ms: u64,
    /// Milliseconds until the drain deadline; `None` while serving.
    pub deadline_ms: Option<u64>,
    /// The drain timeout in force, in milliseconds; `None` from a filter that is too old to tell.
    pub drain_timeout_ms: Option<u64>,
    /// The stall timeout in force, in the same way.
    pub stall_timeout_ms: Option<u64>,
    /// The limit that has ended the drain, as [`crate::machine::Reason::limit`] names it; `None` before the end, and if everything was
    /// delivered.
    pub limit: Option<String>,
    /// The filter's version.
    #[serde(default)]
    pub version: String,
}

const ACTIONS: [(&str, Action); 2] = [("quit", Action::Quit), ("drain", Action::Drain)];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A value of this module, as JSON.
fn to_json(value: &impl Serialize) -> String {
    // Writing fails only for maps whose keys are not strings; there are none here.
    serde_json::to_string(value).unwrap_or_default()
}

// === impl Action ===

impl Action {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Drain => "drain",
        }
    }
}

// === impl Unsent ===

impl Unsent {
    /// Whether nothing is undelivered: the kernel holds no data, and Envoy buffers none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.connections == 0 && self.bytes == 0 && self.buffers == 0
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        const NUMBERS: core::ops::RangeInclusive<u64> = 0..=u32::MAX as u64;
        let narrow = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
        let connections = narrow(fields.number("connections", NUMBERS));
        let bytes = fields.number("bytes", 0..=u64::MAX);
        let downstream = narrow(fields.number("downstream", NUMBERS));
        let buffers = narrow(fields.number("buffers", NUMBERS)).unwrap_or(0);
        if connections.is_none() {
            fields.missing("connections", "a whole number");
        }
        if bytes.is_none() {
            fields.missing("bytes", "a whole number");
        }
        Self { connections: connections.unwrap_or(0), bytes: bytes.unwrap_or(0), downstream, buffers }
    }
}

// === impl Completion ===

impl Completion {
    /// Reads a completion.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Mistake>> {
        if body.is_empty() {
            return Err(vec![Mistake::new("", "the completion is empty: must be a JSON object")]);
        }
        let mut fields = Fields::of(document(body)?);
        let container = fields.string("container");
        if container.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NAME) {
            fields.refuse("container", &format!("must have 1 to {MAX_NAME} characters"));
        }
        let byte = |number: Option<u64>| number.and_then(|number| u8::try_from(number).ok());
        let exit_code = byte(fields.number("exitCode", 0..=255));
        let signal = byte(fields.number("signal", 1..=64));
        if exit_code.is_some() && signal.is_some() {
            fields.refuse("signal", "must be null if there is an exitCode: a process ends by one of the two");
        }
        let action = fields.choice("action", &ACTIONS);
        if action.is_none() {
            fields.missing("action", "\"quit\" or \"drain\"");
        }
        let unsent = fields.object("unsent", Unsent::read);
        let ended_at_ms = fields.number("endedAtMs", 0..=u64::MAX);
        let timeouts = milliseconds(*Limits::TIMEOUTS.start())..=milliseconds(*Limits::TIMEOUTS.end());
        let drain_timeout_ms = fields.number("drainTimeoutMs", timeouts.clone());
        let stall_timeout_ms = fields.number("stallTimeoutMs", timeouts);
        fields.finish(Self {
            container,
            exit_code,
            signal,
            // The default is never used: without a valid action `finish` refuses the whole completion.
            action: action.unwrap_or(Action::Drain),
            unsent,
            ended_at_ms,
            drain_timeout_ms,
            stall_timeout_ms,
        })
    }

    /// The same without limits, so that those of the reader count.
    #[must_use]
    pub fn without_limits(self) -> Self {
        Self { drain_timeout_ms: None, stall_timeout_ms: None, ..self }
    }

    /// The same for a filter that knows neither limits nor buffers. For it, what Envoy buffers is a connection that is not delivered.
    #[must_use]
    pub fn for_older_filter(self) -> Self {
        let as_connection = |unsent: Unsent| {
            let connections = unsent.connections.max(unsent.buffers.min(1));
            Unsent { connections, buffers: 0, ..unsent }
        };
        Self { unsent: self.unsent.map(as_connection), ..self.without_limits() }
    }

    /// The body of `POST /v1/complete`.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

// === impl Status ===

impl Status {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// If the text is not a status. Unknown fields are not an error.
    pub fn parse(body: &[u8]) -> Result<Self, Mistake> {
        from_json(body).map_err(|error| Mistake::new("", format!("not a status: {error}")))
    }

    /// The body of an answer.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const WHOLE: &str = r#"{"container":"base","exitCode":null,"signal":9,"action":"drain","unsent":{"connections":1,"bytes":2,"downstream":null,"buffers":3},"endedAtMs":7,"drainTimeoutMs":8,"stallTimeoutMs":9}"#;

    fn mistakes(text: &str) -> Vec<String> {
        let mistakes = Completion::parse(text.as_bytes()).err().unwrap_or_default();
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_completion_is_read_as_it_is_written() {
        let completion = Completion::parse(WHOLE.as_bytes()).expect("no mistakes");
        let unsent = Unsent { connections: 1, bytes: 2, downstream: None, buffers: 3 };
        let expected = Completion {
            container: Some("base".to_owned()),
            exit_code: None,
            signal: Some(9),
            action: Action::Drain,
            unsent: Some(unsent),
            ended_at_ms: Some(7),
            drain_timeout_ms: Some(8),
            stall_timeout_ms: Some(9),
        };
        assert_eq!(completion, expected);
        assert_eq!(completion.to_json(), WHOLE);
        let short = Completion::parse(br#"{"action": "quit"}"#).expect("the rest may be missing");
        assert_eq!((short.container, short.exit_code, short.signal, short.action), (None, None, None, Action::Quit));
        assert_eq!((short.unsent, short.ended_at_ms), (None, None));
        assert_eq!((short.drain_timeout_ms, short.stall_timeout_ms), (None, None), "as an agent without limits writes it");
    }

    #[test]
    fn what_an_older_filter_refuses_is_not_written() {
        let without = WHOLE.replace(r#","drainTimeoutMs":8,"stallTimeoutMs":9"#, "").replace(r#","buffers":3"#, "");
        let completion = Completion::parse(without.as_bytes()).expect("no mistakes");
        assert_eq!(completion.to_json(), without);
        assert_eq!(completion.clone().for_older_filter(), completion);
    }

    #[test]
    fn for_an_older_filter_buffered_telemetry_is_a_connection() {
        let idle = Unsent { connections: 0, bytes: 0, downstream: Some(0), buffers: 2 };
        let completion = Completion { unsent: Some(idle), ..Completion::parse(WHOLE.as_bytes()).expect("no mistakes") };
        assert!(!idle.is_empty(), "Envoy holds telemetry of the task");
        let older = completion.for_older_filter();
        assert_eq!(older.unsent, Some(Unsent { connections: 1, buffers: 0, ..idle }));
        assert_eq!((older.drain_timeout_ms, older.stall_timeout_ms), (None, None));
    }

    #[test]
    fn a_limit_of_a_completion_is_in_the_range_of_the_configuration() {
        for (field, value) in [("drainTimeoutMs", "0"), ("stallTimeoutMs", "86400001")] {
            let text = format!(r#"{{"action": "quit", "{field}": {value}}}"#);
            assert_eq!(mistakes(&text), [format!("{field}: {value} is not allowed: must be a whole number from 1 to 86400000")]);
        }
    }

    #[test]
    fn all_mistakes_of_a_completion_are_reported_at_once() {
        let text =
            r#"{"exitCode": 256, "signal": 0, "action": "stop", "unsent": {"connections": 4294967296, "byte": 1}, "x": 1}"#;
        assert_eq!(
            mistakes(text),
            [
                "exitCode: 256 is not allowed: must be a whole number from 0 to 255",
                "signal: 0 is not allowed: must be a whole number from 1 to 64",
                "action: \"stop\" is not allowed: must be one of \"quit\", \"drain\"",
                "unsent.connections: 4294967296 is not allowed: must be a whole number from 0 to 4294967295",
                "unsent.bytes: is missing: must be a whole number",
                "unsent.byte: is not a known field: must be one of connections, bytes, downstream, buffers",
                "x: is not a known field: must be one of container, exitCode, signal, action, unsent, endedAtMs, drainTimeoutMs, \
                 stallTimeoutMs",
            ]
        );
        for container in ["", &"x".repeat(64)] {
            let text = format!(r#"{{"container": "{container}", "action": "quit"}}"#);
            assert_eq!(mistakes(&text), ["container: must have 1 to 63 characters"]);
        }
        let both = r#"{"container": "base", "exitCode": 1, "signal": 9, "action": "quit"}"#;
        assert_eq!(mistakes(both), ["signal: must be null if there is an exitCode: a process ends by one of the two"]);
        assert_eq!(mistakes(""), ["the completion is empty: must be a JSON object"]);
    }

    #[test]
    fn a_status_is_read_as_it_is_written_and_what_a_newer_filter_adds_is_ignored() {
        let text = r#"{"state":"draining","container":"base","action":"quit","quits":true,"inFlight":1,"unsent":{"connections":0,"bytes":0,"downstream":0},"sinceMs":7,"deadlineMs":9,"drainTimeoutMs":10,"stallTimeoutMs":11,"limit":"stall-timeout","version":"1.2.3"}"#;
        let status = Status::parse(text.as_bytes()).expect("a status");
        assert_eq!(status.to_json(), text);
        let newer = text.replace("\"bytes\"", "\"packets\":3,\"bytes\"").replace("\"state\"", "\"more\":[{}],\"state\"");
        assert_eq!(Status::parse(newer.as_bytes()), Ok(status));
        let older = text
            .replace(r#""quits":true,"#, "")
            .replace(r#""drainTimeoutMs":10,"stallTimeoutMs":11,"limit":"stall-timeout","#, "");
        let older = Status::parse(older.as_bytes()).expect("the status of a filter that tells no limits");
        assert_eq!((older.deadline_ms, older.drain_timeout_ms, older.stall_timeout_ms, older.limit), (Some(9), None, None, None));
        assert_eq!(older.quits, None);
        for text in ["", "{}", "[]", r#"{"state":1}"#, r#"{"state":"x","state":"x"}"#, r#"{"state":"x","sinceMs":-1}"#] {
            assert!(Status::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (Completion::parse(&bytes), Status::parse(&bytes));
        }

        #[test]
        fn almost_a_completion_is_refused_with_a_reason(place in 0..WHOLE.len(), with in r#"[\[\]{}:,"\\u0-9eE+. ]{0,3}"#) {
            let text = format!("{}{with}{}", &WHOLE[..place], &WHOLE[place + 1..]);
            if let Err(mistakes) = Completion::parse(text.as_bytes()) {
                prop_assert!(mistakes.iter().all(|mistake| !mistake.to_string().is_empty()) && !mistakes.is_empty());
            }
        }
    }
}
