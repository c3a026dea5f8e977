//! The verdict: one line of JSON that tells what happened to the proxy and to the bytes of the task. Its schema is
//! `docs/verdict.schema.json`.

use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use ::log::warn;
use drain::duration::milliseconds;
use drain::printable::printable;
use drain::wire::Action;
use pod::pidfd::Exit;
use serde::Serialize;

use super::attempts::Attempts;
use super::context::{Helper, TaskEnd};
use super::limit::Limit;
use super::loss::Loss;
use crate::options::{Options, Verb};
use crate::os::log;

/// The longest termination message that kubelet reads, in bytes (Kubernetes, `pkg/kubelet/container/runtime.go`,
/// `MaxContainerTerminationMessageLength`).
const MAX_MESSAGE: usize = 4096;
/// The most helpers in a verdict. The log has all of them.
const MAX_HELPERS: usize = 8;
/// The longest text about a helper, in bytes.
const MAX_ASKED: usize = 100;
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
    /// The agent was still draining it when this was written: if it was killed, this is its last word.
    Draining,
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
    /// From the end of the task to the end of the proxy. `None` if the proxy had ended before, or has not ended.
    pub drain: Option<Duration>,
    /// The part of that in which only access logs, spans and metrics were waited for. `None` if Envoy buffers none.
    pub telemetry: Option<Duration>,
    /// From the end of the proxy to the end of the flush.
    pub flush: Duration,
    /// What was not delivered.
    pub undelivered: Loss,
    /// The limit that ended the drain with data undelivered.
    pub limit: Option<Limit>,
    /// What a user can do about what went wrong, as a sentence.
    pub advice: Option<String>,
}

/// The line of JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    version: &'static str,
    container: Option<&'a str>,
    exit_code: Option<u8>,
    signal: Option<u8>,
    exit_status: &'static str,
    action: &'static str,
    ended: &'a str,
    decided: &'a str,
    proxy: ProxyOutcome,
    route: Option<String>,
    rungs: Option<Vec<Attempt>>,
    drain_ms: Option<u64>,
    telemetry_ms: Option<u64>,
    #[serde(rename = "lingerMs")]
    flush_ms: Option<u64>,
    undelivered: Undelivered,
    limit: Option<Limit>,
    advice: Option<&'a str>,
    helpers: Vec<HelperEntry<'a>>,
    warnings: &'a [String],
}

/// One entry of `helpers`.
#[derive(Serialize)]
struct HelperEntry<'a> {
    container: Option<&'a str>,
    asked: Option<&'a str>,
    #[serde(rename = "endedMs")]
    ended_ms: Option<u64>,
}

/// One entry of `rungs`: a route that was tried.
#[derive(Serialize)]
struct Attempt {
    route: String,
    outcome: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undelivered {
    connections: u32,
    bytes: u64,
    at_least: bool,
}

impl<'a> From<&'a Helper> for HelperEntry<'a> {
    fn from(helper: &'a Helper) -> Self {
        Self {
            container: helper.container.as_deref(),
            asked: helper.asked.as_deref().map(|asked| asked.get(..MAX_ASKED).unwrap_or(asked)),
            ended_ms: helper.ended.map(milliseconds),
        }
    }
}

impl From<Loss> for Undelivered {
    fn from(loss: Loss) -> Self {
        Self { connections: loss.held.connections, bytes: loss.held.bytes, at_least: loss.at_least }
    }
}

/// The line of JSON if the agent did nothing.
#[derive(Serialize)]
struct RefusalLine<'a> {
    version: &'static str,
    proxy: ProxyOutcome,
    refused: &'a [Reason<'a>],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Reason<'a> {
    reason: &'a str,
}

// === impl Verdict ===

impl Verdict {
    /// Writes the verdict on `task` to stderr and to kubelet's file.
    pub fn publish(&self, task: &TaskEnd, options: &Options) {
        log::line(self.line(task, &options.warnings).trim_end());
        self.write_early(task, options);
    }

