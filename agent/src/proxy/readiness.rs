//! Whether the pod has a proxy, and whether the proxy can carry traffic.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use drain::duration;
use drain::time::Instant;
use pod::ports;

use super::sidecar::Sidecar;
use super::times;
use crate::options::{Form, Options};
use crate::os::World;
use crate::os::call;
use crate::os::http::{CONNECT_TIMEOUT, Problem, Request};
use crate::os::world::Connection;

/// Envoy's health listener tells here what pilot-agent knows: 200 once the configuration has come and the listeners are bound (Istio,
/// `pkg/bootstrap`, `cmd/pilot-agent/status/server.go`).
const HEALTH_PATH: &str = "/healthz/ready";
/// Envoy's admin interface tells here whether Envoy has its first configuration and its listeners. The agent asks it if there is no health
/// listener, as with `status.sidecar.istio.io/port: "0"`. The health listener is in Envoy's bootstrap, so an Envoy that lacks it never
/// gets one.
const ADMIN_PATH: &str = "/ready";

/// Why the proxy is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The health listener responds with this status.
    Status(u16),
    /// There is no response.
    Problem(Problem),
}

/// The proxy is not ready in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    port: u16,
    timeout: Duration,
    last: NotReady,
}

/// Whether the pod has a proxy, or will have one. What was told comes first: Istio may redirect some connections only, or none
/// (`includeOutboundIPRanges`, `interceptionMode: NONE`), and then nothing else shows a proxy that has not started.
pub fn has_proxy<W: World>(world: &W, sidecar: &mut Sidecar<'_, W>, options: &Options) -> bool {
    match options.form.form {
        Form::Absent => false,
        Form::Classic | Form::Native => true,
        Form::Ambient | Form::Unknown => sidecar.is_here() || answers(world, options.ready_port) || sidecar.is_captured(),
    }
}

/// Waits until the proxy is ready, at most for `--ready-timeout`. ztunnel is ready before the pod starts.
///
/// # Errors
/// The last response, if the proxy is not ready in time.
pub fn wait<W: World>(world: &W, sidecar: &Sidecar<'_, W>, options: &Options) -> Result<(), TimedOut> {
    if sidecar.is_ztunnel() {
        return Ok(());
    }
    let deadline = world.now() + options.ready_timeout;
    let mut pause = times::FIRST_READY_PAUSE;
    loop {
        let Err(last) = ask(world, options, deadline) else { return Ok(()) };
        let left = deadline.since(world.now());
        if left.is_zero() {
            return Err(TimedOut { port: options.ready_port, timeout: options.ready_timeout, last });
        }
        world.sleep(pause.min(left));
        pause = (pause * 2).min(times::LONGEST_READY_PAUSE);
    }
}

/// Asks once whether the proxy is ready.
fn ask(world: &impl World, options: &Options, deadline: Instant) -> Result<(), NotReady> {
    let health = ask_on(world, options.ready_port, HEALTH_PATH, deadline);
    let is_ready = || matches!(ask_on(world, options.admin_port, ADMIN_PATH, deadline), Ok(200));
    match health {
        Ok(200) => Ok(()),
        Ok(status) => Err(NotReady::Status(status)),
        Err(Problem::NotSent(_)) if is_ready() => Ok(()),
        Err(problem) => Err(NotReady::Problem(problem)),
    }
}

/// The status of the response to `path` on `port` of loopback.
fn ask_on(world: &impl World, port: u16, path: &'static str, deadline: Instant) -> Result<u16, Problem> {
    let [first, second] = ports::LOCALHOST.map(|ip| SocketAddr::new(ip, port));
    match ask_at(world, first, path, deadline) {
        Err(Problem::NotSent(error)) => match ask_at(world, second, path, deadline) {
            // The message names the first error.
            Err(Problem::NotSent(_)) => Err(Problem::NotSent(error)),
            other => other,
        },
        other => other,
    }
}

fn ask_at(world: &impl World, at: SocketAddr, path: &'static str, deadline: Instant) -> Result<u16, Problem> {
    // The last question gets some time too.
    let left = deadline.since(world.now()).max(times::FIRST_READY_PAUSE);
    let connection = world.connect(at, CONNECT_TIMEOUT.min(left)).map_err(|error| Problem::NotSent(error.kind()))?;
    let request = Request { method: "GET", path, headers: &[], timeout: times::RESPONSE.min(left) };
    connection.exchange(at, &request, &mut |_| {}).map(|head| head.status)
}

/// Whether a process listens on `port` of loopback.
fn answers(world: &impl World, port: u16) -> bool {
    ports::LOCALHOST.into_iter().any(|ip| call::listens(world, SocketAddr::new(ip, port), times::CONNECT))
}

// === impl NotReady ===

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "answers {status}"),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

// === impl TimedOut ===

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, timeout, last } = self;
        let timeout = duration::display(*timeout);
        write!(
            f,
            "the proxy is not ready after {timeout} (port {port}, {HEALTH_PATH}: {last}): see the log of istio-proxy, or raise \
             --ready-timeout"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::os::Linux;
    use crate::testing::{Script, options};

    const SOON: Duration = Duration::from_secs(5);

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

    /// A port without a listener.
    fn closed() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// The answer to one question on these ports, within `time`.
    fn seen(ready: u16, admin: u16, time: Duration) -> Result<(), String> {
        let options = options(&format!("wait --ready-port {ready} --admin-port {admin}"));
        let world = Linux::new();
        ask(&world, &options, world.now() + time).map_err(|why| why.to_string())
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    const UNREADY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

    #[test]
    fn what_was_told_comes_before_what_is_seen() {
        let has = |line: &str, is_captured| {
            let (world, options) = (Script { is_captured, ..Script::default() }, options(line));
            has_proxy(&world, &mut Sidecar::new(&world, &options, None), &options)
        };
        for form in ["classic", "native"] {
            assert!(has(&format!("wait --proxy {form}"), false), "{form}: Istio captures other addresses only");
        }
        assert!(has("wait", true));
        assert!(!has("wait", false));
    }

    #[test]
    fn only_a_200_is_readiness() {
        assert_eq!(seen(serve(OK), closed(), SOON), Ok(()));
        assert_eq!(seen(serve(UNREADY), serve(OK), SOON), Err("answers 503".to_owned()), "the admin interface is not asked");
        assert_eq!(seen(serve("ready\r\n\r\n"), closed(), SOON), Err("not understood".to_owned()));
    }

    #[test]
    fn without_a_health_listener_the_admin_interface_counts() {
        assert_eq!(seen(closed(), serve(OK), SOON), Ok(()));
        assert_eq!(seen(closed(), serve(UNREADY), SOON), Err("refused".to_owned()));
    }

    #[test]
    fn without_a_listener_it_is_not_ready() {
        let port = closed();
        assert_eq!((seen(port, closed(), SOON), answers(&Linux::new(), port)), (Err("refused".to_owned()), false));
    }

    #[test]
    fn silence_lasts_no_longer_than_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let start = std::time::Instant::now();
        let seen = seen(listener.local_addr().unwrap().port(), closed(), Duration::from_millis(200));
        assert_eq!(seen, Err("no answer: timed out".to_owned()));
        assert!(start.elapsed() < times::RESPONSE);
    }
}
