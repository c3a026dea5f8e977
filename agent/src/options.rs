//! The command line and the environment. One table has every option. A flag takes precedence over its variable, and a variable over
//! the default.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use drain::config::{SIGNAL_ADDRESSES, SIGNAL_PORT};
use drain::duration;
use drain::limits::Limits;
use drain::time::Instant;
use drain::wire::Action;
use pod::ports;

pub mod form;
pub mod helpers;
pub mod main_containers;
mod mistake;
mod read;
pub mod restarts;
mod table;

pub use self::form::{Form, KnownForm, Origin, PROXY};
use self::helpers::Helpers;
use self::main_containers::can_be_main;
pub use self::mistake::Mistake;
use self::mistake::Reading;
use self::read::{Given, Instead};
pub use self::restarts::{RestartPolicy, Restarts};
pub use self::table::help;

/// A proxy has its configuration within seconds. If it has none after a minute, it needs help.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// Longer than the pull of a small image, and than the back-off after one failed pull.
const LATE_START: Duration = Duration::from_mins(1);
/// Kubelet looks every second which containers have ended, and every ten seconds whether one can be started that could not.
const RESTART_WAIT: Duration = Duration::from_secs(10);
/// The default of Kubernetes.
const GRACE_PERIOD: Duration = Duration::from_secs(30);
/// A second longer than the longest of Envoy's own intervals.
const TELEMETRY_TIMEOUT: Duration = Duration::from_secs(6);
/// Zero: never wait.
const TELEMETRY_TIMEOUTS: RangeInclusive<Duration> = Duration::ZERO..=*Limits::TIMEOUTS.end();
/// A pod may have none at all.
const GRACE_PERIODS: RangeInclusive<Duration> = Duration::ZERO..=*Limits::TIMEOUTS.end();

/// What sends its last data after the task does so within seconds. A helper must not keep the pod for longer.
const HELPER_TIMEOUT: Duration = Duration::from_mins(1);

/// The most signal addresses: each can cost a second if nothing answers there.
const MAX_ADDRESSES: usize = 8;

/// The verb of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Wait for the end of the main containers, then shut the proxy down.
    Watch,
    /// Run the command of the main container, then shut the proxy down.
    Exec,
    /// Wait until the proxy can carry traffic.
    Wait,
    /// The main container has ended: shut the proxy down.
    Complete,
}

/// What `exec` does if the proxy is not ready in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It starts the command anyway.
    GoOn,
    /// It does not start the command.
    Fail,
}

/// What the agent writes to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what has failed.
    Trouble,
    /// Every step, and the verdict.
    Info,
    /// Also every reading that is reported.
    Debug,
}

/// How the container of the agent stands in the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// A regular container: it must end, or the pod stays.
    Regular,
    /// A native sidecar, that is an init container with restartPolicy Always: kubelet restarts it if it ends before it is told to.
    Native,
}

/// What the agent knows of the spans and metrics of this Envoy. Like the names of the containers it is not given, but asked of Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// From when on Envoy sends each span at once. Spans from before that can still wait for the next flush by the clock.
    pub at_once_from: Instant,
    /// Whether the bootstrap of Envoy names a tracer.
    pub has_bootstrap_tracer: bool,
    /// When Envoy had no loggers and tracers that buffer. `None`: it had some, or did not say.
    pub had_no_buffers: Option<Instant>,
    /// Whether Envoy buffers metrics that it does not send at its end: it sends them to a statsd server, and kubelet kills it.
    pub buffers_metrics: bool,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// The help text of a verb, or of all.
    Help(Option<Verb>),
    /// The version.
    Version,
    /// What the agent would do.
    Explain(Options),
    /// To do it.
    Run(Options),
}

