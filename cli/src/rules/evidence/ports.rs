//! Where the agent finds istio-proxy, and who can end the agent.

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::{Case, told};
use crate::pod::{Placement, ProxyForm, names};

/// The user of the agent's image.
const AGENT_USER: i64 = 15190;

/// Of a classic proxy `no-shared-processes` says more.
pub(super) fn regular_agent_not_shared(case: &Case<'_>) -> Option<String> {
    let facts = case.facts;
    let concerns = facts.agent.watches() && facts.agent.placement == Placement::Regular && facts.proxy == ProxyForm::Native;
    let is_blind = !facts.shares_processes() && !facts.has_host_processes();
    (concerns && is_blind && !facts.is_over() && facts.deleted().is_none())
        .then(|| "the agent is a regular container, and spec.shareProcessNamespace is not true".to_owned())
}

pub(super) fn signal_port_differs(case: &Case<'_>) -> Option<String> {
    let usual = names::SIGNAL_PORT.to_string();
    let told = told::last(case, "signal-port").unwrap_or(&usual);
    let listener = case.facts.listener().map(str::to_owned).or_else(|| listener_to_come(case))?;
    let concerns = case.facts.agent.watches() && case.facts.proxy_container().is_some();
    (concerns && told::is_plain(told) && told != listener).then(|| format!("{told}, and the listener has {listener}"))
}

pub(super) fn status_port_differs(case: &Case<'_>) -> Option<String> {
    let port = case.facts.annotation(names::STATUS_PORT)?;
    let usual = names::STATUS_SERVER_PORT.to_string();
    let told = case.facts.agent.option("status-port");
    let is_told = port == usual || told.iter().any(|told| *told == port || !told::is_plain(told));
    let concerns = case.facts.agent.watches() && case.facts.proxy == ProxyForm::Classic && !case.facts.is_over();
    (concerns && port != "0" && !is_told).then(|| format!("the annotation {} is \"{port}\"", names::STATUS_PORT))
}

/// The agent knows of a proxy by its capture, unless it is told.
pub(super) fn capture_limited(case: &Case<'_>) -> Option<String> {
    const WHOLE: [(&str, &[&str]); 3] = [
        (names::INTERCEPTION, &["REDIRECT", "TPROXY"]),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", &["*", "0.0.0.0/0"]),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", &[""]),
    ];
    let agent = case.facts.agent_container().filter(|_| case.facts.agent.watches())?;
    let is_told = |option: &str, variable: &str| {
        !case.facts.agent.option(option).is_empty() || agent.env.iter().any(|known| known.name == variable)
    };
    let knows = is_told("istio-status", "EXEUNT_ISTIO_STATUS") || is_told("proxy", "EXEUNT_PROXY");
    let is_part = |name: &str, whole: &[&str]| case.facts.annotation(name).is_some_and(|value| !whole.contains(&value));
    let limits = WHOLE.iter().filter(|(name, whole)| is_part(name, whole)).map(|(name, _)| *name).collect::<Vec<_>>();
    (case.facts.proxy == ProxyForm::Classic && !knows && !limits.is_empty())
        .then(|| format!("the annotation {}", limits.join(", ")))
}

pub(super) fn agent_user_taken(case: &Case<'_>) -> Option<String> {
    let agent = case.facts.agent_container().filter(|_| case.facts.agent.watches() && case.facts.shares_processes())?;
    let spec = case.facts.pod.spec.as_ref()?;
    let of_pod = spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let user = |container: &Container| container.security_context.as_ref().and_then(|context| context.run_as_user).or(of_pod);
    let own = lasting(spec).find(|container| container.name == agent.name).and_then(user).unwrap_or(AGENT_USER);
    // The agent runs as the user of a container that it sends a signal to: it must.
    let signals = case.facts.agent.option("quit-signal").into_iter();
    let signals = signals.chain(told::entries(case, "exeunt.dev/quit-signals")).filter_map(|entry| entry.split_once('='));
    let signals = signals.map(|(name, _)| name.trim()).collect::<Vec<_>>();
    let is_taken =
        |other: &&Container| other.name != agent.name && !signals.contains(&other.name.as_str()) && user(other) == Some(own);
    let others = lasting(spec).filter(is_taken).map(|other| other.name.as_str()).collect::<Vec<_>>();
    (!others.is_empty()).then(|| format!("{} has runAsUser {own}, too", others.join(", ")))
}

/// The containers that run while the task runs.
fn lasting(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let sidecars =
        spec.init_containers.iter().flatten().filter(|container| container.restart_policy.as_deref() == Some("Always"));
    spec.containers.iter().chain(sidecars)
}

/// The port of the signal listener that the injector will give to the proxy of a template.
fn listener_to_come(case: &Case<'_>) -> Option<String> {
    let config = case.facts.annotation("proxy.istio.io/config").filter(|_| !case.facts.is_created())?;
    let (_, behind) = config.split_once(names::LISTENER_VARIABLE)?;
    let digits = behind.trim_start_matches(|sign: char| !sign.is_ascii_alphanumeric());
    let end = digits.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).filter(|port| !port.is_empty()).map(str::to_owned)
}
