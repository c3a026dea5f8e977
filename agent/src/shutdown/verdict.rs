//! The verdict: one line of JSON that tells what happened to the proxy and to the bytes of the task. Its schema is
//! `docs/verdict.schema.json`.

use core::time::Duration;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use drain::wire::Action;
use log::warn;
use pod::delivery::Held;
use pod::pidfd::Exit;
use serde::Serialize;

use super::attempts::Attempts;
use super::context::TaskEnd;
use crate::options::{Options, Verb};
use crate::os::log::raw;

/// The longest termination message that kubelet reads, in bytes (Kubernetes, `pkg/kubelet/container/runtime.go`,
/// `MaxContainerTerminationMessageLength`).
const MAX_MESSAGE: usize = 4096;
/// The file where kubelet looks for the termination message by default.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// What happened to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyOutcome {
    /// It has ended.
    Gone,
    /// It is drained, and kubelet or the node ends it.
    Left,
    /// There was none.
    None,
    /// It could not be ended.
    Stays,
    /// The agent did nothing.
    Untouched,
}

/// The verdict of one shutdown.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What happened to the proxy.
    pub proxy: ProxyOutcome,
    /// What the agent wanted to do with the proxy.
    pub action: Action,
    /// Why, and how the proxy is known.
    pub decided: String,
    /// What was tried.
    pub attempts: Attempts,
    /// From the end of the task to the end of the proxy.
    pub drain: Duration,
    /// From the end of the proxy to the end of the flush.
    pub flush: Duration,
    /// What was not delivered.
    pub undelivered: Held,
}

/// The line of JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    version: &'static str,
    container: &'a str,
    exit_code: Option<u8>,
    signal: Option<u8>,
    exit_status: &'static str,
    action: &'static str,
    ended: &'a str,
    decided: &'a str,
    proxy: ProxyOutcome,
    route: Option<String>,
    rungs: Option<Vec<Rung>>,
    drain_ms: Option<u64>,
    linger_ms: Option<u64>,
    undelivered: Undelivered,
}

#[derive(Serialize)]
struct Rung {
    route: String,
    outcome: String,
}

#[derive(Serialize)]
struct Undelivered {
    connections: u32,
    bytes: u64,
}

/// The line of JSON if the agent did nothing.
#[derive(Serialize)]
struct RefusalLine<'a> {
    version: &'static str,
    proxy: ProxyOutcome,
    refused: Vec<Reason<'a>>,
}

#[derive(Serialize)]
struct Reason<'a> {
    reason: &'a str,
}

// === impl Verdict ===

impl Verdict {
    /// Writes the verdict on `task` to stderr and to kubelet's file.
    pub fn publish(&self, task: &TaskEnd, options: &Options) {
        raw(&self.line(task));
        self.write_early(task, options);
    }

    /// Writes the verdict to kubelet's file only, as far as it is known: the agent may be killed before it is complete.
    pub fn write_early(&self, task: &TaskEnd, options: &Options) {
        match (options.termination_log.as_deref(), options.verb) {
            // The agent runs in the main container, and the default file is for the message of the task.
            (None, Verb::Exec | Verb::Wait | Verb::Complete) => {}
            (path, _) => write_message(&self.line(task), path),
        }
    }

    /// The line of JSON, with its line end. Kubelet would truncate a longer one, which would then not be JSON.
    #[must_use]
    pub fn line(&self, task: &TaskEnd) -> String {
        let line = self.to_json(task, true);
        if line.len() > MAX_MESSAGE { self.to_json(task, false) } else { line }
    }

    fn to_json(&self, task: &TaskEnd, with_rungs: bool) -> String {
        let (exit_code, signal) = task.exit_status();
        let ended = matches!(self.proxy, ProxyOutcome::Gone | ProxyOutcome::Left);
        let ms = |span: Duration| ended.then(|| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let routes = self.attempts.routes();
        let rungs = routes.map(|(route, outcome)| Rung { route: route.to_string(), outcome: outcome.to_string() });
        to_line(&Line {
            version: drain::VERSION,
            container: &task.container,
            exit_code,
            signal,
            exit_status: if task.exit == Exit::Unknown { "unknown" } else { "known" },
            action: self.action.name(),
            ended: &task.evidence,
            decided: &self.decided,
            proxy: self.proxy,
            route: self.attempts.success().map(|route| route.to_string()),
            rungs: with_rungs.then(|| rungs.collect()),
            drain_ms: ms(self.drain),
            linger_ms: ms(self.flush),
            undelivered: Undelivered { connections: self.undelivered.connections, bytes: self.undelivered.bytes },
        })
    }
}

/// Writes the verdict of an agent that does nothing, for `reasons`, to stderr and to kubelet's file.
pub fn refuse(reasons: &[String], termination_log: Option<&Path>) {
    for reason in reasons {
        warn!("{reason}");
    }
    let mut room = MAX_MESSAGE / 2;
    let fits = |reason: &&String| {
        // A reason that does not fit is on stderr. Escaped, it can be longer than this.
        let left = room.checked_sub(2 * reason.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    let refused = reasons.iter().filter(fits).map(|reason| Reason { reason }).collect();
    let line = to_line(&RefusalLine { version: drain::VERSION, proxy: ProxyOutcome::Untouched, refused });
    raw(&line);
    write_message(&line, termination_log);
}

fn to_line(value: &impl Serialize) -> String {
    // A struct with string keys cannot fail to serialise.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// Writes `line` to `path`, or to kubelet's own file.
fn write_message(line: &str, path: Option<&Path>) {
    // Kubelet makes its file before the container starts. Without kubelet, the agent makes none in /dev.
    let (file, create) = path.map_or((Path::new(TERMINATION_LOG), false), |path| (path, true));
    let opened = OpenOptions::new().write(true).truncate(true).create(create).open(file);
    if let Err(error) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
        warn!("the verdict is not in {}: {error}", file.display());
    }
}
