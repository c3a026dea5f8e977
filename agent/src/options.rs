//! The command line and the environment. One table has every option. A flag takes precedence over its variable, and a variable over
//! the default.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use drain::config::{SIGNAL_ADDRESSES, SIGNAL_PORT};
use drain::duration;
use drain::fields::Mistake;
use drain::limits::Limits;
use drain::wire::Action;
use pod::ports;

pub mod form;
mod read;
mod table;

pub use self::form::{Form, KnownForm, Origin, PROXY};
use self::read::{Given, Instead};
pub use self::table::help;

/// A proxy has its configuration within seconds. If it has none after a minute, it needs help.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// Longer than the pull of a small image, and than the back-off after one failed pull.
const LATE_START: Duration = Duration::from_mins(1);
/// The default of Kubernetes.
const GRACE_PERIOD: Duration = Duration::from_secs(30);

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

/// The restart policy of the pod: when kubelet restarts a main container. A batch pod never has `Always`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never.
    Never,
    /// When it has failed.
    OnFailure,
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

/// The options, once they have no mistakes.
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
    /// The names of the main containers. The task ends when all have ended. `watch` has at least one.
    pub containers: Vec<String>,
    /// The process of the main container, where its name does not lead to it.
    pub pid: Option<i32>,
    /// After this time, a main container that was never seen can count as ended, on evidence.
    pub late_start: Duration,
    /// Containers that the pod lists after the main containers.
    pub listed_after: Vec<String>,
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
    /// What to do with the proxy, if that was given.
    pub given_action: Option<Action>,
    /// The form of the proxy, which decides the action otherwise.
    pub form: KnownForm,
    /// The restart policy of the pod.
    pub restart_policy: RestartPolicy,
    /// How the container of the agent stands in the pod, if that is known.
    pub placement: Option<Placement>,
    /// A folder that outlives the agent: an emptyDir.
    pub state_dir: Option<PathBuf>,
    /// The pod's `terminationGracePeriodSeconds`.
    pub grace_period: Duration,
    /// The file for the verdict. `None`: kubelet's default file, if kubelet has made it.
    pub termination_log: Option<PathBuf>,
}

/// A command line or an environment with mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The verb: `watch` never keeps a pod, not even by an exit code.
    pub verb: Verb,
    /// All mistakes, at least one.
    pub mistakes: Vec<Mistake>,
    /// The options without mistakes. Kubelet would restart a native sidecar that ends, which would then make the same mistakes.
    pub options: Box<Options>,
    /// Whether only an explanation was asked for, which has no verdict.
    pub explain: bool,
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
}

// === impl RestartPolicy ===

impl RestartPolicy {
    const ALL: [Self; 2] = [Self::Never, Self::OnFailure];

    /// Its name in Kubernetes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::OnFailure => "OnFailure",
        }
    }
}

// === impl NotReady ===

impl NotReady {
    fn named(name: &str) -> Option<Self> {
        match name {
            "go-on" => Some(Self::GoOn),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

// === impl LogLevel ===

impl LogLevel {
    fn named(name: &str) -> Option<Self> {
        match name {
            "trouble" => Some(Self::Trouble),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            _ => None,
        }
    }

    /// What a verb writes by default. The stderr of `exec` is also that of the command.
    const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Exec => Self::Trouble,
            Verb::Watch | Verb::Wait | Verb::Complete => Self::Info,
        }
    }
}

// === impl Placement ===

impl Placement {
    fn named(name: &str) -> Option<Self> {
        match name {
            "regular" => Some(Self::Regular),
            "native" => Some(Self::Native),
            _ => None,
        }
    }
}

// === impl Invocation ===

impl Invocation {
    /// Reads `arguments`, without the name of the program, and the environment through `variable`.
    ///
    /// # Errors
    /// All mistakes.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Refusal> {
        let mut given = Given::default();
        match given.read_arguments(arguments) {
            Some(Instead::Help) => return Ok(Self::Help(given.verb_given())),
            Some(Instead::Version) => return Ok(Self::Version),
            None => given.read_environment(variable),
        }
        let verb = given.verb();
        let options = Options::read(verb, &mut given);
        let explain = given.one("explain", "true or false", |text| text.parse().ok()).unwrap_or(false);
        let mistakes = given.into_mistakes();
        match (mistakes.is_empty(), explain) {
            (true, true) => Ok(Self::Explain(options)),
            (true, false) => Ok(Self::Run(options)),
            (false, explain) => Err(Refusal { verb, mistakes, options: Box::new(options), explain }),
        }
    }
}

// === impl Options ===

