//! The streams: answers the wire protocol on the signal listener and lets every other stream through untouched.

use std::net::SocketAddr;
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

/// Where a completion waits for its own body. Envoy hands a body to a Wasm filter only after the request's head has gone on, and on
/// the signal listener there is nowhere to go; so it goes on to this listener itself, where the filter lets it wait.
const HOLD: &str = "/v1/hold";

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
    /// It is the head of another stream in `Collecting`: it waits until that one is answered, and goes with it.
    Holding,
    /// It was answered: whatever still comes is thrown away.
    Answered,
}

/// What a request's head alone decides.
enum Route {
    Answer(Result<(u32, Status), Refusal>),
    Collect,
    Hold,
}

/// Why a request is refused.
enum Refusal {
    Bad(String),
    NoBodyHere,
    NotFound,
    NotAllowed(&'static str),
    TooLarge,
}

// === impl SignalStream ===

impl SignalStream {
    pub(crate) const fn new(shared: Rc<Shared>) -> Self {
        Self { shared, phase: Phase::Foreign }
    }

    /// Decides by the request's head.
    fn route(&self, end_of_stream: bool) -> Route {
        let method = host::request_header(":method").unwrap_or_default();
        let path = host::request_header(":path").unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        match (path, method.as_str()) {
            (wire::STATUS, "GET") => Route::Answer(Ok((200, self.status()))),
            (wire::STATUS, _) => Route::Answer(Err(Refusal::NotAllowed("GET"))),
            (wire::COMPLETE, "POST") => self.route_completion(end_of_stream),
            (wire::COMPLETE, _) => Route::Answer(Err(Refusal::NotAllowed("POST"))),
            (HOLD, "POST") => Route::Hold,
            _ => Route::Answer(Err(Refusal::NotFound)),
        }
    }

    fn route_completion(&self, end_of_stream: bool) -> Route {
        if host::request_header(wire::HEADER).as_deref() != Some("1") {
            return Route::Answer(Err(Refusal::Bad(format!("header {}: must be 1", wire::HEADER))));
        }
        let length = host::request_header("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > wire::MAX_BODY as u64) {
            return Route::Answer(Err(Refusal::TooLarge));
        }
        match host::request_header_bytes(wire::COMPLETION_HEADER) {
            Some(text) if text.len() > wire::MAX_BODY => Route::Answer(Err(Refusal::TooLarge)),
            Some(text) => Route::Answer(self.complete(&text)),
            None if end_of_stream => Route::Answer(self.complete(&[])),
            None => Route::Collect,
        }
    }

    /// Sends the head on to where it can wait for its body.
    fn collect(&mut self, listener: SocketAddr) -> Action {
        let name = listener.to_string();
        if host::set_original_destination(listener)
            && host::set_request_header(":path", HOLD)
            && host::set_request_header(":authority", &name)
        {
            self.phase = Phase::Collecting;
            Action::Continue
        } else {
            self.answer(Err(Refusal::NoBodyHere))
        }
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
        store::keep_going(&self.shared.claim, wall);
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
        let listener = host::destination_address().filter(|address| self.shared.config.is_signal(*address));
        let Some(listener) = listener else { return Action::Continue };
        match self.route(end_of_stream) {
            Route::Answer(result) => self.answer(result),
            Route::Collect => self.collect(listener),
            Route::Hold => {
                self.phase = Phase::Holding;
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.phase {
            Phase::Foreign => Action::Continue,
            Phase::Answered | Phase::Holding => Action::Pause,
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
            Phase::Answered | Phase::Holding => Action::Pause,
            Phase::Collecting => {
                // A body that ends in trailers has no last piece of its own.
                let result = self.complete(&host::request_body(wire::MAX_BODY));
                self.answer(result)
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.phase {
            Phase::Foreign | Phase::Answered | Phase::Holding => Action::Continue,
            // The head could not wait: the mesh allows only registered destinations, or the listener takes no more connections.
            Phase::Collecting => self.answer(Err(Refusal::NoBodyHere)),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    const fn status(&self) -> u32 {
        match self {
            Self::Bad(_) | Self::NoBodyHere => 400,
            Self::NotFound => 404,
            Self::NotAllowed(_) => 405,
            Self::TooLarge => 413,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Bad(reason) => reason.clone(),
            Self::NoBodyHere => {
                format!("this proxy gives its filter no bodies: put the JSON into the header {}", wire::COMPLETION_HEADER)
            }
            Self::NotFound => format!("no such path: must be {} or {}", wire::COMPLETE, wire::STATUS),
            Self::NotAllowed(methods) => format!("no such method here: must be {methods}"),
            Self::TooLarge => format!("the body is too long: must have at most {} bytes", wire::MAX_BODY),
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
