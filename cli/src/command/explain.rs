//! `explain`: one pod on one screen: what holds it, and what mends it.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::findings::write_findings;
use super::saved::Saved;
use super::{Common, owner};
use crate::cluster::Made;
use crate::output::{Exit, Failure, Format, age, print, print_object, safe};
use crate::pod::{Facts, Kind, Module, Part, Standing, State, Verdict};
use crate::rules::{self, Case, Finding};

/// What holds one pod, since when, and what mends it
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Name of the pod; or job/NAME or cronjob/NAME, for its newest pod or for why it has none
    #[arg(required_unless_present = "file", value_name = "POD")]
    pod: Option<String>,
    /// Read the pod from a file instead: what kubectl get pod -o json or --save has written; - is stdin
    #[arg(short, long, conflicts_with = "pod", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Also write the pod and what is around it into a file that -f reads
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    save: Option<PathBuf>,
    /// Do not ask istio-proxy by a port-forward whether it has the plugin's module
    #[arg(long, conflicts_with = "file")]
    no_forward: bool,
}

/// What a program gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    namespace: &'a str,
    pod: &'a str,
    uid: &'a str,
    #[serde(flatten)]
    standing: Standing,
    proxy: crate::pod::ProxyForm,
    agent: crate::pod::Placement,
    label: bool,
    listener: Option<&'a str>,
    module: Option<&'a Module>,
    verdict: Option<Verdict>,
    findings: &'a [Finding],
    unknown: &'a [String],
}

// === impl Explain ===

impl Explain {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        let saved = match (&self.file, &self.pod) {
            (Some(file), _) => Saved::read(file)?,
            (None, Some(name)) => {
                let cluster = common.cluster().await?;
                let mut pod = match owner::find(&cluster, cluster.namespace_of(&common.scope), name).await? {
                    Made::Pod(pod, _) => *pod,
                    Made::Nothing(pod, surroundings) => {
                        let saved = Saved { pod: *pod, surroundings: *surroundings, at: Some(Timestamp::now()) };
                        if let Some(file) = &self.save {
                            saved.write(file)?;
                        }
                        return owner::explain(&saved, common.output);
                    }
                };
                // Who has written which field is of no interest, and half of the pod.
                pod.metadata.managed_fields = None;
                let mut surroundings = cluster.surroundings(&pod).await;
                if !self.no_forward {
                    cluster.ask_proxy(&pod, &mut surroundings).await;
                }
                if self.save.is_some() {
                    surroundings.history = Some(cluster.history(&pod).await);
                }
                Saved { pod, surroundings, at: Some(Timestamp::now()) }
            }
            (None, None) => return Err(Failure::usage("give the name of a pod, or -f FILE")),
        };
        if let Some(file) = &self.save {
            saved.write(file)?;
        }
        let facts = Facts::of(&saved.pod);
        let case = Case { facts: &facts, around: &saved.surroundings };
        let findings = rules::findings(&case);
        let now = saved.at.unwrap_or_else(Timestamp::now);
        let standing = case.standing(&findings, now);
        if common.output == Format::Table {
            print(&text(&case, &findings, now));
        } else {
            let report = Report {
                namespace: facts.namespace,
                pod: facts.name,
                uid: facts.uid,
                standing,
                proxy: facts.proxy,
                agent: facts.agent.placement,
                label: facts.has_label(),
                listener: facts.listener(),
                module: saved.surroundings.module.as_ref(),
                verdict: facts.verdict(),
                findings: &findings,
                unknown: &saved.surroundings.unknown,
            };
            print_object(common.output, &report)?;
        }
        Ok(if standing.is_stuck() || !findings.is_empty() { Exit::Stuck } else { Exit::Fine })
    }
}

