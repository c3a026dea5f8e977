//! A double of an API server: HTTP on a port of its own, and a scenario that decides every answer. It is for the unhappy paths, which a real
//! API server shows too rarely; `./build.sh e2e --only 'kubectl-*'` runs the same commands against a real one.

mod reply;
mod running;
mod world;

pub(crate) use reply::{Piece, Reply};
pub(crate) use running::{Running, until};
pub(crate) use world::{Kubelet, World, ended_ago, small, stuck};

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `PATCH`, …
    pub(crate) verb: String,
    /// The path without its query.
    pub(crate) path: String,
    /// The query.
    pub(crate) query: String,
    /// The body; `null` if there is none.
    pub(crate) body: Value,
    /// The key of a WebSocket that the client wants.
    key: String,
}

/// What goes back: a status code and an object. 101 with a number opens a port-forward to that port of this machine.
pub(crate) type Answer = (u16, Value);

/// A double that runs until the test ends.
pub(crate) struct Double {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Double {
    /// Starts a double. `answer` gets each request with its number among those of the same verb and path, from 0.
    pub(crate) fn start<R: Into<Reply>>(answer: impl Fn(&Request, usize) -> R + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answer = move |request: &Request, number: usize| answer(request, number).into();
        let (answer, all) = (Arc::new(answer), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, all) = (answer.clone(), all.clone());
                std::thread::spawn(move || serve(&stream, answer.as_ref(), &all));
            }
        });
        Self { port, seen }
    }

    /// The port that it listens at.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far, in order.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Runs `kubectl exeunt` with these words against the double, in the namespace `jobs`.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let file = self.kubeconfig();
        let program = env!("CARGO_BIN_EXE_kubectl-exeunt");
        Command::new(program).arg("--kubeconfig").arg(&file).args(words).env_remove("KUBECONFIG").output().unwrap()
    }

    /// Starts `kubectl exeunt` with these words against the double.
    pub(crate) fn spawn(&self, words: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt"));
        Running::start(command.arg("--kubeconfig").arg(self.kubeconfig()).args(words).env_remove("KUBECONFIG"))
    }

    fn kubeconfig(&self) -> PathBuf {
        let file = std::env::temp_dir().join(format!("exeunt-cli-{}-{}.json", std::process::id(), self.port));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "double",
            "clusters": [{"name": "double", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "nobody", "namespace": "jobs"}}],
            "users": [{"name": "nobody", "user": {}}],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        file
    }
}

fn serve(stream: &TcpStream, answer: &(dyn Fn(&Request, usize) -> Reply + Send + Sync), seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.iter().filter(|other| other.verb == request.verb && other.path == request.path).count() - 1
        };
        let reply = answer(&request, number);
        if let Some(port) = reply.forwards_to() {
            return forward(stream, &request, port);
        }
        if reply.write(stream).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (verb, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.to_lowercase().starts_with("sec-websocket-key:") {
            header.split_once(':').unwrap().1.trim().clone_into(&mut key);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Request { verb, path: path.to_owned(), query: query.to_owned(), body, key })
}

/// Both ends of a port-forward, as the API server and kubelet have it: channel 0 is the data, channel 1 tells what went wrong.
fn forward(stream: &TcpStream, request: &Request, port: u16) {
    let wanted = request.query.split(&['&', '='][..]).find_map(|word| word.parse::<u16>().ok()).unwrap();
    let accept = tungstenite::handshake::derive_accept_key(request.key.as_bytes());
    let head = "HTTP/1.1 101 -\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n";
    let mut out = stream;
    out.write_all(format!("{head}sec-websocket-accept: {accept}\r\n\r\n").as_bytes()).unwrap();
    let socket = || WebSocket::from_raw_socket(stream.try_clone().unwrap(), Role::Server, None);
    let (mut reads, mut writes) = (socket(), socket());
    let mut send = |channel: u8, bytes: &[u8]| writes.send(Message::binary([&[channel], bytes].concat()));
    for channel in [0, 1] {
        send(channel, &wanted.to_le_bytes()).unwrap();
    }
    let Ok(inner) = TcpStream::connect(("127.0.0.1", port)) else {
        let why = format!("failed to connect to localhost:{wanted} inside namespace: connect: connection refused");
        send(1, why.as_bytes()).unwrap();
        return;
    };
    let mut to = inner.try_clone().unwrap();
    std::thread::spawn(move || {
        while let Ok(message) = reads.read() {
            if to.write_all(message.into_data().get(1..).unwrap_or_default()).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut piece) = (&inner, vec![0; 32 << 10]);
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if send(0, &piece[..count]).is_err() {
            return;
        }
    }
    let _ = writes.close(None);
}

/// What an API server answers when it refuses.
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message}),
    )
}

/// A page of pods.
pub(crate) fn page(pods: &[Value], token: &str) -> Answer {
    (200, json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1", "continue": token}, "items": pods}))
}

/// The recorded pod of that name, in `cli/tests/pods`.
pub(crate) fn recorded(name: &str) -> Value {
    let file = format!("{}/tests/pods/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What the command printed: stdout, stderr, exit code.
pub(crate) fn printed(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}
