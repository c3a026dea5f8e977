//! The streams: answers the wire protocol on the signal listener, and does not touch any other stream.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use drain::fields::Mistake;
use drain::forwarded;
use drain::machine::Snapshot;
use drain::wire::{self, Completion, Status};
use log::debug;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::host;
use crate::shared::Shared;
use crate::store;

/// Where a completion waits for its own body. Envoy gives a Wasm filter a body only after the filter has let the request's head pass. On
/// the signal listener the head has no destination, so the filter sends it to this same listener, with this path, and holds it there.
const HOLD: &str = "/v1/hold";

/// One stream.
#[derive(Debug)]
pub(crate) struct SignalStream {
    shared: Rc<Shared>,
    phase: Phase,
}

/// What to do with the next piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The stream is not on the signal listener, and is not touched.
    Foreign,
    /// The stream carries a completion, and its body is being collected.
    Collecting,
    /// The stream is the forwarded head of one in `Collecting`. It is held until that one is answered, and ends with it.
    Holding,
    /// The stream was answered. The rest of the request is discarded.
    Answered,
}

/// What to do with a request, by its head.
enum Route {
    Answer(Result<(u32, Box<Status>), Refusal>),
    Collect,
    Hold,
}

/// Why a request is refused.
enum Refusal {
    Bad(String),
    /// The request came through a proxy, which has added this header.
    Forwarded(&'static str),
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

    /// Decides what to do with a request, by its head.
    fn route(&self, end_of_stream: bool) -> Route {
        let method = host::request_header(":method").unwrap_or_default();
        let path = host::request_header(":path").unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        match (path, method.as_str()) {
            (wire::STATUS, "GET") => Route::Answer(Ok((200, Box::new(self.status())))),
            (wire::STATUS, _) => Route::Answer(Err(Refusal::NotAllowed("GET"))),
            (wire::COMPLETE, "POST") => self.route_completion(end_of_stream),
            (wire::COMPLETE, _) => Route::Answer(Err(Refusal::NotAllowed("POST"))),
            (HOLD, "POST") => Route::Hold,
            #[cfg(feature = "panics")]
            (crate::panics::PATH, _) => crate::panics::now(),
            _ => Route::Answer(Err(Refusal::NotFound)),
        }
    }

    fn route_completion(&self, end_of_stream: bool) -> Route {
        if host::request_header(wire::HEADER).as_deref() != Some(wire::HEADER_VALUE) {
            return Route::Answer(Err(Refusal::Bad(format!("header {}: must be {}", wire::HEADER, wire::HEADER_VALUE))));
        }
        if let Some(header) = forwarded_by() {
            return Route::Answer(Err(Refusal::Forwarded(header)));
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

    /// Sends the head to the place where it waits for its body; see [`HOLD`].
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
    fn complete(&self, body: &[u8]) -> Result<(u32, Box<Status>), Refusal> {
        let completion = Completion::parse(body).map_err(|mistakes| Refusal::Bad(lines(&mistakes)))?;
        let wall = host::wall();
        let latched = store::latch(&completion);
        store::deliver(&self.shared.claim, &latched, completion.unsent, wall);
        let (snapshot, age) = store::snapshot(wall).unwrap_or((Snapshot::serving(), Duration::ZERO));
        Ok((202, Box::new(snapshot.with(latched).status(age, self.shared.config.limits()))))
    }

    fn status(&self) -> Status {
        let wall = host::wall();
        store::keep_going(&self.shared.claim, wall);
        let (snapshot, age) = store::snapshot(wall).unwrap_or((Snapshot::serving(), Duration::ZERO));
        // A latched signal counts even if the driver has not handled it yet.
        let snapshot = match store::signal() {
            Some(completion) => snapshot.with(completion),
            None => snapshot,
        };
        snapshot.status(age, self.shared.config.limits())
    }

    fn answer(&mut self, result: Result<(u32, Box<Status>), Refusal>) -> Action {
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
                debug!("a request is refused with status {}: {:?}", refusal.status(), refusal.reason());
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
        // `destination.address` is where the connection was accepted; no header changes it. The listener is on loopback, so the connection was
        // opened in the pod, if perhaps for somebody else: see `forwarded_by`.
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
                // If trailers follow, no piece of the body is marked as the last one.
                let result = self.complete(&host::request_body(wire::MAX_BODY));
                self.answer(result)
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.phase {
            Phase::Foreign | Phase::Answered | Phase::Holding => Action::Continue,
            // The head could not be held: the mesh allows registered destinations only, or the listener accepts no more connections.
            Phase::Collecting => self.answer(Err(Refusal::NoBodyHere)),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    const fn status(&self) -> u32 {
        match self {
            Self::Bad(_) | Self::NoBodyHere => 400,
            Self::Forwarded(_) => 403,
            Self::NotFound => 404,
            Self::NotAllowed(_) => 405,
            Self::TooLarge => 413,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Bad(reason) => reason.clone(),
            Self::Forwarded(header) => {
                format!("a signal must come from the pod itself: this one came through a proxy, by its header {header}")
            }
            Self::NoBodyHere => {
                format!("this proxy does not pass bodies to the filter: put the JSON into the header {}", wire::COMPLETION_HEADER)
            }
            Self::NotFound => format!("this path does not exist: must be {} or {}", wire::COMPLETE, wire::STATUS),
            Self::NotAllowed(methods) => format!("this method is not allowed here: must be {methods}"),
            Self::TooLarge => format!("the body is too long: must have at most {} bytes", wire::MAX_BODY),
        }
    }
}

/// The header that shows that the request came through a proxy from outside of the pod.
fn forwarded_by() -> Option<&'static str> {
    let is_foreign = |addresses: Vec<u8>| {
        let addresses = String::from_utf8(addresses).unwrap_or_default();
        !forwarded::is_from_the_pod(&addresses, &host::pod_addresses())
    };
    if host::request_header_bytes(forwarded::FOR).is_some_and(is_foreign) {
        return Some(forwarded::FOR);
    }
    forwarded::BY.into_iter().find(|header| host::request_header_bytes(header).is_some())
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