/// One screen.
fn text(case: &Case<'_>, findings: &[Finding], now: Timestamp) -> String {
    let Case { facts, around } = case;
    let mut text = String::new();
    let standing = case.standing(findings, now);
    let since = standing.since().map(|since| match standing {
        Standing::Ending { .. } => format!(": the task ended {} ago", age(now, since)),
        _ => format!(", for {}", age(now, since)),
    });
    let since = since.unwrap_or_default();
    let of = if facts.namespace.is_empty() { String::new() } else { format!(" in namespace {}", safe(facts.namespace)) };
    let _ = writeln!(text, "{}{of}: {}{since}.\n", safe(facts.name), standing.sentence());
    for (container, part) in &facts.containers {
        if *part == Part::Other && container.kind == Kind::Init {
            continue;
        }
        let _ = writeln!(
            text,
            "  {:<20} {:<16} {}",
            safe(container.name),
            kind(container.kind, *part),
            safe(&state(facts, container, now))
        );
    }
    let plugin = match (facts.has_label(), facts.listener()) {
        (true, Some(port)) => format!("the pod has the label, and a signal listener on port {}", safe(port)),
        (true, None) => "the pod has the label, but no signal listener of its own".to_owned(),
        (false, Some(port)) => format!("the pod has a signal listener on port {}, but not the label", safe(port)),
        (false, None) => "the pod has neither the label nor a signal listener".to_owned(),
    };
    let _ = writeln!(
        text,
        "\n  proxy   {}\n  agent   {}\n  plugin  {plugin}",
        facts.proxy.sentence(),
        facts.agent.placement.sentence()
    );
    if let Some(module) = &around.module {
        let _ = writeln!(text, "  module  {}", safe(&module.sentence()));
    }
    if let Some(verdict) = facts.verdict() {
        let route = verdict.route.map(|route| format!(", route {route}")).unwrap_or_default();
        let lost = verdict.undelivered.map(|lost| format!(", {} bytes undelivered", lost.bytes)).unwrap_or_default();
        let why = verdict.refused.first().map(|why| format!(": {}", why.reason)).unwrap_or_default();
        let _ = writeln!(text, "  verdict {}", safe(&format!("proxy {}{route}{lost}{why}", verdict.proxy)));
    }
    if findings.is_empty() {
        text.push_str("\nNo rule applies.\n");
    }
    write_findings(&mut text, facts, findings);
    for line in &around.unknown {
        let _ = writeln!(text, "\nnot known: {}", safe(line));
    }
    text
}

fn kind(kind: Kind, part: Part) -> &'static str {
    match (part, kind) {
        (Part::Main, _) => "main container",
        (Part::Helper, _) => "helper",
        (Part::Proxy, _) => "proxy",
        (Part::Agent, _) => "agent",
        (Part::Other, Kind::Sidecar) => "native sidecar",
        (Part::Other, Kind::Ephemeral) => "ephemeral",
        (Part::Other, Kind::Init | Kind::Regular) => "init container",
    }
}

fn state(facts: &Facts<'_>, container: &crate::pod::Container<'_>, now: Timestamp) -> String {
    match &container.state {
        State::Waiting { reason, .. } if reason.is_empty() => "not started".to_owned(),
        State::Waiting { reason, .. } => format!("waits: {reason}"),
        State::Running { since } => since.map_or_else(|| "runs".to_owned(), |since| format!("runs for {}", age(now, since))),
        State::Ended(end) => {
            let ago = end.at.map(|at| format!(", {} ago", age(now, at))).unwrap_or_default();
            format!("{} ({}){ago}", facts.ending(container).sentence(), end.reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{now, recorded, snapshots};

    #[test]
    fn one_screen() {
        for name in
            ["job-classic-notready", "job-native-succeeded", "plugin-not-fetched", "no-shared-processes", "on-failure-back-off"]
        {
            let saved = recorded(name);
            let facts = Facts::of(&saved.pod);
            let case = Case { facts: &facts, around: &saved.surroundings };
            let text = text(&case, &rules::findings(&case), now());
            snapshots().bind(|| insta::assert_snapshot!(format!("explain-{name}"), text));
        }
    }
}
