//! The streams: answers the wire protocol on the signal listener and lets every other stream through untouched.

use std::rc::Rc;
use std::time::Duration;

use drain::fields::Mistake;
use drain::machine::Snapshot;
use drain::wire::{self, Completion, Status};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::host;
use crate::shared::Shared;
use crate::store;

/// One stream.
#[derive(Debug)]
pub(crate) struct SignalStream {
    shared: Rc<Shared>,
    phase: Phase,
}

/// What is to be done with a stream's next piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It is not on the signal listener: none of our business.
    Foreign,
    /// It carries a completion, whose body is being collected.
    Collecting,
    /// It was answered: whatever still comes is thrown away.
    Answered,
}

/// Why a request is refused.
enum Refusal {
    Bad(String),
    NotFound,
    NotAllowed(&'static str),
    TooLarge,
}

// === impl SignalStream ===

impl SignalStream {
    pub(crate) const fn new(shared: Rc<Shared>) -> Self {
        Self { shared, phase: Phase::Foreign }
    }

    /// Decides by method and path. `None`: the body decides.
    fn route(&self) -> Option<Result<(u32, Status), Refusal>> {
        let method = host::request_header(":method").unwrap_or_default();
        let path = host::request_header(":path").unwrap_or_default();
        let path = path.split_once('?').map_or(path.as_str(), |(path, _query)| path);
        match (path, method.as_str()) {
            (wire::STATUS, "GET") => Some(Ok((200, self.status()))),
            (wire::STATUS, _) => Some(Err(Refusal::NotAllowed("GET"))),
            (wire::COMPLETE, "POST") => Self::check_head().err().map(Err),
            (wire::COMPLETE, _) => Some(Err(Refusal::NotAllowed("POST"))),
            _ => Some(Err(Refusal::NotFound)),
        }
    }

    fn check_head() -> Result<(), Refusal> {
        if host::request_header(wire::HEADER).as_deref() != Some("1") {
            return Err(Refusal::Bad(format!("header {}: must be 1", wire::HEADER)));
        }
        let length = host::request_header("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > wire::MAX_BODY as u64) { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    /// Takes the body of a completion.
    fn complete(&self, body: &[u8]) -> Result<(u32, Status), Refusal> {
        let completion = Completion::parse(body).map_err(|mistakes| Refusal::Bad(lines(&mistakes)))?;
        let wall = host::wall();
        let latched = store::latch(&completion);
        self.shared.claim.take_if_free(wall);
        store::wake_driver(&latched);
        let (snapshot, age) = store::snapshot(wall).unwrap_or((Snapshot::serving(), Duration::ZERO));
        Ok((202, snapshot.with(latched).status(age, self.shared.config.limits())))
    }

    fn status(&self) -> Status {
        let wall = host::wall();
        let (snapshot, age) = store::snapshot(wall).unwrap_or((Snapshot::serving(), Duration::ZERO));
        // A signal that was latched counts, whether or not its driver has come round to it.
        let snapshot = match store::signal() {
            Some(completion) => snapshot.with(completion),
            None => snapshot,
        };
        snapshot.status(age, self.shared.config.limits())
    }

    fn answer(&mut self, result: Result<(u32, Status), Refusal>) -> Action {
        self.phase = Phase::Answered;
        let metrics = self.shared.metrics();
        match result {
            Ok((status, body)) => {
                if status == 202 {
                    metrics.accepted();
                }
                let headers = vec![(wire::HEADER, drain::VERSION), ("content-type", "application/json")];
                host::respond(status, headers, format!("{}\n", body.to_json()).as_bytes());
            }
            Err(refusal) => {
                metrics.refused();
                let mut headers = vec![(wire::HEADER, drain::VERSION), ("content-type", "text/plain")];
                if let Refusal::NotAllowed(methods) = refusal {
                    headers.push(("allow", methods));
                }
                host::respond(refusal.status(), headers, format!("{}\n", refusal.reason()).as_bytes());
            }
        }
        Action::Pause
    }
}

impl Context for SignalStream {}

impl HttpContext for SignalStream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        // The listener is the authority: `destination.address` is what the connection was accepted on, and no header changes it.
        if !host::destination_address().is_some_and(|address| self.shared.config.is_signal(address)) {
            return Action::Continue;
        }
        match self.route() {
            Some(result) => self.answer(result),
            None if end_of_stream => {
                let result = self.complete(&[]);
                self.answer(result)
            }
            None => {
                self.phase = Phase::Collecting;
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.phase {
            Phase::Foreign => Action::Continue,
            Phase::Answered => Action::Pause,
            Phase::Collecting if size > wire::MAX_BODY => self.answer(Err(Refusal::TooLarge)),
            Phase::Collecting if !end_of_stream => Action::Pause,
            Phase::Collecting => {
                let result = self.complete(&host::request_body(size));
                self.answer(result)
            }
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.phase {
            Phase::Foreign => Action::Continue,
            Phase::Answered => Action::Pause,
            Phase::Collecting => {
                // A body that ends in trailers has no last piece of its own.
                let result = self.complete(&host::request_body(wire::MAX_BODY));
                self.answer(result)
            }
        }
    }
}

// === impl Refusal ===

impl Refusal {
    const fn status(&self) -> u32 {
        match self {
            Self::Bad(_) => 400,
            Self::NotFound => 404,
            Self::NotAllowed(_) => 405,
            Self::TooLarge => 413,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Bad(reason) => reason.clone(),
            Self::NotFound => format!("no such path: must be {} or {}", wire::COMPLETE, wire::STATUS),
            Self::NotAllowed(methods) => format!("no such method here: must be {methods}"),
            Self::TooLarge => format!("the body is too long: must have at most {} bytes", wire::MAX_BODY),
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
