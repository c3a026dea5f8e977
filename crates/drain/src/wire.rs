//! The wire protocol between agent and filter, version 1: JSON over HTTP on the signal listener.
//!
//! `POST /v1/complete` carries a [`Completion`], in the header [`COMPLETION_HEADER`] or as its body, and is answered by 202 and a
//! [`Status`]; `GET /v1/status` is answered by 200 and a [`Status`]. Every answer of the filter has the header [`HEADER`]; one without
//! it is Envoy's own. Why a header: docs/decisions/0003-the-signal-travels-in-a-header.md.

use crate::fields::{Fields, Mistake};
use crate::json::{ObjectWriter, Value};

/// Request header (value `1`) that a completion must carry, and response header (value: the version) that every answer carries.
///
/// A browser or a tricked HTTP client cannot add a header of its own to a plain form or a GET.
pub const HEADER: &str = "x-exeunt";
/// Request header that carries a completion as JSON. A body works too, but not on every Envoy: a Wasm filter gets it only after the
/// request's head has gone on towards an upstream.
pub const COMPLETION_HEADER: &str = "x-exeunt-completion";
/// The path that takes a completion.
pub const COMPLETE: &str = "/v1/complete";
/// The path that tells the status.
pub const STATUS: &str = "/v1/status";
/// No completion may be longer, in bytes.
pub const MAX_BODY: usize = 4096;

/// The longest name of a container, in bytes: an RFC 1123 label.
const MAX_NAME: usize = 63;

/// What is to become of the proxy once everything is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Shut Envoy down: the proxy is a regular container and would keep the pod for ever.
    Quit,
    /// Leave Envoy running: the proxy is a native sidecar, which kubelet ends and would restart.
    Drain,
}

/// What the kernel still held of the pod's data when the agent read its socket tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// Connections that are not yet delivered.
    pub connections: u32,
    /// Bytes in their queues: written and not yet read by the proxy, or not yet acknowledged by the far end.
    pub bytes: u64,
    /// Connections of the pod's own processes that the proxy still holds and that are not known to be delivered. With none of them
    /// no request of the pod can be in flight, whatever Envoy's cluster statistics say. `None`: not known.
    pub downstream: Option<u32>,
}

/// The signal: a main container has ended for good, or new facts about what it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The name of the main container.
    pub container: String,
    /// Its exit code, 0 to 255; `None` where it is unknown or a signal ended it.
    pub exit_code: Option<u8>,
    /// The signal that ended it, 1 to 64.
    pub signal: Option<u8>,
    /// What is to become of the proxy.
    pub action: Action,
    /// What the kernel still holds; `None` where the sender cannot see it.
    pub unsent: Option<Unsent>,
}

/// Where the filter stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The name of the state, as [`crate::machine::State::name`] gives it.
    pub state: String,
    /// The main container whose completion was taken; `None` while serving.
    pub container: Option<String>,
    /// Requests and TCP streams in flight by Envoy's own count; `None` where nobody has asked Envoy.
    pub in_flight: Option<u64>,
    /// The newest facts of the agent.
    pub unsent: Option<Unsent>,
    /// Milliseconds since this state was entered.
    pub since_ms: u64,
    /// Milliseconds until the drain deadline; `None` while serving.
    pub deadline_ms: Option<u64>,
    /// The filter's version.
    pub version: String,
}

const ACTIONS: [(&str, Action); 2] = [("quit", Action::Quit), ("drain", Action::Drain)];

