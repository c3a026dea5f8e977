//! What the agent is told, by its options or by annotations of the pod.

use super::Case;
use crate::pod::Part;

pub(super) fn wrong_container_name(case: &Case<'_>) -> Option<String> {
    let wrong = case.facts.agent.option("container").into_iter().filter(|name| case.facts.container(name).is_none());
    let wrong = wrong.collect::<Vec<_>>();
    let there = case.facts.with(Part::Main).map(|container| container.name).collect::<Vec<_>>();
    (!wrong.is_empty()).then(|| format!("--container {}, but the pod has {}", wrong.join(", "), there.join(", ")))
}
