//! An HTTP/1.1 client for one request to another process in the pod, with a limit in time and size. A connection serves one request
//! and is closed: pilot-agent counts open connections when it waits for the last one to close.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect as connect_socket, socket_with};

mod body;
pub mod response;

pub use self::body::Body;
pub use self::response::Head;
use self::response::Reader;

/// The time for a connect. Another process in the pod accepts within microseconds. A second passes only if a packet filter drops the
/// SYN, for example for an address that Istio does not capture.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The bytes of one read: `/clusters` can have 35 MB, and the agent stays small.
const PIECE: usize = 8 * 1024;

/// The longest request that needs no memory of its own. The signal has 400 bytes.
const SHORT: usize = 1024;

/// A request without a body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// Headers in addition to the usual ones: names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The time for the whole response.
    pub timeout: Duration,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no connection, so the request was not received.
    NotSent(io::ErrorKind),
    /// The connection broke, or the time was over. The request may have been received.
    NoAnswer(io::ErrorKind),
    /// The response is not HTTP.
    NotUnderstood,
}

/// Sends `request` on a real connection to `to`.
///
/// # Errors
/// Where there is no usable response in time.
pub fn exchange_on(
    mut stream: TcpStream,
    to: SocketAddr,
    request: &Request<'_>,
    body: &mut dyn FnMut(&[u8]),
) -> Result<Head, Problem> {
    let no_answer = |error: io::Error| Problem::NoAnswer(error.kind());
    send(&mut stream, to, request).map_err(no_answer)?;
    let deadline = Instant::now() + request.timeout;
    let mut reader = Reader::default();
    let mut piece = [0; PIECE];
    while !reader.is_done() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Problem::NoAnswer(io::ErrorKind::TimedOut));
        }
        stream.set_read_timeout(Some(left)).map_err(no_answer)?;
        #[expect(clippy::disallowed_methods, reason = "the reader bounds what it keeps of a piece")]
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                let bytes = piece.get(..length).unwrap_or_default();
                reader.take(bytes, body).map_err(|_| Problem::NotUnderstood)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The time of a blocking read is over; the next turn of the loop returns.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(no_answer(error)),
        }
    }
    reader.finish().map_err(|_| Problem::NotUnderstood)
}

/// A connection to `to`, made within `timeout`: two system calls, where std makes six.
///
/// # Errors
/// Those of `connect(2)`.
pub fn connect(to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // This is also the timeout of the connect (socket(7)).
    set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    match connect_socket(&socket, &to) {
        Ok(()) => Ok(socket.into()),
        // The time of a blocking connect is over.
        Err(rustix::io::Errno::INPROGRESS) => Err(io::ErrorKind::TimedOut.into()),
        Err(error) => Err(error.into()),
    }
}

/// Sends `request` in one write. A short one, such as the signal, is put together without memory of its own: for that the allocator could need
/// a system call, between the end of the task and the signal.
fn send(stream: &mut impl Write, to: SocketAddr, request: &Request<'_>) -> io::Result<()> {
    let mut short = [0; SHORT];
    let mut room = short.as_mut_slice();
    if write_request(&mut room, to, request).is_ok() {
        let length = SHORT - room.len();
        return stream.write_all(short.get(..length).unwrap_or_default());
    }
    let mut long = Vec::new();
    write_request(&mut long, to, request)?;
    stream.write_all(&long)
}

/// Writes `request` to `out`.
fn write_request(out: &mut dyn Write, to: SocketAddr, request: &Request<'_>) -> io::Result<()> {
    let Request { method, path, headers, .. } = request;
    // RFC 9110 §8.6: a POST without a body has a content-length.
    let length = if *method == "POST" { "content-length: 0\r\n" } else { "" };
    write!(out, "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{length}")?;
    for part in headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]) {
        out.write_all(part.as_bytes())?;
    }
    out.write_all(b"\r\n")
}

// === impl Problem ===

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(io::ErrorKind::ConnectionRefused) => f.write_str("refused"),
            Self::NotSent(kind) => write!(f, "not reached: {kind}"),
            // A blocking call whose time is over reports WouldBlock.
            Self::NoAnswer(io::ErrorKind::WouldBlock) => f.write_str("no answer: timed out"),
            Self::NoAnswer(kind) => write!(f, "no answer: {kind}"),
            Self::NotUnderstood => f.write_str("not understood"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::os::{Linux, call};

    const TIMEOUT: Duration = Duration::from_millis(300);
    const REQUEST: Request<'_> = Request { method: "POST", path: "/x", headers: &[("x-exeunt", "1")], timeout: TIMEOUT };

    /// A server for one connection. It sends `answer` in two pieces and closes; its thread returns what it was asked.
    fn serve(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 1_000];
            let length = stream.read(&mut asked).unwrap();
            asked.truncate(length);
            let (head, tail) = answer.split_at(answer.len() / 2);
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(tail.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, server)
    }

    #[test]
    fn a_request_is_sent_and_its_response_is_read() {
        let (address, server) = serve("HTTP/1.1 202 Accepted\r\nx-exeunt: 0.1.0\r\ncontent-length: 2\r\n\r\nok");
        let mut body = Vec::new();
        let head = call::exchange(&Linux::new(), address, &REQUEST, &mut |piece| body.extend_from_slice(piece)).unwrap();
        assert_eq!((head, body), (Head { status: 202, is_filters: true }, b"ok".to_vec()));
        let asked =
            format!("POST /x HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\nx-exeunt: 1\r\n\r\n");
        assert_eq!(server.join().unwrap(), asked);
    }

    #[test]
    fn a_long_request_is_sent_whole() {
        let value = "x".repeat(SHORT);
        let headers = [("x-exeunt", "1"), ("x-exeunt-completion", value.as_str())];
        let mut sent = Vec::new();
        send(&mut sent, "127.0.0.1:1".parse().unwrap(), &Request { headers: &headers, ..REQUEST }).unwrap();
        let head = "POST /x HTTP/1.1\r\nhost: 127.0.0.1:1\r\nconnection: close\r\ncontent-length: 0\r\n";
        let expected = format!("{head}x-exeunt: 1\r\nx-exeunt-completion: {value}\r\n\r\n");
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
    }

    #[test]
    fn a_port_without_a_listener_refuses() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let problem = call::exchange(&Linux::new(), address, &REQUEST, &mut |_| {}).unwrap_err();
        assert_eq!(problem.to_string(), "refused");
    }

    #[test]
    fn a_silent_server_costs_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let began = Instant::now();
        let problem = call::exchange(&Linux::new(), listener.local_addr().unwrap(), &REQUEST, &mut |_| {}).unwrap_err();
        assert!(matches!(problem, Problem::NoAnswer(_)), "{problem}");
        assert!(began.elapsed() >= TIMEOUT);
    }

    #[test]
    fn a_truncated_response_is_not_understood() {
        let (address, server) = serve("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok");
        let problem = call::exchange(&Linux::new(), address, &REQUEST, &mut |_| {}).unwrap_err();
        assert!(matches!(problem, Problem::NotUnderstood), "{problem}");
        server.join().unwrap();
    }
}
