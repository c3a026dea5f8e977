//! The verdict: one line of JSON that says what became of the proxy and of the task's bytes.

use core::time::Duration;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use drain::json::ObjectWriter;
use pod::delivery::Held;
use pod::pidfd::Exit;

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
        let mut line = self.to_json(ending, true);
        if line.len() > MAX_MESSAGE {
            // Kubelet would cut it anywhere, and leave no JSON.
            line = self.to_json(ending, false);
        }
        line.push('\n');
        // With nobody to read, there is nobody to tell.
        let _ = io::stderr().write_all(line.as_bytes());
        let (path, ours) = match (&ending.options.termination_log, ending.options.verb) {
            (Some(path), _) => (path.as_path(), true),
            (None, Verb::Watch) => (Path::new(TERMINATION_LOG), false),
            // It runs in the main container, whose message it is.
            (None, Verb::Exec | Verb::Wait | Verb::Complete) => return,
        };
        // Kubelet makes its file beforehand; without kubelet, /dev is no place for files of ours.
        let file = OpenOptions::new().write(true).truncate(true).create(ours).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            log::line(&format!("the verdict is not in {}: {error}", path.display()));
        }
    }

    fn to_json(self, ending: &Ending<'_>, with_rungs: bool) -> String {
        let (exit_code, signal) = ending.exit_status();
        let ended = matches!(self.fate, Fate::Gone | Fate::Left);
        let span = |span: Duration| ended.then(|| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let undelivered = ObjectWriter::default()
            .number("connections", Some(self.undelivered.connections.into()))
            .number("bytes", Some(self.undelivered.bytes))
            .finish();
        let rungs: Vec<String> = ending.trail.iter().map(|(route, outcome)| rung(*route, outcome)).collect();
        ObjectWriter::default()
            .text("version", Some(drain::VERSION))
            .text("container", Some(ending.container()))
            .number("exitCode", exit_code.map(u64::from))
            .number("signal", signal.map(u64::from))
            .text("exitStatus", Some(if ending.exit == Exit::Unknown { "unknown" } else { "known" }))
            .text("action", Some(ending.options.action.name()))
            .text("decided", Some(ending.options.decided()))
            .text("proxy", Some(self.fate.name()))
            .text("route", ending.trail.way_out().map(|route| route.to_string()).as_deref())
            .json("rungs", with_rungs.then(|| format!("[{}]", rungs.join(","))).as_deref())
            .number("drainMs", span(self.drain))
            .number("lingerMs", span(self.linger))
            .json("undelivered", Some(&undelivered))
            .finish()
    }
}

fn rung(route: Route, outcome: &Outcome) -> String {
    ObjectWriter::default().text("route", Some(&route.to_string())).text("outcome", Some(&outcome.to_string())).finish()
}
