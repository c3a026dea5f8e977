//! What the agent is told, by its options or by annotations of the pod.

use jiff::SignedDuration;

use super::Case;
use crate::pod::{Part, Placement, ProxyForm, names};

pub(super) fn wrong_container_name(case: &Case<'_>) -> Option<String> {
    let (source, told) = told(case, "container", "exeunt.dev/container");
    let wrong = missing(case, told)?;
    let there = case.facts.with(Part::Main).map(|container| container.name).collect::<Vec<_>>();
    Some(format!("{source} {wrong}, but the pod has {}", there.join(", ")))
}

/// A webhook may still add a helper to a template, but not to a pod.
pub(super) fn wrong_helper_name(case: &Case<'_>) -> Option<String> {
    let of = |option, annotation| {
        let (source, told) = told(case, option, annotation);
        let before_equals = |entry| Some(before_url(entry).split_once('=')?.0);
        let names = told.into_iter().filter_map(|entry| if option == "also-wait" { Some(entry) } else { before_equals(entry) });
        Some(format!("{source} {}", missing(case, names.map(str::trim).filter(|name| is_name(name)).collect())?))
    };
    let wrong = [
        of("also-wait", "exeunt.dev/also-wait"),
        of("quit-endpoint", "exeunt.dev/quit-endpoints"),
        of("quit-signal", "exeunt.dev/quit-signals"),
    ];
    let wrong = wrong.into_iter().flatten().collect::<Vec<_>>();
    (case.facts.is_created() && !wrong.is_empty()).then(|| format!("{}, and the pod has no such container", wrong.join(", ")))
}

pub(super) fn restart_policy_differs(case: &Case<'_>) -> Option<String> {
    let policy = case.facts.pod.spec.as_ref()?.restart_policy.as_deref()?;
    let (source, told) = told(case, "restart-policy", "exeunt.dev/restart-policy");
    // Those of single containers have a name in front.
    let of_pod = told.into_iter().rfind(|entry| !entry.contains('='))?;
    (is_plain(of_pod) && of_pod != "auto" && of_pod != policy).then(|| format!("{source} {of_pod}, and the pod has {policy}"))
}

pub(super) fn grace_period_differs(case: &Case<'_>) -> Option<String> {
    /// The default of Kubernetes.
    const USUAL: i64 = 30;
    let told = last(case, "grace-period")?;
    let own = case.facts.pod.spec.as_ref()?.termination_grace_period_seconds.unwrap_or(USUAL);
    // A number without a unit is one of seconds. Kubelet makes a second of none.
    let length = told.parse::<SignedDuration>().or_else(|_| format!("{told}s").parse()).ok()?;
    (length > SignedDuration::from_secs(own.max(1))).then(|| format!("--grace-period {told}, and the pod has {own}s"))
}

pub(super) fn placement_differs(case: &Case<'_>) -> Option<String> {
    let (told, own) = (last(case, "placement")?, case.facts.agent.placement);
    let differs = matches!((told, own), ("regular", Placement::Native) | ("native", Placement::Regular));
    differs.then(|| format!("--placement {told}, and {}", own.sentence()))
}

/// `check` takes a proxy as native if nothing says more. That alone does not make an agent wrong that is told another form.
pub(super) fn proxy_form_differs(case: &Case<'_>) -> Option<String> {
    let (told, form) = (last(case, "proxy")?, case.facts.proxy);
    let is_known = case.facts.is_created() || case.facts.annotation(names::NATIVE).is_some();
    let differs = match form {
        ProxyForm::Classic => told == "native",
        ProxyForm::Native => told == "classic" && is_known,
        ProxyForm::Ambient | ProxyForm::None => false,
    };
    differs.then(|| format!("--proxy {told}, and it is {}", form.word()))
}

/// The entries of an option or, without one, of the annotation that says the same; and where they are.
fn told<'a>(case: &'a Case<'_>, option: &str, annotation: &'static str) -> (String, Vec<&'a str>) {
    let given = case.facts.agent.option(option);
    if given.is_empty() {
        return (annotation.to_owned(), entries(case, annotation).collect());
    }
    (format!("--{option}"), given)
}

/// The entries of an annotation.
pub(super) fn entries<'a>(case: &'a Case<'_>, annotation: &str) -> impl Iterator<Item = &'a str> {
    case.facts.annotation(annotation).unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// The value of an option that counts: the last one.
pub(super) fn last<'a>(case: &'a Case<'_>, option: &str) -> Option<&'a str> {
    case.facts.agent.option(option).pop().filter(|_| case.facts.agent.watches())
}

/// The names among these that no container has, as a text.
fn missing(case: &Case<'_>, names: Vec<&str>) -> Option<String> {
    let missing = names.into_iter().filter(|name| is_plain(name) && case.facts.container(name).is_none()).collect::<Vec<_>>();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Whether it is what the agent gets: Kubernetes puts the values of variables into others.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains('$')
}

/// An entry without its URL, if it has one: there, the sign = is no part of it.
pub(super) fn before_url(entry: &str) -> &str {
    entry.split_once("://").map_or(entry, |(front, _)| front)
}

/// Whether a container can have this name.
pub(super) fn is_name(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(may_stand) && !text.starts_with('-') && !text.ends_with('-')
}
