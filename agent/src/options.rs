//! The command line and its twin, the environment. One table names every option; a flag outranks its variable, and a variable its
//! default.

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

use crate::istio::{self, Form};

mod read;
mod table;

use self::read::{Given, Instead};
pub(crate) use self::table::help;

/// A proxy has its configuration within seconds; one that has none after a minute will need help.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// Longer than the pull of a small image takes, and than the back-off after one that has failed once.
const LATE_START: Duration = Duration::from_mins(1);
/// What Kubernetes gives a pod that says nothing.
const GRACE_PERIOD: Duration = Duration::from_secs(30);

/// Signal addresses that may be given: each may take a second to be found dead.
const MAX_ADDRESSES: usize = 8;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Wait for the main container's end, then see the proxy out.
    Watch,
    /// Run the main container's command, then see the proxy out.
    Exec,
    /// Wait until the proxy can carry traffic.
    Wait,
    /// The main container has ended: see the proxy out.
    Complete,
}

/// When kubelet starts a main container again. `Always` is no batch pod's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Never,
    OnFailure,
}

/// What becomes of the command when the proxy is not ready in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// It is started all the same.
    GoOn,
    /// It is not started.
    Fail,
}

/// What is said on the stderr that is also the command's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Only what has gone wrong.
    Trouble,
    /// Every step, and the verdict.
    All,
}

/// How the agent's own container is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Among the containers: it must end, or the pod stays.
    Regular,
    /// As an init container with restartPolicy Always: it must not end before kubelet says so, or it is started again.
    Native,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// For a verb, or for all of them.
    Help(Option<Verb>),
    Version,
    /// To tell what would be done.
    Explain(Options),
    Run(Options),
}

/// The options, without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// What to do.
    pub(crate) verb: Verb,
    /// Only to tell what would be done.
    pub(crate) explain: bool,
    /// The command and its arguments; for `exec`, where it has at least one word.
    pub(crate) command: Vec<OsString>,
    /// The port of Envoy's health listener.
    pub(crate) ready_port: u16,
    /// How long to wait for its word.
    pub(crate) ready_timeout: Duration,
    /// What follows where it has not come.
    pub(crate) not_ready: NotReady,
    /// What is said beside the command.
    pub(crate) talk: Talk,
    /// The main containers' names; all of them must end.
    pub(crate) containers: Vec<String>,
    /// Its process, where it is not to be found by the container's name.
    pub(crate) pid: Option<i32>,
    /// After this a main container that was never seen may be taken as over, on evidence.
    pub(crate) late_start: Duration,
    /// Containers that the pod lists behind the main ones.
    pub(crate) behind: Vec<String>,
    /// How it has ended; for `complete`.
    pub(crate) exit_code: Option<u8>,
    /// Where the filter may listen, in the order in which it is tried.
    pub(crate) signal: Vec<SocketAddr>,
    /// The port of Envoy's admin interface.
    pub(crate) admin_port: u16,
    /// The port of pilot-agent's status server.
    pub(crate) status_port: u16,
    /// Envoy's process, on a shared host.
    pub(crate) proxy_pid: Option<i32>,
    /// How long to wait for delivery in all.
    pub(crate) drain_timeout: Duration,
    /// How long to wait without a byte moving.
    pub(crate) stall_timeout: Duration,
    /// What is to become of the proxy.
    pub(crate) action: Action,
    /// The proxy's form, from which the action follows; `None` where the action was given.
    pub(crate) form: Option<Form>,
    /// The pod's restart policy.
    pub(crate) restart_policy: RestartPolicy,
    /// How the agent's own container is placed in the pod.
    pub(crate) placement: Placement,
    /// What outlives the agent; an emptyDir.
    pub(crate) state_dir: Option<PathBuf>,
    /// The pod's `terminationGracePeriodSeconds`.
    pub(crate) grace_period: Duration,
    /// Where the verdict goes. `None`: kubelet's default, if kubelet has made it.
    pub(crate) termination_log: Option<PathBuf>,
}

/// Mistakes in the command line or the environment, and the verb they were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `watch` never holds up a pod, not even by an exit code.
    pub(crate) verb: Verb,
    /// All of them, at least one.
    pub(crate) mistakes: Vec<Mistake>,
    /// A native sidecar that ends is started again, to make the same mistakes.
    pub(crate) placement: Placement,
    /// Where they are to be told.
    pub(crate) termination_log: Option<PathBuf>,
    /// Whether only a plan was asked for, which is nobody's verdict.
    pub(crate) explain: bool,
}

// === impl Verb ===

impl Verb {
    const ALL: [Self; 4] = [Self::Watch, Self::Exec, Self::Wait, Self::Complete];

