//! One HTTP/1.1 exchange with a neighbour in the pod, bounded in time and size. A connection serves one request and is closed:
//! pilot-agent counts open ones when it waits for the last to go.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect as connect_socket, socket_with};

mod body;
mod response;

pub(crate) use self::body::Body;
pub(crate) use self::response::Head;
use self::response::Reader;

/// A neighbour answers a SYN within microseconds. A second passes only where a packet filter drops it, as for an address not
/// captured.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Read at a time: `/clusters` may have 35 MB, and the agent is to stay small.
const PIECE: usize = 8 * 1024;

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// The path with its query.
    pub(crate) path: &'a str,
    /// Headers beside the usual ones: their names and values.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// How long the answer may take in all.
    pub(crate) timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Problem {
    /// No connection: nobody has seen the request.
    NotSent(io::Error),
    /// The connection broke, or the time was up. The request may have been seen.
    NoAnswer(io::Error),
    /// The answer is no HTTP.
    NotUnderstood,
}

/// Sends `request` to `to` and hands the answer's body on as it comes.
pub(crate) fn exchange(to: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem> {
    let stream = connect(to, CONNECT_TIMEOUT.min(request.timeout)).map_err(Problem::NotSent)?;
    exchange_on(stream, to, request, body)
}

/// The same, on a connection to `to` that stands already.
pub(crate) fn exchange_on(
    mut stream: TcpStream,
    to: SocketAddr,
    request: &Request<'_>,
    body: &mut dyn FnMut(&[u8]),
) -> Result<Head, Problem> {
    stream.write_all(text(to, request).as_bytes()).map_err(Problem::NoAnswer)?;
    let deadline = Instant::now() + request.timeout;
    let mut reader = Reader::default();
    let mut piece = [0; PIECE];
    while !reader.is_done() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Problem::NoAnswer(io::ErrorKind::TimedOut.into()));
        }
        stream.set_read_timeout(Some(left)).map_err(Problem::NoAnswer)?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                let bytes = piece.get(..length).unwrap_or_default();
                reader.take(bytes, body).map_err(|_| Problem::NotUnderstood)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What a blocking read says when its time is up; the next turn says so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Problem::NoAnswer(error)),
        }
    }
    reader.finish().map_err(|_| Problem::NotUnderstood)
}

/// A connection to `to`, made within `timeout`.
pub(crate) fn connect(to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The time a connect may take, too (socket(7)).
    set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    match connect_socket(&socket, &to) {
        Ok(()) => Ok(socket.into()),
        // What a blocking connect says when its time is up.
        Err(rustix::io::Errno::INPROGRESS) => Err(io::ErrorKind::TimedOut.into()),
        Err(error) => Err(error.into()),
    }
}

fn text(to: SocketAddr, request: &Request<'_>) -> String {
    let Request { method, path, headers, .. } = request;
    // No request of ours has a body; of a POST, RFC 9110 §8.6 wants that said.
    let length = if *method == "POST" { "content-length: 0\r\n" } else { "" };
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{length}");
    for part in headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]) {
        text.push_str(part);
    }
    text.push_str("\r\n");
    text
}

// === impl Problem ===

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(error) if error.kind() == io::ErrorKind::ConnectionRefused => f.write_str("refused"),
            Self::NotSent(error) => write!(f, "not reached: {}", error.kind()),
            // What a blocking call says when its time is up.
            Self::NoAnswer(error) if error.kind() == io::ErrorKind::WouldBlock => f.write_str("no answer: timed out"),
            Self::NoAnswer(error) => write!(f, "no answer: {}", error.kind()),
            Self::NotUnderstood => f.write_str("not understood"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(300);
    const REQUEST: Request<'_> = Request { method: "POST", path: "/x", headers: &[("x-exeunt", "1")], timeout: TIMEOUT };

    /// A server for one connection: what it was asked, once it has answered with `answer`, in two pieces, and closed.
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
    fn a_request_is_sent_and_its_answer_read() {
        let (address, server) = serve("HTTP/1.1 202 Accepted\r\nx-exeunt: 0.1.0\r\ncontent-length: 2\r\n\r\nok");
        let mut body = Vec::new();
        let head = exchange(address, &REQUEST, &mut |piece| body.extend_from_slice(piece)).unwrap();
        assert_eq!((head, body), (Head { status: 202, is_filters: true }, b"ok".to_vec()));
        let asked =
            format!("POST /x HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\nx-exeunt: 1\r\n\r\n");
        assert_eq!(server.join().unwrap(), asked);
    }

    #[test]
    fn nobody_listening_is_refused() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let problem = exchange(address, &REQUEST, &mut |_| {}).unwrap_err();
        assert_eq!(problem.to_string(), "refused");
    }

    #[test]
    fn silence_ends_with_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let began = Instant::now();
        let problem = exchange(listener.local_addr().unwrap(), &REQUEST, &mut |_| {}).unwrap_err();
        assert!(matches!(problem, Problem::NoAnswer(_)), "{problem}");
        assert!(began.elapsed() >= TIMEOUT);
    }

    #[test]
    fn an_answer_cut_short_is_not_understood() {
        let (address, server) = serve("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok");
        let problem = exchange(address, &REQUEST, &mut |_| {}).unwrap_err();
        assert!(matches!(problem, Problem::NotUnderstood), "{problem}");
        server.join().unwrap();
    }
}