/// The options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The verb.
    pub verb: Verb,
    /// `exec`: the command and its arguments, at least one word.
    pub command: Vec<OsString>,
    /// The port of Envoy's health listener.
    pub ready_port: u16,
    /// How long to wait until the proxy is ready.
    pub ready_timeout: Duration,
    /// What to do if it is not ready by then.
    pub not_ready: NotReady,
    /// What to write to stderr.
    pub log: LogLevel,
    /// The names of the main containers, if they were given. The task ends when all have ended.
    pub containers: Vec<String>,
    /// The names of the pod's regular containers, if Envoy has told them.
    pub regular: Vec<String>,
    /// The process of the main container, where its name does not lead to it.
    pub pid: Option<i32>,
    /// After this time, a main container that was never seen can count as ended, on evidence.
    pub late_start: Duration,
    /// `complete`: the exit code of the main container.
    pub exit_code: Option<u8>,
    /// Where the filter may listen, in the order of trial.
    pub signal: Vec<SocketAddr>,
    /// The port of Envoy's admin interface.
    pub admin_port: u16,
    /// The port of pilot-agent's status server.
    pub status_port: u16,
    /// Envoy's process, on a shared host.
    pub proxy_pid: Option<i32>,
    /// How long to wait for delivery in all, if that was given. Otherwise the filter has a limit, or the default counts.
    pub drain_timeout: Option<Duration>,
    /// How long to wait while no byte moves, in the same way.
    pub stall_timeout: Option<Duration>,
    /// How long to wait for what Envoy buffers of access logs, spans and metrics, once all data is delivered. Zero: not at all.
    pub telemetry_timeout: Duration,
    /// What the agent knows of Envoy's spans, since it has asked.
    pub spans: Option<Spans>,
    /// What to do with the proxy, if that was given.
    pub given_action: Option<Action>,
    /// The form of the proxy, which decides the action otherwise.
    pub form: KnownForm,
    /// When kubelet starts a container again.
    pub restarts: Restarts,
    /// How the container of the agent stands in the pod, if that is known.
    pub placement: Option<Placement>,
    /// A folder that outlives the agent: an emptyDir.
    pub state_dir: Option<PathBuf>,
    /// The pod's `terminationGracePeriodSeconds`.
    pub grace_period: Duration,
    /// The file for the verdict. `None`: kubelet's default file, if kubelet has made it.
    pub termination_log: Option<PathBuf>,
    /// `complete`: whether to end the proxy even if other main containers may need it.
    pub force: bool,
    /// The helpers of the task.
    pub helpers: Helpers,
    /// The mistakes in what was given, each with what stands in its place.
    pub warnings: Vec<String>,
}

// === impl Verb ===

impl Verb {
    const ALL: [Self; 4] = [Self::Watch, Self::Exec, Self::Wait, Self::Complete];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Exec => "exec",
            Self::Wait => "wait",
            Self::Complete => "complete",
        }
    }

    /// Whether a mistake in its options is refused. Somebody waits for the answer of `wait` and `complete` and can correct it. The others
    /// are in the pod template: there a mistake must cost neither the task nor the end of the pod.
    const fn refuses_mistakes(self) -> bool {
        matches!(self, Self::Wait | Self::Complete)
    }
}

// === impl LogLevel ===

impl LogLevel {
    /// What a verb writes by default. The stderr of `exec` is also that of the command.
    const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Exec => Self::Trouble,
            Verb::Watch | Verb::Wait | Verb::Complete => Self::Info,
        }
    }
}

// === impl Invocation ===

impl Invocation {
    /// Reads `arguments`, without the name of the program, and the environment through `variable`.
    ///
    /// # Errors
    /// All mistakes, if the verb refuses them.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut given = Given::default();
        match given.read_arguments(arguments) {
            Some(Instead::Help) => return Ok(Self::Help(given.verb_given())),
            Some(Instead::Version) => return Ok(Self::Version),
            None => given.read_environment(variable),
        }
        let verb = given.verb();
        let mut options = Options::read(verb, &mut given);
        let explain = given.one("explain", "true or false", |text| text.parse().ok()).unwrap_or(false);
        let mistakes = given.into_mistakes();
        if verb.refuses_mistakes() && !mistakes.is_empty() {
            return Err(mistakes);
        }
        options.warnings = mistakes.iter().map(Mistake::warning).collect();
        Ok(if explain { Self::Explain(options) } else { Self::Run(options) })
    }
}

// === impl Options ===