    pub(crate) const fn name(self) -> &'static str {
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

    pub(crate) const fn name(self) -> &'static str {
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

// === impl Talk ===

impl Talk {
    fn named(name: &str) -> Option<Self> {
        match name {
            "trouble" => Some(Self::Trouble),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

// === impl Placement ===

impl Placement {
    const ALL: [Self; 2] = [Self::Regular, Self::Native];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Native => "native",
        }
    }
}

// === impl Invocation ===

impl Invocation {
    /// Reads `arguments`, the program's name not among them, and what `variable` says of the environment.
    pub(crate) fn parse(
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
        let mistakes = given.into_mistakes();
        match (mistakes.is_empty(), options.explain) {
            (true, true) => Ok(Self::Explain(options)),
            (true, false) => Ok(Self::Run(options)),
            (false, explain) => {
                let Options { placement, termination_log, .. } = options;
                Err(Refusal { verb, mistakes, placement, termination_log, explain })
            }
        }
    }
}

// === impl Options ===

impl Options {
    /// The main container that is meant where there is but one.
    pub(crate) fn container(&self) -> &str {
        self.containers.first().map_or("", String::as_str)
    }

    /// How the action was decided, as a clause.
    pub(crate) fn decided(&self) -> &'static str {
        self.form.map_or("action was given", Form::decided)
    }

    /// Where a mistake was made the default stands, and is never used.
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
        if containers.is_empty() {
            containers.push("base".to_owned());
        }
        let behind = given.all("behind", "the name of a container", label);
        let action = given.one("action", "\"quit\" or \"drain\"", action);
        let status = given.one("istio-status", "a text", |text| Some(text.to_owned()));
        let form = status.map_or(Form::Unknown, |status| Form::of_status(&status));
        let policy = |text: &str| RestartPolicy::ALL.into_iter().find(|policy| policy.name() == text);
        let placement = |text: &str| Placement::ALL.into_iter().find(|placement| placement.name() == text);
        Self {
            verb,
            explain: given.one("explain", "true or false", |text| text.parse().ok()).unwrap_or(false),
            command: given.take_command(),
            ready_port: given.one("ready-port", "a port from 1 to 65535", port).unwrap_or(ports::HEALTH),
            ready_timeout: given.one("ready-timeout", &limits, limit).unwrap_or(READY_TIMEOUT),
            not_ready: given.one("not-ready", "\"go-on\" or \"fail\"", NotReady::named).unwrap_or(NotReady::GoOn),
            talk: given.one("log", "\"trouble\" or \"all\"", Talk::named).unwrap_or(Talk::Trouble),
            containers,
            pid: given.one("pid", "the id of a process", pid),
            late_start: given.one("late-start", &limits, limit).unwrap_or(LATE_START),
            behind,
            exit_code: given.one("exit-code", "a whole number from 0 to 255", |text| text.parse().ok()),
            signal: addresses.into_iter().map(|address| SocketAddr::new(address, signal_port)).collect(),
            admin_port: given.one("admin-port", "a port from 1 to 65535", port).unwrap_or(ports::ADMIN),
            status_port: given.one("status-port", "a port from 1 to 65535", port).unwrap_or(ports::STATUS),
            proxy_pid: given.one("proxy-pid", "the id of a process", pid),
            drain_timeout: given.one("drain-timeout", &limits, limit).unwrap_or(Limits::DRAIN_TIMEOUT),
            stall_timeout: given.one("stall-timeout", &limits, limit).unwrap_or(Limits::STALL_TIMEOUT),
            action: action.unwrap_or(form.action()),
            form: if action.is_some() { None } else { Some(form) },
            restart_policy: given.one("restart-policy", "Never or OnFailure", policy).unwrap_or(RestartPolicy::Never),
            placement: given.one("placement", "regular or native", placement).unwrap_or(Placement::Regular),
            state_dir: given.one("state-dir", "a path", |text| Some(PathBuf::from(text))),
            grace_period: given.one("grace-period", &limits, limit).unwrap_or(GRACE_PERIOD),
            termination_log: given.one("termination-log", "a path", |text| Some(PathBuf::from(text))),
        }
    }
}

/// A main container's name: none that Istio and Airflow give their helpers, which end after the task or never.
fn container(text: &str) -> Option<String> {
    const HELPERS: [&str; 4] = [istio::PROXY, "istio-init", "istio-validation", "airflow-xcom-sidecar"];
    label(text).filter(|name| !HELPERS.contains(&name.as_str()))
}

/// An RFC 1123 label, as the API server demands of a container's name.
fn label(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=63).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
