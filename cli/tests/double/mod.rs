//! A double of an API server: HTTP on a port of its own, and a scenario that decides every answer. It is for the unhappy paths, which a real
//! API server shows too rarely; `./build.sh e2e --only 'kubectl-*'` runs the same commands against a real one.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

mod reply;
mod running;
mod world;

pub(crate) use reply::{Piece, Reply};
pub(crate) use running::{Running, until};
pub(crate) use world::{Kubelet, World, ended_ago, small, stuck};

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

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
}

/// What goes back: a status code and an object.
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
        if answer(&request, number).write(stream).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (verb, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Request { verb, path: path.to_owned(), query: query.to_owned(), body })
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
