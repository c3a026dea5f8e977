//! Whether there is a proxy, and whether it can carry traffic yet.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::thread::sleep;
use std::time::Instant;

use drain::config::SIGNAL_PORT;
use drain::duration;
use pod::ports;

use crate::http::{self, CONNECT_TIMEOUT, Problem, Request};
use crate::istio::Form;
use crate::options::Options;
use crate::sidecar::Sidecar;

/// Where Envoy's health listener tells what pilot-agent knows: 200 once the configuration is there and the listeners are bound (Istio,
/// `pkg/bootstrap`, `cmd/pilot-agent/status/server.go`).
const PATH: &str = "/healthz/ready";
/// Where Envoy tells of itself that it has its first configuration and its listeners: asked where the health listener is not there, as
/// with `status.sidecar.istio.io/port: "0"`. It is in Envoy's bootstrap, so an Envoy that is live and lacks it will never have it.
const ENVOYS_OWN: &str = "/ready";
/// A neighbour answers within a millisecond; while it starts its only thread may be busy with its configuration.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause after the first look. A proxy that starts takes one to several seconds; its readiness costs the task no more than a
/// twentieth.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The pauses double up to this one: who waits for long is not late by a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// An address of TEST-NET-1 (RFC 5737), routed nowhere: only Istio's capture can have it refused.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 190)), SIGNAL_PORT);
/// A captured connection that nobody listens for is refused by the pod's own kernel, within microseconds.
const REFUSAL: Duration = Duration::from_millis(100);

/// Whether the pod has a proxy, or will have one.
pub(crate) fn has_proxy(sidecar: &mut Sidecar, options: &Options) -> bool {
    if options.form == Some(Form::Absent) {
        return false;
    }
    sidecar.look();
    sidecar.is_here() || answers(options.ready_port) || (sidecar.is_in_a_pod() && is_captured())
}

/// Waits until the proxy is ready, at most as long as `options` say; else, what to tell. ztunnel has let the pod start, so it is.
pub(crate) fn wait(sidecar: &Sidecar, options: &Options) -> Result<(), String> {
    if sidecar.is_ztunnel() {
        return Ok(());
    }
    let deadline = Instant::now() + options.ready_timeout;
    let mut pause = FIRST_PAUSE;
    loop {
        let Err(seen) = ask(options, deadline) else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let (port, time) = (options.ready_port, duration::display(options.ready_timeout));
            return Err(format!(
                "the proxy is not ready after {time} (port {port}, {PATH}: {seen}): see the log of istio-proxy, or raise --ready-timeout"
            ));
        }
        sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks once; else, what was seen.
fn ask(options: &Options, deadline: Instant) -> Result<(), String> {
    let health = ask_on(options.ready_port, PATH, deadline);
    let live = || matches!(ask_on(options.admin_port, ENVOYS_OWN, deadline), Ok(200));
    match health {
        Ok(200) => Ok(()),
        Ok(status) => Err(format!("answers {status}")),
        Err(Problem::NotSent(_)) if live() => Ok(()),
        Err(problem) => Err(problem.to_string()),
    }
}

/// The status that `path` is answered with on a neighbour's `port`.
fn ask_on(port: u16, path: &'static str, deadline: Instant) -> Result<u16, Problem> {
    let [first, second] = ports::LOCALHOST.map(|ip| SocketAddr::new(ip, port));
    match ask_at(first, path, deadline) {
        Err(Problem::NotSent(error)) => match ask_at(second, path, deadline) {
            // The first is the one to name.
            Err(Problem::NotSent(_)) => Err(Problem::NotSent(error)),
            other => other,
        },
        other => other,
    }
}

fn ask_at(at: SocketAddr, path: &'static str, deadline: Instant) -> Result<u16, Problem> {
    // The last look, too, has a moment to be answered.
    let left = deadline.saturating_duration_since(Instant::now()).max(FIRST_PAUSE);
    let stream = http::connect(at, CONNECT_TIMEOUT.min(left)).map_err(Problem::NotSent)?;
    let request = Request { method: "GET", path, headers: &[], timeout: ANSWER_TIMEOUT.min(left) };
    http::exchange_on(stream, at, &request, &mut |_| {}).map(|head| head.status)
}

/// Whether anybody listens on `port`.
fn answers(port: u16) -> bool {
    ports::LOCALHOST.into_iter().any(|ip| http::connect(SocketAddr::new(ip, port), REFUSAL).is_ok())
}

/// Whether this pod's connections are redirected to a proxy that does not listen.
pub(crate) fn is_captured() -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    http::connect(NOWHERE, REFUSAL).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::options::Invocation;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// A server that answers one request with `answer`.
    fn serve(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let length = stream.read(&mut [0; 1_000]).unwrap();
            assert!(length > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    /// Where nobody listens.
    fn closed() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// What a look sees with these ports.
    fn seen(ready: u16, admin: u16, deadline: Instant) -> Result<(), String> {
        let line = format!("wait --ready-port {ready} --admin-port {admin}");
        match Invocation::parse(line.split(' ').map(OsString::from), |_| None) {
            Ok(Invocation::Run(options)) => ask(&options, deadline),
            other => panic!("{other:?}"),
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    const UNREADY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

    #[test]
    fn only_a_200_is_readiness() {
        assert_eq!(seen(serve(OK), closed(), soon()), Ok(()));
        assert_eq!(seen(serve(UNREADY), serve(OK), soon()), Err("answers 503".to_owned()), "Envoy's own word is not asked for");
        assert_eq!(seen(serve("ready\r\n\r\n"), closed(), soon()), Err("not understood".to_owned()));
    }

    #[test]
    fn without_a_health_listener_envoys_own_word_counts() {
        assert_eq!(seen(closed(), serve(OK), soon()), Ok(()));
        assert_eq!(seen(closed(), serve(UNREADY), soon()), Err("refused".to_owned()));
    }

    #[test]
    fn nobody_listening_is_not_ready() {
        let port = closed();
        assert_eq!((seen(port, closed(), soon()), answers(port)), (Err("refused".to_owned()), false));
    }

    #[test]
    fn silence_lasts_no_longer_than_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let began = Instant::now();
        let seen = seen(listener.local_addr().unwrap().port(), closed(), began + Duration::from_millis(200));
        assert_eq!(seen, Err("no answer: timed out".to_owned()));
        assert!(began.elapsed() < ANSWER_TIMEOUT);
    }
}
