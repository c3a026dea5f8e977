//! The verdict: one line of JSON that says what became of the proxy and of the task's bytes.

use core::time::Duration;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use pod::delivery::Held;
use pod::pidfd::Exit;
use serde::Serialize;

use crate::ending::Ending;
use crate::log;
use crate::options::Verb;
use crate::rung::{Outcome, Route};

/// What kubelet reads of a termination message (kubernetes, `pkg/kubelet/container/runtime.go`,
/// `MaxContainerTerminationMessageLength`).
const MAX_MESSAGE: usize = 4096;
/// Where kubelet looks for it, unless the pod says otherwise.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// What became of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has ended.
    Gone,
    /// It runs, drained, and is kubelet's.
    Left,
    /// There was none.
    None,
    /// It could not be ended.
    Stays,
}

/// The verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) fate: Fate,
    /// From the task's end to the proxy's.
    pub(crate) drain: Duration,
    /// From the proxy's end to ours.
    pub(crate) linger: Duration,
    pub(crate) undelivered: Held,
}

/// The verdict as it is written, field by field in this order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    version: &'a str,
    container: &'a str,
    exit_code: Option<u8>,
    signal: Option<u8>,
    exit_status: &'a str,
    action: &'a str,
    ended: &'a str,
    decided: &'a str,
    proxy: &'a str,
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

/// The verdict of an agent that has refused to do anything.
#[derive(Serialize)]
struct Untouched<'a> {
    version: &'a str,
    proxy: &'a str,
    refused: Vec<Refusal<'a>>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    reason: &'a str,
}

// === impl Fate ===

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Left => "left",
            Self::None => "none",
            Self::Stays => "stays",
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// The proxy met `fate`, `drain` after the task's end, and `undelivered` was cut off.
    pub(crate) const fn new(fate: Fate, drain: Duration, undelivered: Held) -> Self {
        Self { fate, drain, linger: Duration::ZERO, undelivered }
    }

    /// Says it on stderr and to kubelet.
    pub(crate) fn publish(&self, ending: &Ending<'_>) {
        log::raw(&self.line(ending));
        self.leave_word(ending);
    }

    /// Says it to kubelet alone, as far as it is known now: whoever is killed has said it then.
    pub(crate) fn leave_word(&self, ending: &Ending<'_>) {
        let line = self.line(ending);
        match (ending.options.termination_log.as_deref(), ending.options.verb) {
            (None, Verb::Exec | Verb::Wait | Verb::Complete) => {} // It runs in the main container, whose message it is.
            (path, _) => tell_kubelet(&line, path),
        }
    }

    fn line(self, ending: &Ending<'_>) -> String {
        let mut line = self.to_json(ending, true);
        if line.len() > MAX_MESSAGE {
            // Kubelet would cut it anywhere, and leave no JSON.
            line = self.to_json(ending, false);
        }
        line + "\n"
    }

    fn to_json(self, ending: &Ending<'_>, with_rungs: bool) -> String {
        let (exit_code, signal) = ending.exit_status();
        let ended = matches!(self.fate, Fate::Gone | Fate::Left);
        let span = |span: Duration| ended.then(|| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let rung = |(route, outcome): &(Route, Outcome)| Rung { route: route.to_string(), outcome: outcome.to_string() };
        json(&Line {
            version: drain::VERSION,
            container: ending.container(),
            exit_code,
            signal,
            exit_status: if ending.exit == Exit::Unknown { "unknown" } else { "known" },
            action: ending.action().name(),
            ended: ending.evidence(),
            decided: &ending.decided(),
            proxy: self.fate.name(),
            route: ending.trail.way_out().map(|route| route.to_string()),
            rungs: with_rungs.then(|| ending.trail.iter().map(rung).collect()),
            drain_ms: span(self.drain),
            linger_ms: span(self.linger),
            undelivered: Undelivered { connections: self.undelivered.connections, bytes: self.undelivered.bytes },
        })
    }
}

/// The verdict where nothing was done at all, for `reasons`: on stderr and to kubelet.
pub(crate) fn refuse(reasons: &[String], termination_log: Option<&Path>) {
    for reason in reasons {
        log::line(reason);
    }
    let (mut refused, mut length) = (Vec::new(), 0);
    for reason in reasons {
        let one = Refusal { reason };
        // What does not fit is on stderr.
        length += json(&one).len() + 1;
        if length < MAX_MESSAGE / 2 {
            refused.push(one);
        }
    }
    let line = json(&Untouched { version: drain::VERSION, proxy: "untouched", refused }) + "\n";
    log::raw(&line);
    tell_kubelet(&line, termination_log);
}

/// Writes `line` where kubelet looks for it: to its own file, or to `path`.
fn tell_kubelet(line: &str, path: Option<&Path>) {
    // Kubelet makes its file beforehand; without kubelet, /dev is no place for files of ours.
    let (file, ours) = path.map_or((Path::new(TERMINATION_LOG), false), |path| (path, true));
    let opened = OpenOptions::new().write(true).truncate(true).create(ours).open(file);
    if let Err(error) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
        log::line(&format!("the verdict is not in {}: {error}", file.display()));
    }
}

fn json(value: &impl Serialize) -> String {
    // Writing fails only for maps whose keys are no texts; there are none here.
    serde_json::to_string(value).unwrap_or_default()
}
