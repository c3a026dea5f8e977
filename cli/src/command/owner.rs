//! `explain job/NAME` and `explain cronjob/NAME`: the pod behind the name, or why there is none.

use std::fmt::Write as _;

use serde::Serialize;

use super::findings::write_findings;
use super::saved::Saved;
use crate::cluster::{Cluster, Made, Maker};
use crate::output::{Exit, Failure, Format, print, print_object, progress, safe};
use crate::pod::{Facts, Owner, OwnerEvent, ProxyForm};
use crate::rules::{self, Case, Finding};
use crate::workload::inject;

/// The types that a name may have in front, as kubectl writes them.
const TYPES: [(&str, Option<Maker>); 11] = [
    ("pod", None),
    ("pods", None),
    ("po", None),
    ("job", Some(Maker::Job)),
    ("jobs", Some(Maker::Job)),
    ("job.batch", Some(Maker::Job)),
    ("jobs.batch", Some(Maker::Job)),
    ("cronjob", Some(Maker::CronJob)),
    ("cronjobs", Some(Maker::CronJob)),
    ("cj", Some(Maker::CronJob)),
    ("cronjob.batch", Some(Maker::CronJob)),
];

/// What a program gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    namespace: &'a str,
    pod: Option<&'a str>,
    owner: &'a Owner,
    events: &'a [OwnerEvent],
    findings: &'a [Finding],
    unknown: &'a [String],
}

/// The pod of a name, which may have a type in front.
pub(super) async fn find(cluster: &Cluster, namespace: &str, name: &str) -> Result<Made, Failure> {
    let (kind, name) = name.split_once('/').unwrap_or(("pod", name));
    let Some((_, maker)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)) else {
        return Err(Failure::usage(format!("{kind}/{name}: explain knows pod/NAME, job/NAME and cronjob/NAME")));
    };
    let Some(maker) = maker else {
        return Ok(Made::Pod(Box::new(cluster.pod(namespace, name).await?), 0));
    };
    let made = Box::pin(cluster.made(*maker, namespace, name)).await?;
    if let Made::Pod(_, others @ 1..) = &made {
        progress(&format!("{kind}/{name} has {others} other pods: this is the newest that has not succeeded, or the newest"));
    }
    Ok(made)
}

/// Why there is no pod.
pub(super) fn explain(saved: &Saved, output: Format) -> Result<Exit, Failure> {
    let around = &saved.surroundings;
    let mut pod = saved.pod.clone();
    // As `check` does: what Istio will add decides which rules apply.
    inject(&mut pod, ProxyForm::Native);
    let facts = Facts::of(&pod);
    let findings = rules::findings(&Case { facts: &facts, around });
    let owner = around.owner.clone().unwrap_or_default();
    if output == Format::Table {
        print(&text(&facts, saved, &owner, &findings));
    } else {
        let report = Report {
            namespace: facts.namespace,
            pod: None,
            owner: &owner,
            events: around.owner_events.as_deref().unwrap_or_default(),
            findings: &findings,
            unknown: &around.unknown,
        };
        print_object(output, &report)?;
    }
    Ok(if findings.is_empty() { Exit::Fine } else { Exit::Stuck })
}

fn text(facts: &Facts<'_>, saved: &Saved, owner: &Owner, findings: &[Finding]) -> String {
    let of = format!("{}/{} in namespace {}", owner.kind, owner.name, facts.namespace);
    let mut text = format!("{}: {}.\n", safe(&of), safe(&owner.sentence()));
    if findings.is_empty() {
        text.push_str("\nNo rule applies.\n");
        // The newest ones are at the end.
        for event in saved.surroundings.owner_events.iter().flatten().rev().take(3) {
            let _ = writeln!(text, "  event   {}", safe(&format!("{}: {}", event.reason, event.message)));
        }
    }
    write_findings(&mut text, facts, findings);
    for line in &saved.surroundings.unknown {
        let _ = writeln!(text, "\nnot known: {}", safe(line));
    }
    text
}
