//! All facts of a pod, read once.

use core::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::agent::{Agent, Placement};
use super::container::{Container, End, Kind, State};
use super::ending::{self, Ending};
use super::names;
use super::proxy::ProxyForm;
use super::standing::{SETTLING, Standing};
use super::verdict::Verdict;

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its end ends the task.
    Main,
    /// A regular container that is not the task, and that keeps the pod until it ends.
    Helper,
    /// The proxy.
    Proxy,
    /// The agent, in a container of its own.
    Agent,
    /// An init container, another native sidecar, or an ephemeral container: it does not keep the pod.
    Other,
}

/// All facts of a pod.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The pod itself, for what is not here.
    pub pod: &'a Pod,
    /// Its namespace; empty in a file without one.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid: with it alone one can be sure to mean the same pod.
    pub uid: &'a str,
    /// The form of its proxy.
    pub proxy: ProxyForm,
    /// Its agent.
    pub agent: Agent<'a>,
    /// Its restart policy.
    pub restart_policy: &'a str,
    /// Its containers, in the order of their start, each with its part.
    pub containers: Vec<(Container<'a>, Part)>,
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// The facts of `pod`.
    #[must_use]
    pub fn of(pod: &'a Pod) -> Self {
        let containers = Container::all(pod);
        let agent = Agent::of(&containers, pod.metadata.annotations.as_ref());
        let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
        let mut facts = Self {
            pod,
            namespace: text(&pod.metadata.namespace),
            name: text(&pod.metadata.name),
            uid: text(&pod.metadata.uid),
            proxy: ProxyForm::None,
            agent,
            restart_policy: pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always"),
            containers: Vec::new(),
        };
        facts.proxy = facts.form(&containers);
        let parts = containers.iter().map(|container| facts.part(container, &containers)).collect::<Vec<_>>();
        facts.containers = containers.into_iter().zip(parts).collect();
        facts
    }

    fn form(&self, containers: &[Container<'_>]) -> ProxyForm {
        match containers.iter().find(|container| container.name == names::PROXY).map(|container| container.kind) {
            Some(Kind::Regular) => ProxyForm::Classic,
            Some(Kind::Sidecar) => ProxyForm::Native,
            _ if self.annotation(names::AMBIENT) == Some("enabled") => ProxyForm::Ambient,
            _ => ProxyForm::None,
        }
    }

    fn part(&self, container: &Container<'_>, all: &[Container<'_>]) -> Part {
        if container.name == names::PROXY && matches!(container.kind, Kind::Regular | Kind::Sidecar) {
            return Part::Proxy;
        }
        if self.agent.container == Some(container.name) && self.agent.placement != Placement::Exec {
            return Part::Agent;
        }
        if container.kind != Kind::Regular {
            return Part::Other;
        }
        // Names that the pod does not have name nothing: then all count, as for the agent.
        let named = self.agent.option("container");
        let exists = |name: &str| all.iter().any(|other| other.kind == Kind::Regular && other.name == name);
        let is_main =
            if named.iter().any(|name| exists(name)) { named.contains(&container.name) } else { !self.is_helper(container.name) };
        if is_main { Part::Main } else { Part::Helper }
    }

    /// Whether it never ends by itself, or the agent was told that it is a helper.
    fn is_helper(&self, name: &str) -> bool {
        let before = |text: &'a str| text.split_once('=').map_or("", |(name, _)| name.trim());
        names::is_endless_helper(name)
            || self.agent.option("also-wait").contains(&name)
            || self.agent.option("quit-signal").into_iter().map(before).any(|given| given == name)
            || self.agent.option("quit-endpoint").into_iter().map(before).any(|given| given == name)
    }

    /// The value of an annotation of the pod.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&'a str> {
        self.pod.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// The value of a label of the pod.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&'a str> {
        self.pod.metadata.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`; empty if there is none.
    #[must_use]
    pub fn phase(&self) -> &'a str {
        self.pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
    }

    /// Whether the phase is `Succeeded` or `Failed`.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// When the deletion of the pod began.
    #[must_use]
    pub fn deleted(&self) -> Option<Timestamp> {
        self.pod.metadata.deletion_timestamp.as_ref().map(|time| time.0)
    }

    /// Whether the API server has it: then every webhook has seen it. Else it is a template.
    #[must_use]
    pub fn is_created(&self) -> bool {
        !self.uid.is_empty()
    }

    /// Whether the pod is to end: kubelet does not start everything again.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.restart_policy != "Always"
    }

    /// Who has made the pod: kind and name of its controller.
    #[must_use]
    pub fn owner(&self) -> Option<(&'a str, &'a str)> {
        let owners = self.pod.metadata.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
        Some((&owner.kind, &owner.name))
    }

    /// The container of that name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container<'a>> {
        self.containers.iter().map(|(container, _)| container).find(|container| container.name == name)
    }

    /// The containers with that part.
    pub fn with(&self, part: Part) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().filter(move |(_, own)| *own == part).map(|(container, _)| container)
    }

    /// The container of the proxy.
    #[must_use]
    pub fn proxy_container(&self) -> Option<&Container<'a>> {
        self.with(Part::Proxy).next()
    }

    /// The container of the agent, if it has one of its own.
    #[must_use]
    pub fn agent_container(&self) -> Option<&Container<'a>> {
        self.with(Part::Agent).next()
    }

    /// How far a container is from its end.
    #[must_use]
    pub fn ending(&self, container: &Container<'_>) -> Ending {
        let pod =
            ending::Pod { restart_policy: self.restart_policy, is_deleted: self.deleted().is_some(), is_over: self.is_over() };
        Ending::of(container, pod)
    }

    /// Whether the pod has main containers, and every one has ended for good.
    #[must_use]
    pub fn has_task_ended_for_good(&self) -> bool {
        let mut main = self.with(Part::Main).peekable();
        main.peek().is_some() && main.all(|container| self.ending(container).for_good().is_some())
    }

    /// When the last main container ended, if all have ended for good.
    #[must_use]
    pub fn task_ended(&self) -> Option<Timestamp> {
        let ends = self.with(Part::Main).map(|container| self.ending(container).for_good().and_then(|end| end.at));
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// What state the pod is in.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        Standing::of(self, self.settles(), now)
    }

    /// The same if its agent, which may run, cannot end the proxy.
    #[must_use]
    pub fn standing_without_agent(&self, now: Timestamp) -> Standing {
        Standing::of(self, self.settles_by(SETTLING), now)
    }

    /// When the pod counts as stuck, if it has not ended by then and all its main containers have ended for good: an agent that runs may
    /// still drain the proxy.
    #[must_use]
    pub fn settles(&self) -> Option<Timestamp> {
        let drains = self.agent_container().is_some_and(Container::is_running);
        self.settles_by(if drains { SETTLING.max(self.agent.limit()) } else { SETTLING })
    }

    fn settles_by(&self, time: Duration) -> Option<Timestamp> {
        self.task_ended().map(|ended| ended.checked_add(time).unwrap_or(Timestamp::MAX))
    }

    /// What the agent has written at its end, in its own container or in an ephemeral one.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict_with_author().map(|(_, _, verdict)| verdict)
    }

    /// The verdict, with the container that has written it, and with that instance's end.
    #[must_use]
    pub fn verdict_with_author(&self) -> Option<(&Container<'a>, &End, Verdict)> {
        let ephemeral = self.with(Part::Other).filter(|container| container.kind == Kind::Ephemeral);
        let wrapped = self.agent.container.and_then(|name| self.container(name));
        let latest_first = self.with(Part::Agent).chain(wrapped).chain(ephemeral).collect::<Vec<_>>().into_iter().rev();
        latest_first
            .flat_map(|container| container.end().into_iter().chain(container.last.as_ref()).map(move |end| (container, end)))
            .find_map(|(container, end)| Some((container, end, Verdict::read(&end.message)?)))
    }

    /// Whether the plugin selects the pod by its label.
    #[must_use]
    pub fn has_label(&self) -> bool {
        self.label(names::DRAIN_LABEL) == Some("on")
    }

    /// The port of the pod's signal listener, if its proxy has one.
    #[must_use]
    pub fn listener(&self) -> Option<&'a str> {
        self.proxy_container()?.variable(names::LISTENER_VARIABLE)
    }

    /// Whether the processes of the containers see each other.
    #[must_use]
    pub fn shares_processes(&self) -> bool {
        self.pod.spec.as_ref().and_then(|spec| spec.share_process_namespace) == Some(true)
    }

    /// Whether the pod has the processes of its node.
    #[must_use]
    pub fn has_host_processes(&self) -> bool {
        self.pod.spec.as_ref().and_then(|spec| spec.host_pid) == Some(true)
    }

    /// Whether the pod has the network of its node.
    #[must_use]
    pub fn has_host_network(&self) -> bool {
        self.pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true)
    }

    /// The regular containers that run, but for the proxy and the agent.
    pub fn still_running(&self) -> impl Iterator<Item = &Container<'a>> {
        let parts = [Part::Main, Part::Helper];
        let regular = self.containers.iter().filter(move |(_, part)| parts.contains(part)).map(|(container, _)| container);
        regular.filter(|container| matches!(container.state, State::Running { .. }))
    }
}