/// Reads a whole body as one JSON document.
fn document(body: &[u8]) -> Result<Value, Vec<Mistake>> {
    if body.is_empty() {
        return Err(vec![Mistake::new("", "the completion is empty: must be a JSON object")]);
    }
    Value::parse(body).map_err(|error| vec![Mistake::new("", format!("not JSON: {error}"))])
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
    /// Whether the kernel holds nothing more.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.connections == 0 && self.bytes == 0
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        const CONNECTIONS: core::ops::RangeInclusive<u64> = 0..=u32::MAX as u64;
        let narrow = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
        let connections = narrow(fields.number("connections", CONNECTIONS));
        let bytes = fields.number("bytes", 0..=u64::MAX);
        let downstream = narrow(fields.number("downstream", CONNECTIONS));
        if connections.is_none() {
            fields.missing("connections", "a whole number");
        }
        if bytes.is_none() {
            fields.missing("bytes", "a whole number");
        }
        Self { connections: connections.unwrap_or(0), bytes: bytes.unwrap_or(0), downstream }
    }

    fn to_json(self) -> String {
        ObjectWriter::default()
            .number("connections", Some(self.connections.into()))
            .number("bytes", Some(self.bytes))
            .number("downstream", self.downstream.map(u64::from))
            .finish()
    }
}

// === impl Completion ===

impl Completion {
    /// Reads the body of `POST /v1/complete`; on refusal, every mistake in it.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Mistake>> {
        let document = document(body)?;
        let mut fields = Fields::of(&document);
        let container = fields.text("container");
        match container {
            None => fields.missing("container", "the main container's name"),
            Some(name) if name.is_empty() || name.len() > MAX_NAME => {
                fields.refuse("container", &format!("must have 1 to {MAX_NAME} characters"));
            }
            Some(_) => {}
        }
        let byte = |number: Option<u64>| number.and_then(|number| u8::try_from(number).ok());
        let exit_code = byte(fields.number("exitCode", 0..=255));
        let signal = byte(fields.number("signal", 1..=64));
        if exit_code.is_some() && signal.is_some() {
            fields.refuse("signal", "must be null beside an exitCode: a process ends by one of the two");
        }
        let action = fields.choice("action", &ACTIONS);
        if action.is_none() {
            fields.missing("action", "\"quit\" or \"drain\"");
        }
        let unsent = fields.object("unsent", Unsent::read);
        fields.finish(Self {
            container: container.unwrap_or_default().to_owned(),
            exit_code,
            signal,
            // Never used: a missing or wrong action is a mistake, and `finish` then refuses the whole.
            action: action.unwrap_or(Action::Drain),
            unsent,
        })
    }

    /// The body of `POST /v1/complete`.
    #[must_use]
    pub fn to_json(&self) -> String {
        ObjectWriter::default()
            .text("container", Some(&self.container))
            .number("exitCode", self.exit_code.map(u64::from))
            .number("signal", self.signal.map(u64::from))
            .text("action", Some(self.action.name()))
            .json("unsent", self.unsent.map(Unsent::to_json).as_deref())
            .finish()
    }
}

// === impl Status ===

impl Status {
    /// Reads the body of an answer. Fields that a newer filter adds are passed over: an agent must be able to talk to it.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Mistake>> {
        let document = document(body)?;
        let mut fields = Fields::of(&document);
        let state = fields.text("state").map(str::to_owned);
        if state.is_none() {
            fields.missing("state", "the name of a state");
        }
        let status = Self {
            state: state.unwrap_or_default(),
            container: fields.text("container").map(str::to_owned),
            in_flight: fields.number("inFlight", 0..=u64::MAX),
            unsent: fields.object("unsent", Unsent::read),
            since_ms: fields.number("sinceMs", 0..=u64::MAX).unwrap_or(0),
            deadline_ms: fields.number("deadlineMs", 0..=u64::MAX),
            version: fields.text("version").unwrap_or_default().to_owned(),
        };
        fields.finish_open(status)
    }

    /// The body of an answer.
    #[must_use]
    pub fn to_json(&self) -> String {
        ObjectWriter::default()
            .text("state", Some(&self.state))
            .text("container", self.container.as_deref())
            .number("inFlight", self.in_flight)
            .json("unsent", self.unsent.map(Unsent::to_json).as_deref())
            .number("sinceMs", Some(self.since_ms))
            .number("deadlineMs", self.deadline_ms)
            .text("version", Some(&self.version))
            .finish()
    }
}
