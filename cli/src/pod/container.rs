//! One container of a pod: what its spec and its status say.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container as Spec, ContainerRestartRule, ContainerState, ContainerStateTerminated, ContainerStatus, EnvVar,
    EphemeralContainer, Pod,
};

/// How kubelet treats a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It must end before the next container starts.
    Init,
    /// A native sidecar: an init container with `restartPolicy: Always`. Kubelet ends it after the regular containers.
    Sidecar,
    /// The pod ends when all of these have ended.
    Regular,
    /// Added to a pod that runs.
    Ephemeral,
}

/// What a container does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been started, or waits to be started again.
    Waiting {
        /// The reason of kubelet, for example `ImagePullBackOff`. Empty if there is none.
        reason: String,
        /// What kubelet adds to it.
        message: String,
    },
    /// It runs.
    Running {
        /// Since then.
        since: Option<Timestamp>,
    },
    /// It has ended. Kubelet may start it again: see [`super::Ending`].
    Ended(End),
}

/// How an instance of a container has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The exit code: 128 plus its number if a signal has ended it.
    pub exit_code: i32,
    /// The reason of kubelet: `Completed`, `Error`, `OOMKilled`, …
    pub reason: String,
    /// The termination message, where the agent writes its verdict.
    pub message: String,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub at: Option<Timestamp>,
}

/// One container of a pod.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    /// Its name.
    pub name: &'a str,
    /// How kubelet treats it.
    pub kind: Kind,
    /// Its image.
    pub image: &'a str,
    /// Its command and its arguments, as one list.
    pub words: Vec<&'a str>,
    /// Its variables.
    pub env: &'a [EnvVar],
    /// Its own restart policy.
    pub restart_policy: Option<&'a str>,
    /// Its own restart rules.
    pub restart_rules: &'a [ContainerRestartRule],
    /// What it does now.
    pub state: State,
    /// How the instance before this one has ended.
    pub last: Option<End>,
    /// How often kubelet has started it again.
    pub restarts: i32,
}

// === impl Container ===

impl<'a> Container<'a> {
    /// All containers of a pod, in the order of their start.
    pub(super) fn all(pod: &'a Pod) -> Vec<Self> {
        let Some(spec) = &pod.spec else { return Vec::new() };
        let status = pod.status.as_ref();
        let of = |list: Option<&'a Vec<ContainerStatus>>| list.map(Vec::as_slice).unwrap_or_default();
        let init = of(status.and_then(|status| status.init_container_statuses.as_ref()));
        let regular = of(status.and_then(|status| status.container_statuses.as_ref()));
        let ephemeral = of(status.and_then(|status| status.ephemeral_container_statuses.as_ref()));
        let mut all = Vec::new();
        for container in spec.init_containers.iter().flatten() {
            let kind = if container.restart_policy.as_deref() == Some("Always") { Kind::Sidecar } else { Kind::Init };
            all.push(Self::new(container, kind, init));
        }
        all.extend(spec.containers.iter().map(|container| Self::new(container, Kind::Regular, regular)));
        all.extend(spec.ephemeral_containers.iter().flatten().map(|container| Self::ephemeral(container, ephemeral)));
        all
    }

    fn new(spec: &'a Spec, kind: Kind, statuses: &[ContainerStatus]) -> Self {
        let words = spec.command.iter().flatten().chain(spec.args.iter().flatten()).map(String::as_str).collect();
        Self {
            name: &spec.name,
            kind,
            image: spec.image.as_deref().unwrap_or_default(),
            words,
            env: spec.env.as_deref().unwrap_or_default(),
            restart_policy: spec.restart_policy.as_deref(),
            restart_rules: spec.restart_policy_rules.as_deref().unwrap_or_default(),
            ..Self::with_status(&spec.name, kind, statuses)
        }
    }

    fn ephemeral(spec: &'a EphemeralContainer, statuses: &[ContainerStatus]) -> Self {
        let words = spec.command.iter().flatten().chain(spec.args.iter().flatten()).map(String::as_str).collect();
        Self {
            image: spec.image.as_deref().unwrap_or_default(),
            words,
            env: spec.env.as_deref().unwrap_or_default(),
            ..Self::with_status(&spec.name, Kind::Ephemeral, statuses)
        }
    }

    fn with_status(name: &'a str, kind: Kind, statuses: &[ContainerStatus]) -> Self {
        let status = statuses.iter().find(|status| status.name == name);
        Self {
            name,
            kind,
            image: "",
            words: Vec::new(),
            env: &[],
            restart_policy: None,
            restart_rules: &[],
            state: State::of(status.and_then(|status| status.state.as_ref())),
            last: status.and_then(|status| status.last_state.as_ref()?.terminated.as_ref()).map(End::of),
            restarts: status.map_or(0, |status| status.restart_count),
        }
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// How it has ended, if it does not run and does not wait.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match &self.state {
            State::Ended(end) => Some(end),
            State::Waiting { .. } | State::Running { .. } => None,
        }
    }

    /// The value of a variable that is written into the spec.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&'a str> {
        self.env.iter().find(|variable| variable.name == name)?.value.as_deref()
    }
}

// === impl State ===

impl State {
    fn of(state: Option<&ContainerState>) -> Self {
        if let Some(end) = state.and_then(|state| state.terminated.as_ref()) {
            return Self::Ended(End::of(end));
        }
        if let Some(running) = state.and_then(|state| state.running.as_ref()) {
            return Self::Running { since: running.started_at.as_ref().map(|time| time.0) };
        }
        let waiting = state.and_then(|state| state.waiting.as_ref());
        Self::Waiting {
            reason: waiting.and_then(|waiting| waiting.reason.clone()).unwrap_or_default(),
            message: waiting.and_then(|waiting| waiting.message.clone()).unwrap_or_default(),
        }
    }
}

// === impl End ===

impl End {
    fn of(end: &ContainerStateTerminated) -> Self {
        Self {
            exit_code: end.exit_code,
            reason: end.reason.clone().unwrap_or_default(),
            message: end.message.clone().unwrap_or_default(),
            started: end.started_at.as_ref().map(|time| time.0),
            at: end.finished_at.as_ref().map(|time| time.0),
        }
    }
}