impl Options {
    /// The first main container, if one is known.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        self.containers.first().map(String::as_str)
    }

    /// What to do with the proxy. A native one is never ended, whatever was given: kubelet would start it again.
    #[must_use]
    pub fn action(&self) -> Action {
        match self.form.action() {
            Action::Drain => Action::Drain,
            Action::Quit => self.given_action.unwrap_or(Action::Quit),
        }
    }

    /// The reason for the action, as a clause of the verdict.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.given_action {
            Some(given) if given == self.action() => "--action was given".to_owned(),
            Some(given) => format!("{}; --action {} is not for it", self.form.reason(), given.name()),
            None => self.form.reason(),
        }
    }

    /// The main containers among `regular`, the regular containers of the pod. `own` is the agent's.
    #[must_use]
    pub fn main_containers(&self, regular: &[String], own: Option<&str>) -> Vec<String> {
        regular.iter().filter(|name| self.can_be_main(name) && Some(name.as_str()) != own).cloned().collect()
    }

    /// Whether the end of the container `name` can be the end of the task.
    #[must_use]
    pub fn can_be_main(&self, name: &str) -> bool {
        can_be_main(name) && !self.helpers.has(name)
    }

    /// Whether the agent is a native sidecar, as far as is known.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.placement == Some(Placement::Native)
    }

    /// Reads all options. In place of a mistake stands the nearest that is allowed, or the default.
    fn read(verb: Verb, given: &mut Given) -> Self {
        let pid = |text: &str| text.parse().ok().filter(|pid| *pid > 0);
        let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
        let limit = |text: &str| length(text, Limits::TIMEOUTS);
        let limits = lengths(&Limits::TIMEOUTS);
        let action = |text: &str| choice(text, [("quit", Action::Quit), ("drain", Action::Drain)]);
        let signal_port = given.one("signal-port", "a port from 1 to 65535", port).unwrap_or(SIGNAL_PORT);
        let mut addresses = given.all("signal-address", "an IP address", |text| text.parse::<IpAddr>().ok());
        if addresses.len() > MAX_ADDRESSES {
            let instead = format!("the first {MAX_ADDRESSES} are used");
            given.refuse("signal-address", &format!("must be given at most {MAX_ADDRESSES} times"), &instead);
            addresses.truncate(MAX_ADDRESSES);
        }
        if addresses.is_empty() {
            addresses = SIGNAL_ADDRESSES.to_vec();
        }
        let mut containers = given.all("container", "the name of a container that may end a task", container);
        containers.dedup();
        let form = |text: &str| choice(text, [("native", Form::Native), ("classic", Form::Classic)]);
        let by_option = given.one("proxy", "native or classic", form).unwrap_or(Form::Unknown);
        let by_status = given.one("istio-status", "a text", |text| Some(Form::of_status(text))).unwrap_or(Form::Unknown);
        let not_ready = |text: &str| choice(text, [("go-on", NotReady::GoOn), ("fail", NotReady::Fail)]);
        let level =
            |text: &str| choice(text, [("trouble", LogLevel::Trouble), ("info", LogLevel::Info), ("debug", LogLevel::Debug)]);
        let placement = |text: &str| choice(text, [("regular", Placement::Regular), ("native", Placement::Native)]);
        let policies = given
            .all("restart-policy", "auto, Never, OnFailure or NAME=Never|OnFailure|Always", |text| restarts::policy(text, label));
        let (pid, proxy_pid) = (given.one("pid", "the id of a process", pid), given.one("proxy-pid", "the id of a process", pid));
        let admin_port = given.one("admin-port", "a port from 1 to 65535", port).unwrap_or(ports::ADMIN);
        let status_port = given.one("status-port", "a port from 1 to 65535", port).unwrap_or(ports::STATUS);
        let helpers = Helpers {
            // Such a request would end Envoy before it is drained, and a native one, too.
            endpoints: given.all("quit-endpoint", helpers::ENDPOINT, |text| {
                helpers::endpoint(text, helper).filter(|endpoint| ![admin_port, status_port].contains(&endpoint.at.port()))
            }),
            signals: given.all("quit-signal", helpers::SIGNAL, |text| helpers::signal(text, helper)),
            also_wait: given.all("also-wait", "the name of a container, not of the proxy", helper),
            timeout: given
                .one("helper-timeout", &lengths(&GRACE_PERIODS), |text| length(text, GRACE_PERIODS))
                .unwrap_or(HELPER_TIMEOUT),
        };
        // Who adds the agent to a pod names all of its containers. The pod's own word on its helpers counts more.
        containers.retain(|name| !helpers.has(name));
        let restarts = Restarts {
            pod: match policies.iter().rev().find(|(name, _)| name.is_none()) {
                Some((_, policy)) => *policy,
                // A process that was given is the whole task: another one has another id.
                None => pid.map(|_| RestartPolicy::Never),
            },
            policies: policies.iter().filter_map(|(name, policy)| name.clone().zip(*policy)).collect(),
            rules: given
                .all("restart-rules", "NAME=JSON, with the container's restartPolicyRules", |text| restarts::rules(text, label)),
            wait: given.one("restart-wait", &limits, limit).unwrap_or(RESTART_WAIT),
        };
        Self {
            verb,
            command: given.take_command(),
            ready_port: given.one("ready-port", "a port from 1 to 65535", port).unwrap_or(ports::HEALTH),
            ready_timeout: given.one("ready-timeout", &limits, limit).unwrap_or(READY_TIMEOUT),
            not_ready: given.one("not-ready", "\"go-on\" or \"fail\"", not_ready).unwrap_or(NotReady::GoOn),
            log: given.one("log", "\"trouble\", \"info\" or \"debug\"", level).unwrap_or(LogLevel::of(verb)),
            containers,
            regular: Vec::new(),
            pid,
            late_start: given.one("late-start", &limits, limit).unwrap_or(LATE_START),
            exit_code: given.one("exit-code", "a whole number from 0 to 255", |text| text.parse().ok()),
            signal: addresses.into_iter().map(|address| SocketAddr::new(address, signal_port)).collect(),
            admin_port,
            status_port,
            proxy_pid,
            drain_timeout: given.one("drain-timeout", &limits, limit),
            stall_timeout: given.one("stall-timeout", &limits, limit),
            telemetry_timeout: given
                .one("telemetry-timeout", &lengths(&TELEMETRY_TIMEOUTS), |text| length(text, TELEMETRY_TIMEOUTS))
                .unwrap_or(TELEMETRY_TIMEOUT),
            spans: None,
            given_action: given.one("action", "\"quit\" or \"drain\"", action),
            form: KnownForm { form: by_option, by: Origin::Option }
                .or(KnownForm { form: by_status, by: Origin::Status })
                .or(KnownForm::UNKNOWN),
            restarts,
            placement: given.one("placement", "regular or native", placement),
            state_dir: given.one("state-dir", "a path", |text| Some(PathBuf::from(text))),
            grace_period: given
                .one("grace-period", &lengths(&GRACE_PERIODS), |text| length(text, GRACE_PERIODS))
                .unwrap_or(GRACE_PERIOD),
            termination_log: given.one("termination-log", "a path", |text| Some(PathBuf::from(text))),
            force: given.one("force", "true or false", |text| text.parse().ok()).unwrap_or(false),
            helpers,
            warnings: Vec::new(),
        }
    }
}