    /// What became of the proxy that this verdict has left running. How it was drained stays true, and so does what a limit has cut off: the
    /// table shows nothing of a proxy that has ended.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        let undelivered = if later.undelivered.held.is_idle() { self.undelivered } else { later.undelivered };
        Self {
            proxy: later.proxy,
            flush: later.flush,
            undelivered,
            limit: later.limit.or(self.limit),
            advice: later.advice.or(self.advice),
            ..self
        }
    }

    /// Writes the verdict to kubelet's file only, as far as it is known: the agent may be killed before it is complete.
    pub fn write_early(&self, task: &TaskEnd, options: &Options) {
        write_message(&self.line(task, &options.warnings), options);
    }

    /// The line of JSON, with its line end. Kubelet would truncate a longer one, which would then not be JSON: first the attempts are left
    /// out, then the warnings, which the log has, too.
    #[must_use]
    pub fn line(&self, task: &TaskEnd, warnings: &[String]) -> String {
        let fits = |line: &String| line.len() <= MAX_MESSAGE;
        let lines = [true, false].into_iter().map(|with_attempts| self.to_json(task, with_attempts, warnings));
        lines.into_iter().find(fits).unwrap_or_else(|| self.to_json(task, false, &[]))
    }

    fn to_json(&self, task: &TaskEnd, with_attempts: bool, warnings: &[String]) -> String {
        let (exit_code, signal) = task.exit_status();
        let ended = matches!(self.proxy, ProxyOutcome::Gone | ProxyOutcome::Left);
        let ms = |span: Duration| ended.then(|| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let routes = self.attempts.routes();
        let attempts = routes.map(|(route, outcome)| Attempt { route: route.to_string(), outcome: outcome.to_string() });
        to_line(&Line {
            version: drain::VERSION,
            container: task.container.as_deref(),
            exit_code,
            signal,
            exit_status: if task.exit == Exit::Unknown { "unknown" } else { "known" },
            action: self.action.name(),
            ended: &task.evidence,
            decided: &self.decided,
            proxy: self.proxy,
            route: self.attempts.success().map(|route| route.to_string()),
            rungs: with_attempts.then(|| attempts.collect()),
            drain_ms: self.drain.and_then(ms),
            telemetry_ms: self.telemetry.and_then(ms),
            flush_ms: ms(self.flush),
            undelivered: self.undelivered.into(),
            limit: self.limit,
            advice: self.advice.as_deref(),
            helpers: task.helpers.iter().take(MAX_HELPERS).map(HelperEntry::from).collect(),
            warnings,
        })
    }
}

/// Writes the verdict of an agent that does nothing, for `reasons`, to stderr and to kubelet's file.
pub fn refuse(reasons: &[String], options: &Options) {
    for reason in reasons {
        warn!("{reason}");
    }
    let line = refusal_line(reasons, &options.warnings);
    log::line(line.trim_end());
    write_message(&line, options);
}

/// The line of JSON, with its line end. What would make it too long for kubelet is on stderr only.
fn refusal_line(reasons: &[String], warnings: &[String]) -> String {
    let line = |refused: &[Reason<'_>], warnings: &[String]| {
        to_line(&RefusalLine { version: drain::VERSION, proxy: ProxyOutcome::Untouched, refused, warnings })
    };
    let mut fitting = Vec::new();
    for reason in reasons {
        fitting.push(Reason { reason });
        if line(&fitting, &[]).len() > MAX_MESSAGE {
            fitting.pop();
        }
    }
    let whole = line(&fitting, warnings);
    if whole.len() > MAX_MESSAGE { line(&fitting, &[]) } else { whole }
}

fn to_line(value: &impl Serialize) -> String {
    // A struct with string keys cannot fail to serialise.
    printable(&serde_json::to_string(value).unwrap_or_default()) + "\n"
}

/// Writes `line` to the file that `options` name, or to kubelet's own.
fn write_message(line: &str, options: &Options) {
    match (options.termination_log.as_deref(), options.verb) {
        // The agent runs in the main container, and the default file is for the message of the task.
        (None, Verb::Exec | Verb::Wait | Verb::Complete) => {}
        (path, _) => write_to(line, path),
    }
}

/// Writes `line` to `path`, or to kubelet's own file.
fn write_to(line: &str, path: Option<&Path>) {
    // Kubelet makes its file before the container starts. Without kubelet, the agent makes none in /dev.
    let (file, create) = path.map_or((Path::new(TERMINATION_LOG), false), |path| (path, true));
    let opened = OpenOptions::new().write(true).truncate(false).create(create).open(file);
    if let Err(error) = opened.and_then(|mut file| replace(&mut file, line)) {
        warn!("the verdict is not in {}: {error}", file.display());
    }
}

