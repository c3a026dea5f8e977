//! Whether the proxy of a pod may be ended. Pure.

use crate::pod::{Container, Facts, Kind, Part, ProxyForm, State, names};

/// The reasons of kubelet for an image that it cannot have.
pub(super) const NO_IMAGE: [&str; 4] = ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"];

/// A pod whose proxy may be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualified {
    /// What `--force` overrides: the reason for which the pod would not qualify.
    pub overridden: Option<String>,
}

/// Whether the proxy may be ended; the error is the reason why not. `force` overrides what the task does, and nothing else.
pub fn qualify(facts: &Facts<'_>, force: bool) -> Result<Qualified, String> {
    if facts.is_over() {
        return Err(format!("the pod has ended: its phase is {}", facts.phase()));
    }
    match facts.proxy {
        ProxyForm::None => return Err("it has no istio-proxy".to_owned()),
        ProxyForm::Ambient => return Err("it has no istio-proxy: ztunnel carries its traffic, and keeps no pod".to_owned()),
        ProxyForm::Native => return Err(of_native(facts)),
        ProxyForm::Classic => {}
    }
    if !facts.proxy_container().is_some_and(Container::is_running) {
        return Err("its istio-proxy does not run".to_owned());
    }
    if let Some(container) = rescues(facts).find(|container| is_under_way(container)) {
        return Err(format!("a rescue is under way: its container {} has not ended", container.name));
    }
    match of_task(facts) {
        Some(why) if !force => Err(why),
        overridden => Ok(Qualified { overridden }),
    }
}

/// The containers that rescues have added to the pod, in the order in which they were added. A pod keeps them as long as it lives.
pub fn rescues<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = &'f Container<'a>> {
    facts.with(Part::Other).filter(|container| container.kind == Kind::Ephemeral && container.name.starts_with(names::RESCUE))
}

/// A container whose image kubelet waits for. The same image once more would wait with it, and would come at the same time.
#[must_use]
pub fn waits_for_image<'f>(facts: &'f Facts<'_>, image: &str) -> Option<&'f str> {
    let mut waiting = rescues(facts).filter(|container| has_no_image(container));
    waiting.find(|container| container.image == image).map(|container| container.name)
}

/// One that waits for an image that it cannot have may wait for ever, and keeps nobody from trying another image.
fn is_under_way(container: &Container<'_>) -> bool {
    match &container.state {
        State::Running { .. } => true,
        State::Waiting { .. } => !has_no_image(container),
        State::Ended(_) => false,
    }
}

fn has_no_image(container: &Container<'_>) -> bool {
    matches!(&container.state, State::Waiting { reason, .. } if NO_IMAGE.contains(&reason.as_str()))
}

/// Why the task may need the proxy.
fn of_task(facts: &Facts<'_>) -> Option<String> {
    if facts.with(Part::Main).next().is_none() {
        return Some("it has no container that can be the task".to_owned());
    }
    let needs = |container: &&Container<'_>| facts.ending(container).for_good().is_none();
    let container = facts.with(Part::Main).find(needs)?;
    Some(format!("its main container {} {}", container.name, facts.ending(container).sentence()))
}

fn of_native(facts: &Facts<'_>) -> String {
    let running = facts.still_running().map(|container| container.name).collect::<Vec<_>>();
    if facts.has_task_ended_for_good() && !running.is_empty() {
        return format!("its istio-proxy is a native sidecar and keeps no pod: kubelet waits for {}", running.join(", "));
    }
    "its istio-proxy is a native sidecar: kubelet ends it, and nobody else may".to_owned()
}