/// A duration, or a number of seconds, as `terminationGracePeriodSeconds` has it. The nearest to one that is too short could cut data off, so
/// nothing is near to it.
fn length(text: &str, allowed: RangeInclusive<Duration>) -> Reading<Duration> {
    let Ok(length) = duration::parse(text).or_else(|_| duration::parse(&format!("{}s", text.trim()))) else {
        return Reading::NotAllowed;
    };
    let (shortest, longest) = allowed.into_inner();
    if length < shortest {
        Reading::NotAllowed
    } else if length > longest {
        Reading::Nearest(longest, duration::display(longest))
    } else {
        Reading::Allowed(length)
    }
}

/// The durations in `range`, as a clause of a mistake.
fn lengths(range: &RangeInclusive<Duration>) -> String {
    let [shortest, longest] = [range.start(), range.end()].map(|length| duration::display(*length));
    format!("a duration or a number of seconds, from \"{shortest}\" to \"{longest}\"")
}

/// The one of `choices` that `text` names.
fn choice<T: Copy>(text: &str, choices: impl IntoIterator<Item = (&'static str, T)>) -> Reading<T> {
    let found = choices.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map_or(Reading::NotAllowed, |(name, value)| {
        if name == text { Reading::Allowed(value) } else { Reading::Nearest(value, name.to_owned()) }
    })
}

/// The name of a main container. Known helpers are not allowed: they end before the task, after it, or never.
fn container(text: &str) -> Option<String> {
    label(text).filter(|name| can_be_main(name))
}

/// The name of a helper. The proxy is none: it would end before it is drained.
fn helper(text: &str) -> Option<String> {
    label(text).filter(|name| name != PROXY)
}

/// An RFC 1123 label, as the API server requires for the name of a container.
fn label(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=63).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
