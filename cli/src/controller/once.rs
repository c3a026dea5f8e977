//! One run over all pods of the scope.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;

use super::due::{Plan, plan};
use super::opt_in::is_opted_in;
use super::pace::Pace;
use super::reaper::{Due, Reaper};
use super::report::{Fate, Report};
use crate::cluster::Target;
use crate::output::{Exit, Failure, age, progress};
use crate::pod::{Facts, names};

/// A pod that a list has shown.
struct Found {
    target: Target,
    plan: Plan,
    is_namespace_on: bool,
}

/// Ends what is due, and tells `each` of every pod that is stuck as soon as its fate is known.
pub async fn once(reaper: &Reaper, mut each: impl FnMut(Report)) -> Result<(), Failure> {
    let found = find(reaper).await?;
    let Some(now) = reaper.cluster.now() else {
        let line =
            "the API server's answers have no Date, so nobody can know for how long a pod hangs: look at what stands before it";
        return Err(Failure { line: line.to_owned(), exit: Exit::Unavailable });
    };
    let mut due = Vec::new();
    for Found { target, plan, is_namespace_on } in found {
        match plan {
            Plan::Leave => {}
            Plan::GivenUp { since } => each(Report::new(target, since, Fate::GivenUp, "given up: it has had its tries")),
            Plan::NoImage { since } => {
                let says = format!("waits: kubelet does not have the image {} for an earlier rescue", reaper.settings.image);
                each(Report::new(target, since, Fate::Waits, says));
            }
            Plan::Try { at, since, failed } if at > now => {
                // One whose task has just ended is not worth a line.
                if failed > 0 {
                    let says = format!("waits for {} after {failed} rescues that have failed", age(at, now));
                    each(Report::new(target, since, Fate::Waits, says));
                }
            }
            Plan::Try { since, failed, .. } => due.push(Due { target, since, failed, refused: 0, is_namespace_on }),
        }
    }
    // Who has waited longest comes first.
    due.sort_by(|a, b| (a.since, &a.target.uid).cmp(&(b.since, &b.target.uid)));
    if reaper.settings.is_dry_run {
        for due in due {
            let says = format!("would be ended: its task has ended {} ago", age(now, due.since));
            each(Report::new(due.target, due.since, Fate::WouldEnd, says));
        }
        return Ok(());
    }
    let pace = Pace::new(reaper.settings.rate);
    let mut reports = stream::iter(due).map(|due| end(reaper, &pace, due)).buffer_unordered(reaper.settings.at_once);
    while let Some(report) = reports.next().await {
        each(report);
    }
    Ok(())
}

async fn end(reaper: &Reaper, pace: &Pace, due: Due) -> Report {
    pace.turn().await;
    progress(&format!("{}/{}: the agent drains istio-proxy", due.target.namespace, due.target.pod));
    let report = reaper.end(due).await;
    for note in report.note().into_iter().chain(report.loss()) {
        reaper.tell(note).await;
    }
    report
}

async fn find(reaper: &Reaper) -> Result<Vec<Found>, Failure> {
    let Reaper { cluster, settings } = reaper;
    let mut marked = HashSet::new();
    if settings.reads_namespaces {
        marked.extend(cluster.marked_namespaces(&format!("{}=on", names::REAP_LABEL)).await?);
    }
    let keep = |pod: Pod| {
        let facts = Facts::of(&pod);
        let is_namespace_on = marked.contains(facts.namespace);
        let plan = plan(&facts, settings);
        let concerns = plan != Plan::Leave && is_opted_in(facts.label(names::REAP_LABEL), is_namespace_on, settings.is_named);
        concerns.then(|| Found { target: Target::of(&pod), plan, is_namespace_on })
    };
    let mut found = Vec::new();
    for scope in &settings.scopes {
        found.extend(cluster.pods(scope, keep).await?);
    }
    Ok(found)
}

/// How a run ends.
#[must_use]
pub fn exit(reports: &[Report]) -> Exit {
    if reports.iter().any(|report| report.result.is_bad()) { Exit::Stuck } else { Exit::Fine }
}
