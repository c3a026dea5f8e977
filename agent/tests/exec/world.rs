//! What a wrapped command needs: a proxy with a health listener, and signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fake;

/// Much longer than anything here takes, much shorter than the limits of the agent.
const SOON: Duration = Duration::from_secs(10);

/// A fake proxy with a health listener.
pub(crate) struct Proxy {
    fake: fake::Proxy,
    health: Health,
}

/// Envoy's health listener.
struct Health {
    port: u16,
    ready: Arc<AtomicBool>,
}

/// A wrapped command that runs, with an open stdin.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy that is ready, and has `roles`.
    pub(crate) fn start(roles: &[&str]) -> Self {
        Self { fake: fake::Proxy::start(roles), health: Health::start() }
    }

    /// The same, not ready yet.
    pub(crate) fn start_unready(roles: &[&str]) -> Self {
        let proxy = Self::start(roles);
        proxy.health.ready.store(false, Ordering::Relaxed);
        proxy
    }

    /// Makes it ready.
    pub(crate) fn becomes_ready(&self) {
        self.health.ready.store(true, Ordering::Relaxed);
    }

    /// The beginning of a command line of `exec` or `wait` beside this proxy.
    pub(crate) fn agent(&self, verb: &str) -> Command {
        let mut agent = self.fake.agent(verb);
        agent.args(["--ready-port", &self.health.port.to_string()]);
        agent
    }

    /// `exec` of `command` beside this proxy, with `options`.
    pub(crate) fn exec(&self, options: &[&str], command: &[&str]) -> Command {
        let mut agent = self.agent("exec");
        agent.args(options).arg("--").args(command);
        agent
    }

    /// The requests that it got, once it has ended.
    pub(crate) fn story(self) -> String {
        self.fake.story()
    }
}

// === impl Health ===

impl Health {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let health = Self { port: listener.local_addr().unwrap().port(), ready: Arc::new(AtomicBool::new(true)) };
        let ready = Arc::clone(&health.ready);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut asked = [0; 1_000];
                // A connection without a request only asks whether something listens.
                let length = stream.read(&mut asked).unwrap_or(0);
                if length == 0 {
                    continue;
                }
                assert!(asked.starts_with(b"GET /healthz/ready HTTP/1.1\r\n"));
                let status = if ready.load(Ordering::Relaxed) { "200 OK" } else { "503 Service Unavailable" };
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        health
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line that the command writes.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends `signal`, by its name, to the agent only.
    pub(crate) fn signal(&self, signal: &str) {
        send(signal, self.child.id());
    }

    /// The children of the agent, with their states.
    pub(crate) fn children(&self) -> Vec<(u32, char)> {
        let mut children = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let mut fields = stat.rsplit_once(") ").unwrap().1.split(' ');
            let (state, parent) = (fields.next().unwrap().chars().next().unwrap(), fields.next().unwrap());
            if parent == self.child.id().to_string() {
                children.push((pid, state));
            }
        }
        children
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Output {
        drop(self.child.stdin.take());
        until("its end", || self.child.try_wait().unwrap().is_some());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.stdout.read_to_end(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status: self.child.wait().unwrap(), stdout, stderr }
    }
}

/// Sends `signal`, by its name, to the process `pid`.
pub(crate) fn send(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap().success());
}

/// Waits until `reached`.
pub(crate) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < SOON, "{what} has not come");
        thread::yield_now();
    }
}
