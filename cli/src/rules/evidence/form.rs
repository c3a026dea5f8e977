//! How a pod is made: where its agent and its proxy stand, and what of the node and of the mesh it has.

use super::Case;
use crate::pod::{Part, Placement, ProxyForm, names};

pub(super) fn agent_stripped(case: &Case<'_>) -> Option<String> {
    let agent = case.facts.agent_container()?;
    (case.facts.agent.placement == Placement::Stripped)
        .then(|| format!("{} is in initContainers without restartPolicy", agent.name))
}

pub(super) fn host_network(case: &Case<'_>) -> Option<String> {
    let concerns = case.facts.agent.is_there() && case.facts.proxy == ProxyForm::None;
    (concerns && case.facts.has_host_network()).then(|| "spec.hostNetwork is true, and the pod has no istio-proxy".to_owned())
}

pub(super) fn ambient(case: &Case<'_>) -> Option<String> {
    (case.facts.proxy == ProxyForm::Ambient).then(|| format!("the annotation {} is enabled", names::AMBIENT))
}

pub(super) fn no_shared_processes(case: &Case<'_>) -> Option<String> {
    let sees_only_itself =
        matches!(case.facts.agent.placement, Placement::Native | Placement::Regular) && !case.facts.shares_processes();
    let sees_only_itself = sees_only_itself && !case.facts.has_host_processes();
    (case.facts.proxy == ProxyForm::Classic && sees_only_itself && !case.facts.is_over() && case.facts.deleted().is_none())
        .then(|| "istio-proxy is a regular container, and spec.shareProcessNamespace is not true".to_owned())
}

pub(super) fn status_port_zero(case: &Case<'_>) -> Option<String> {
    let is_zero = case.facts.proxy == ProxyForm::Classic && case.facts.annotation(names::STATUS_PORT) == Some("0");
    (is_zero && !case.facts.is_over()).then(|| format!("the annotation {} is \"0\"", names::STATUS_PORT))
}

pub(super) fn interception_off(case: &Case<'_>) -> Option<String> {
    let concerns = matches!(case.facts.proxy, ProxyForm::Classic | ProxyForm::Native);
    (concerns && case.facts.annotation(names::INTERCEPTION) == Some("NONE"))
        .then(|| format!("the annotation {} is NONE", names::INTERCEPTION))
}

pub(super) fn host_pid(case: &Case<'_>) -> Option<String> {
    let is_told_by_kubelet = case.facts.agent.placement == Placement::Native && case.facts.proxy == ProxyForm::Native;
    let concerns = case.facts.agent.watches() && case.facts.proxy_container().is_some() && !is_told_by_kubelet;
    (concerns && case.facts.has_host_processes()).then(|| "spec.hostPID is true".to_owned())
}

/// A policy that is not written is no evidence: who reads the template may give the pod another one than Kubernetes does.
pub(super) fn restart_always(case: &Case<'_>) -> Option<String> {
    let policy = case.facts.pod.spec.as_ref()?.restart_policy.as_deref()?;
    let keep_ending = case.facts.with(Part::Main).any(|container| container.restart_policy.is_some_and(|own| own != "Always"));
    (policy == "Always" && case.facts.agent.watches() && !keep_ending).then(|| "spec.restartPolicy is Always".to_owned())
}

/// In a template the proxy stands where the injector will put it, so only a pod can show this.
pub(super) fn agent_before_proxy(case: &Case<'_>) -> Option<String> {
    let place = |part| case.facts.containers.iter().position(|(_, own)| *own == part);
    let concerns = case.facts.is_created()
        && case.facts.agent.watches()
        && case.facts.agent.placement == Placement::Native
        && case.facts.proxy == ProxyForm::Native;
    (concerns && place(Part::Agent)? < place(Part::Proxy)?)
        .then(|| format!("{} is in front of {} in spec.initContainers", names::AGENT, names::PROXY))
}
