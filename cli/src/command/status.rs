//! `status`: the batch pods of a namespace, one a line, stuck ones first.

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::Common;
use crate::output::{Exit, Failure, Format, Table, Tint, age, print, print_object};
use crate::pod::{Facts, Placement, ProxyForm, Standing, Surroundings, Undelivered};
use crate::rules::{self, Case};

/// The batch pods of a namespace, one a line, stuck ones first. The exit code is 1 if one is stuck
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Also pods that have no proxy
    #[arg(long)]
    all: bool,
}

/// One line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    standing: Standing,
    namespace: String,
    pod: String,
    task: String,
    proxy: &'static str,
    agent: &'static str,
    plugin: &'static str,
    undelivered: Option<u64>,
    at_least: bool,
    rule: Option<&'static str>,
}

// === impl Status ===

impl Status {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        let cluster = common.cluster().await?;
        let now = Timestamp::now();
        let mut lines = cluster.pods(&common.scope, |pod| Line::of(&pod, now, self.all)).await?;
        lines.sort();
        if common.output == Format::Table {
            print(&text(&lines, now, common.scope.all_namespaces));
        } else {
            print_object(common.output, &lines)?;
        }
        let is_stuck = lines.iter().any(|line| line.standing.is_stuck());
        Ok(if is_stuck { Exit::Stuck } else { Exit::Fine })
    }
}

// === impl Line ===

impl Line {
    fn of(pod: &Pod, now: Timestamp, all: bool) -> Option<Self> {
        let facts = Facts::of(pod);
        let concerns = facts.proxy != ProxyForm::None || facts.agent.placement != Placement::Absent;
        if !facts.is_batch() || !(all || concerns) {
            return None;
        }
        let undelivered = facts.verdict().and_then(|verdict| verdict.undelivered);
        let nothing = Surroundings::default();
        let case = Case { facts: &facts, around: &nothing };
        let findings = rules::findings(&case);
        Some(Self {
            standing: case.standing(&findings, now),
            namespace: facts.namespace.to_owned(),
            pod: facts.name.to_owned(),
            task: facts.owner().map_or_else(String::new, |(kind, name)| format!("{kind}/{name}")),
            proxy: facts.proxy.word(),
            agent: facts.agent.placement.word(),
            plugin: match (facts.has_label(), facts.listener().is_some()) {
                (true, true) => "yes",
                (true, false) => "label",
                (false, true) => "listener",
                (false, false) => "no",
            },
            undelivered: undelivered.map(|Undelivered { bytes, .. }| bytes),
            at_least: undelivered.is_some_and(|lost| lost.at_least),
            rule: findings.first().map(|finding| finding.rule.id.as_str()),
        })
    }

    fn lost(&self) -> String {
        let more = if self.at_least { "≥" } else { "" };
        self.undelivered.map_or_else(|| "-".to_owned(), |bytes| format!("{more}{bytes}"))
    }
}

/// The table.
fn text(lines: &[Line], now: Timestamp, with_namespace: bool) -> String {
    if lines.is_empty() {
        return "no batch pods with a proxy or an agent\n".to_owned();
    }
    let mut header = vec!["POD", "TASK", "STATE", "SINCE", "PROXY", "AGENT", "PLUGIN", "UNDELIVERED", "RULE"];
    if with_namespace {
        header.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(header);
    for line in lines {
        let since = line.standing.since().map_or_else(|| "-".to_owned(), |since| age(now, since));
        let mut cells = vec![line.pod.clone(), line.task.clone(), line.standing.word().to_owned(), since];
        cells.extend([line.proxy, line.agent, line.plugin].map(str::to_owned));
        cells.extend([line.lost(), line.rule.unwrap_or("-").to_owned()]);
        if with_namespace {
            cells.insert(0, line.namespace.clone());
        }
        let tint = match line.standing {
            standing if standing.is_stuck() => Tint::Bad,
            Standing::Succeeded => Tint::Dim,
            _ => Tint::Plain,
        };
        table.push(tint, cells);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{now, recorded, snapshots};

    #[test]
    fn the_table() {
        let names = [
            "job-classic-notready",
            "job-classic-exeunt-succeeded",
            "native-others-run",
            "on-failure-back-off",
            "finalizer",
            "proxy-exit-code",
            "wrong-container-name",
            "agent-image-pull",
        ];
        let saved = names.map(recorded);
        let mut lines = saved.iter().filter_map(|saved| Line::of(&saved.pod, now(), true)).collect::<Vec<_>>();
        lines.sort();
        let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
        snapshots().bind(|| {
            insta::assert_snapshot!("status", plain(&text(&lines, now(), false)));
            insta::assert_snapshot!("status-all-namespaces", plain(&text(&lines, now(), true)));
        });
        assert!(text(&lines, now(), false).contains("\u{1b}[31m"), "a stuck pod is red");
        assert_eq!(text(&[], now(), false), "no batch pods with a proxy or an agent\n");
    }
}
