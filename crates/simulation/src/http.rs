//! The pod's own network: requests that arrive, or do not.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use crate::world::{self, Service};

#[path = "../../../agent/src/http/body.rs"]
mod body;

pub(crate) use self::body::Body;

/// As the agent's own.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) timeout: Duration,
}

/// The parts of a response's head that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) is_filters: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Problem {
    NotSent(io::Error),
    NoAnswer(io::Error),
    NotUnderstood,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream(SocketAddr);

// === impl Stream ===

impl Stream {
    /// Our own end.
    #[expect(clippy::unnecessary_wraps, reason = "as std's")]
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 60_000)))
    }
}

/// Connects to `to`.
pub(crate) fn connect(to: SocketAddr, _timeout: Duration) -> io::Result<Stream> {
    world::pass(Duration::from_micros(50));
    if world::with(|world| world.accepts(to)) { Ok(Stream(to)) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

/// Sends `request` to `to` and hands the answer's body on.
pub(crate) fn exchange(to: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem> {
    let stream = connect(to, CONNECT_TIMEOUT).map_err(Problem::NotSent)?;
    exchange_on(stream, to, request, body)
}

/// The same, on a connection that stands already.
pub(crate) fn exchange_on(
    Stream(to): Stream,
    _to: SocketAddr,
    request: &Request<'_>,
    body: &mut dyn FnMut(&[u8]),
) -> Result<Head, Problem> {
    let (there, back) = world::with(|world| (world.way(), world.way()));
    world::pass(there);
    match world::with(|world| world.serve(to, request)) {
        Service::Answered { status, is_filters, text } => {
            world::pass(back);
            // Cut anywhere.
            text.as_bytes().chunks(7).for_each(body);
            Ok(Head { status, is_filters })
        }
        Service::Broken => Err(Problem::NoAnswer(io::ErrorKind::ConnectionReset.into())),
        Service::Silence => {
            world::pass(request.timeout);
            Err(Problem::NoAnswer(io::ErrorKind::TimedOut.into()))
        }
    }
}

// === impl Problem ===

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(error) => write!(f, "not reached: {}", error.kind()),
            Self::NoAnswer(error) => write!(f, "no answer: {}", error.kind()),
            Self::NotUnderstood => f.write_str("not understood"),
        }
    }
}
