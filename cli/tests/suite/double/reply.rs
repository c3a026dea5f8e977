//! What goes back: an object at once, or a watch that goes on.

use std::io::{Error, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::Receiver;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde_json::Value;

use super::Answer;

/// A piece of a watch.
pub(crate) enum Piece {
    /// An event.
    Event(Value),
    /// The connection breaks.
    Break,
}

/// What goes back.
pub(crate) struct Reply {
    code: u16,
    object: Value,
    headers: String,
    /// How far the server's clock is ahead of the one here. `None`: it sends no `Date`.
    ahead: Option<SignedDuration>,
    watch: Option<Receiver<Piece>>,
}

impl From<Answer> for Reply {
    fn from((code, object): Answer) -> Self {
        Self { code, object, headers: String::new(), ahead: Some(SignedDuration::ZERO), watch: None }
    }
}

impl Reply {
    /// A watch that sends what comes out of `pieces`, and ends with it.
    pub(crate) fn watch(pieces: Receiver<Piece>) -> Self {
        Self { watch: Some(pieces), ..Self::from((200, Value::Null)) }
    }

    /// With one more header.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self { headers: format!("{}{name}: {value}\r\n", self.headers), ..self }
    }

    /// With a clock that is so far ahead of the one here, or none.
    pub(crate) fn at(self, ahead: Option<SignedDuration>) -> Self {
        Self { ahead, ..self }
    }

    /// The port that a port-forward goes to.
    pub(super) fn forwards_to(&self) -> Option<u16> {
        if self.code == 101 { self.object.as_u64().map(|port| u16::try_from(port).unwrap()) } else { None }
    }

    pub(super) fn write(self, mut out: &TcpStream) -> Result<(), Error> {
        let date = self.ahead.map_or_else(String::new, |ahead| {
            let time = Timestamp::now().checked_add(ahead).unwrap();
            format!("date: {}\r\n", rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap())
        });
        let head = format!("HTTP/1.1 {} -\r\ncontent-type: application/json\r\n{date}{}", self.code, self.headers);
        let Some(pieces) = self.watch else {
            let body = self.object.as_str().map_or_else(|| self.object.to_string(), str::to_owned);
            return out.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
        };
        out.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
        for piece in pieces {
            match piece {
                Piece::Event(event) => {
                    let line = format!("{event}\n");
                    out.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes())?;
                }
                Piece::Break => return out.shutdown(Shutdown::Both),
            }
        }
        out.write_all(b"0\r\n\r\n")
    }
}