/// Replaces what is in `file` with `line` by one system call, because kubelet can kill the agent between two: there is always a whole
/// verdict. Spaces hide the rest of a longer one.
fn replace(file: &mut File, line: &str) -> io::Result<()> {
    let before = usize::try_from(file.metadata()?.len()).unwrap_or(0).min(MAX_MESSAGE);
    let mut text = line.as_bytes().to_vec();
    text.resize(line.len().max(before), b' ');
    file.write_all(&text)?;
    if text.len() > line.len() { file.set_len(line.len() as u64) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use drain::time::Instant;
    use pod::delivery::Held;

    use super::*;
    use crate::shutdown::attempts::{Failure, Outcome, Route};

    #[test]
    fn a_verdict_with_many_attempts_is_not_too_long_for_kubelet() {
        let task = TaskEnd::reported(Some("base"), Exit::Signal(9), Instant::default());
        let verdict = |routes, warnings: &[String]| {
            let mut attempts = Attempts::default();
            for port in 0..routes {
                let refused = Failure::Refused { status: 400, reason: "x".repeat(100) };
                attempts.record(Route::Filter(([127, 0, 0, 1], port).into()), Outcome::Failed(refused));
            }
            let (proxy, action) = (ProxyOutcome::Stays, Action::Quit);
            let (drain, flush) = (Some(Duration::from_secs(1)), Duration::ZERO);
            let (decided, undelivered) = ("a test".to_owned(), Loss { at_least: true, ..Loss::default() });
            let (limit, advice) = (Some(Limit::GracePeriod), None);
            Verdict { proxy, action, decided, attempts, drain, telemetry: None, flush, undelivered, limit, advice }
                .line(&task, warnings)
        };
        let (short, long) = (verdict(1, &["careful".to_owned()]), verdict(100, &["careful".to_owned()]));
        assert!(short.contains(r#""signal":9,"exitStatus":"known","#), "{short}");
        assert!(short.contains(r#""rungs":[{"route":"filter 127.0.0.1:0","outcome":"refused with 400: xxx"#), "{short}");
        assert!(short.contains(r#""drainMs":null,"telemetryMs":null,"lingerMs":null,"#), "the proxy has not ended: {short}");
        assert!(short.contains(r#""undelivered":{"connections":0,"bytes":0,"atLeast":true},"#), "{short}");
        assert!(
            short.ends_with("\"limit\":\"grace-period\",\"advice\":null,\"helpers\":[],\"warnings\":[\"careful\"]}\n"),
            "{short}"
        );
        assert!(long.contains(r#""rungs":null,"#) && long.contains("careful") && long.len() <= MAX_MESSAGE, "{long}");
        let warned = verdict(1, &vec!["x".repeat(100); 100]);
        assert!(warned.ends_with("\"warnings\":[]}\n") && warned.len() <= MAX_MESSAGE, "{warned}");
    }

    #[test]
    fn a_drain_stays_true_when_the_proxy_that_it_left_has_ended() {
        let verdict = |proxy, drain, bytes, limit| {
            let mut attempts = Attempts::default();
            if proxy == ProxyOutcome::Left {
                attempts.record(Route::Filter(([127, 0, 0, 1], 15190).into()), Outcome::Left);
            }
            let held = Held { connections: u32::from(bytes > 0), bytes, ..Held::default() };
            Verdict {
                proxy,
                action: Action::Drain,
                decided: format!("{proxy:?}"),
                attempts,
                drain,
                telemetry: None,
                flush: Duration::from_millis(u64::from(proxy == ProxyOutcome::Gone)),
                undelivered: Loss { held, at_least: bytes > 0 },
                limit,
                advice: None,
            }
        };
        let gone = |bytes| verdict(ProxyOutcome::Gone, None, bytes, None);
        for (left, lost_later, expected) in [(0, 0, 0), (5_000, 0, 5_000), (5_000, 3_000, 3_000), (0, 7, 7)] {
            let limit = (left > 0).then_some(Limit::GracePeriod);
            let all = verdict(ProxyOutcome::Left, Some(Duration::from_secs(1)), left, limit).followed_by(gone(lost_later));
            assert_eq!((all.proxy, all.drain, all.flush.as_millis()), (ProxyOutcome::Gone, Some(Duration::from_secs(1)), 1));
            assert_eq!((all.undelivered.held.bytes, all.limit), (expected, limit));
            assert!(all.attempts.success().is_some() && all.decided == "Left");
        }
    }

    #[test]
    fn a_shorter_verdict_replaces_a_longer_one() {
        let path = std::env::temp_dir().join(format!("exeunt-verdict-{}", std::process::id()));
        for line in ["{}\n", "{\"proxy\":\"draining\"}\n", "{\"a\":1}\n"] {
            write_to(line, Some(&path));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn reasons_that_do_not_fit_are_left_out() {
        let reasons = ["short".to_owned(), "\u{1}".repeat(1_000), "also short".to_owned()];
        let line = refusal_line(&reasons, &[]);
        assert!(
            line.ends_with(
                "\"proxy\":\"untouched\",\"refused\":[{\"reason\":\"short\"},{\"reason\":\"also short\"}],\"warnings\":[]}\n"
            ),
            "{line}"
        );
        let many = vec!["x".repeat(100); 100];
        let line = refusal_line(&many, &["careful".to_owned()]);
        assert!((3_900..=MAX_MESSAGE).contains(&line.len()), "{}", line.len());
    }
}
