//! What the picture cannot show, in sentences: how exact it is, and what is missing.

use super::drain::{Drain, PlacedBy};
use super::model::{Lane, Outcome};
use crate::pod::{Facts, History};

pub(super) fn of(facts: &Facts<'_>, history: Option<&History>, lanes: &[Lane], drain: Option<&Drain>) -> Vec<String> {
    let mut notes = Vec::new();
    let has_times = lanes.iter().flat_map(|lane| &lane.instances).any(|span| span.started.is_some() || span.ended.is_some());
    if has_times {
        notes.push(
            "Kubernetes gives whole seconds: each length between two of its times can be up to 1s longer or shorter.".to_owned(),
        );
    }
    notes.extend(drain.and_then(of_the_drain));
    for lane in lanes {
        notes.extend(of_a_lane(lane));
    }
    if drain.is_none() && facts.agent.is_there() && facts.is_over() {
        notes.push(
            "The pod has an agent, but no verdict: its termination message is empty, or is none of the agent's.".to_owned(),
        );
    }
    match history {
        None => {
            notes.push("Events and logs are not in this file: kubectl exeunt explain POD --save FILE writes them.".to_owned());
        }
        Some(history) if history.events.as_ref().is_some_and(Vec::is_empty) => {
            notes.push("The pod has no Events, or no longer: most clusters keep them for one hour.".to_owned());
        }
        Some(_) => {}
    }
    notes
}

fn of_the_drain(drain: &Drain) -> Option<String> {
    drain.milliseconds()?;
    let place = match drain.placed_by {
        PlacedBy::Log => "it is placed by the time at which the agent's verdict came into the log",
        PlacedBy::TaskEnd => "it is placed at the end of the task, which is known to the second",
        PlacedBy::AgentStart => "it is placed at the start of the agent, which is known to the second",
        PlacedBy::Nothing => "it has no place, because the end of the task is not known",
    };
    Some(format!("The length of the drain is exact to the millisecond; {place}."))
}

fn of_a_lane(lane: &Lane) -> Vec<String> {
    let name = &lane.container;
    let mut notes = Vec::new();
    let known = i64::try_from(lane.instances.len()).unwrap_or(i64::MAX);
    let started = i64::from(lane.restarts) + 1;
    if lane.restarts > 0 && started > known {
        notes.push(format!("{name} was started {started} times, and Kubernetes keeps the times of {known}."));
    }
    for span in &lane.instances {
        match (span.started, span.ended) {
            (Some(started), Some(ended)) if ended < started => {
                notes.push(format!("{name} ends before it starts, by the clocks of the cluster: it is drawn as a point."));
            }
            (None, Some(_)) => notes.push(format!("The start of {name} is not known: only its end is drawn.")),
            (Some(_), None) if span.outcome != Outcome::Runs => {
                notes.push(format!("The end of {name} is not known: only its start is drawn."));
            }
            (None, None) => notes.push(format!("No time of {name} is known.")),
            _ => {}
        }
    }
    notes
}