impl Options {
    /// The first main container, if one is known.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        self.containers.first().map(String::as_str)
    }

    /// What to do with the proxy.
    #[must_use]
    pub fn action(&self) -> Action {
        self.given_action.unwrap_or(self.form.action())
    }

    /// The reason for the action, as a clause of the verdict.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.given_action.is_some() { "--action was given".to_owned() } else { self.form.reason() }
    }

    /// Whether the agent is a native sidecar, as far as is known.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.placement == Some(Placement::Native)
    }

    /// Reads all options. In place of a mistake stands the default, which is never used.
    fn read(verb: Verb, given: &mut Given) -> Self {
        let pid = |text: &str| text.parse().ok().filter(|pid| *pid > 0);
        let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
        let limit = |text: &str| duration::parse(text).ok().filter(|length| Limits::TIMEOUTS.contains(length));
        let (shortest, longest) = (duration::display(*Limits::TIMEOUTS.start()), duration::display(*Limits::TIMEOUTS.end()));
        let limits = format!("a duration with a unit, from \"{shortest}\" to \"{longest}\"");
        let action = |text: &str| [Action::Quit, Action::Drain].into_iter().find(|action| action.name() == text);
        let signal_port = given.one("signal-port", "a port from 1 to 65535", port).unwrap_or(SIGNAL_PORT);
        let mut addresses = given.all("signal-address", "an IP address", |text| text.parse::<IpAddr>().ok());
        if addresses.len() > MAX_ADDRESSES {
            given.refuse("signal-address", &format!("must be given at most {MAX_ADDRESSES} times"));
        }
        if addresses.is_empty() {
            addresses = SIGNAL_ADDRESSES.to_vec();
        }
        let mut containers = given.all("container", "the name of a container that may end a task", container);
        containers.dedup();
        if containers.is_empty() && verb == Verb::Watch {
            containers.push("base".to_owned());
        }
        let listed_after = given.all("behind", "the name of a container", label);
        let form = |text: &str| match text {
            "native" => Some(Form::Native),
            "classic" => Some(Form::Classic),
            _ => None,
        };
        let by_option = given.one("proxy", "native or classic", form).unwrap_or(Form::Unknown);
        let by_status = given.one("istio-status", "a text", |text| Some(Form::of_status(text))).unwrap_or(Form::Unknown);
        let policy = |text: &str| RestartPolicy::ALL.into_iter().find(|policy| policy.name() == text);
        Self {
            verb,
            command: given.take_command(),
            ready_port: given.one("ready-port", "a port from 1 to 65535", port).unwrap_or(ports::HEALTH),
            ready_timeout: given.one("ready-timeout", &limits, limit).unwrap_or(READY_TIMEOUT),
            not_ready: given.one("not-ready", "\"go-on\" or \"fail\"", NotReady::named).unwrap_or(NotReady::GoOn),
            log: given.one("log", "\"trouble\", \"info\" or \"debug\"", LogLevel::named).unwrap_or(LogLevel::of(verb)),
            containers,
            pid: given.one("pid", "the id of a process", pid),
            late_start: given.one("late-start", &limits, limit).unwrap_or(LATE_START),
            listed_after,
            exit_code: given.one("exit-code", "a whole number from 0 to 255", |text| text.parse().ok()),
            signal: addresses.into_iter().map(|address| SocketAddr::new(address, signal_port)).collect(),
            admin_port: given.one("admin-port", "a port from 1 to 65535", port).unwrap_or(ports::ADMIN),
            status_port: given.one("status-port", "a port from 1 to 65535", port).unwrap_or(ports::STATUS),
            proxy_pid: given.one("proxy-pid", "the id of a process", pid),
            drain_timeout: given.one("drain-timeout", &limits, limit),
            stall_timeout: given.one("stall-timeout", &limits, limit),
            given_action: given.one("action", "\"quit\" or \"drain\"", action),
            form: KnownForm { form: by_option, by: Origin::Option }
                .or(KnownForm { form: by_status, by: Origin::Status })
                .or(KnownForm::UNKNOWN),
            restart_policy: given.one("restart-policy", "Never or OnFailure", policy).unwrap_or(RestartPolicy::Never),
            placement: given.one("placement", "regular or native", Placement::named),
            state_dir: given.one("state-dir", "a path", |text| Some(PathBuf::from(text))),
            grace_period: given.one("grace-period", &limits, limit).unwrap_or(GRACE_PERIOD),
            termination_log: given.one("termination-log", "a path", |text| Some(PathBuf::from(text))),
        }
    }
}

/// The name of a main container. Helpers of Istio and Airflow are not allowed: they end after the task or never.
fn container(text: &str) -> Option<String> {
    const HELPERS: [&str; 4] = [PROXY, "istio-init", "istio-validation", "airflow-xcom-sidecar"];
    label(text).filter(|name| !HELPERS.contains(&name.as_str()))
}

/// An RFC 1123 label, as the API server requires for the name of a container.
fn label(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=63).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
