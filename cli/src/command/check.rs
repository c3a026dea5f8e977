//! `check`: the mistakes of a workload, before they happen.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::{Common, file};
use crate::output::{Exit, Failure, Format, print, print_object, safe};
use crate::pod::{Facts, ProxyForm, Surroundings};
use crate::rules::{self, Case, Finding};
use crate::workload::{Template, documents, inject, templates};

/// The mistakes of Jobs, CronJobs, pods, and templates of Argo, Spark and Airflow, before they happen
///
/// Reads files, or with -n and without -f the Jobs and CronJobs of a namespace. It assumes that Istio gives each pod a proxy, unless the pod
/// says otherwise. The exit code is 1 if a rule applies.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// A file of YAML or JSON; can be repeated; - is stdin
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["namespace", "all_namespaces"])]
    file: Vec<PathBuf>,
    /// The form of the proxy in pods without the annotation sidecar.istio.io/nativeSidecar
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    proxy: Form,
}

/// What the mesh does.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    /// As Istio 1.27 and newer do
    #[default]
    Native,
    /// As older ones do, and newer ones with an old node
    Classic,
    /// No proxy at all
    None,
}

/// What is wrong with one pod.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// The file or the namespace.
    from: String,
    /// The object.
    workload: String,
    findings: Vec<Finding>,
}

// === impl Check ===

impl Check {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        let mut reports = Vec::new();
        for path in &self.file {
            let text = file::read(path)?;
            let all = documents(&text).map_err(|error| file::wrong(path, &format!("neither YAML nor JSON: {error}")))?;
            for object in all {
                self.add(&path.display().to_string(), &object, &mut reports).map_err(|error| file::wrong(path, &error))?;
            }
        }
        if self.file.is_empty() {
            let cluster = common.cluster().await?;
            for object in cluster.workloads(&common.scope).await? {
                let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.add(&namespace, &object, &mut reports).map_err(Failure::usage)?;
            }
        }
        if common.output == Format::Table {
            print(&text(&reports));
        } else {
            print_object(common.output, &reports)?;
        }
        Ok(if reports.iter().all(|report| report.findings.is_empty()) { Exit::Fine } else { Exit::Stuck })
    }

    /// Adds what is wrong with the pods of `object`.
    fn add(&self, from: &str, object: &Value, reports: &mut Vec<Report>) -> Result<(), String> {
        let usual = match self.proxy {
            Form::Native => ProxyForm::Native,
            Form::Classic => ProxyForm::Classic,
            Form::None => ProxyForm::None,
        };
        let found = mistakes(object, usual)?;
        reports.extend(found.into_iter().map(|(workload, findings)| Report { from: from.to_owned(), workload, findings }));
        Ok(())
    }
}

/// What is wrong with the pods that `object` makes, by their names. `usual` is the form of the proxy in pods that do not say it.
pub(super) fn mistakes(object: &Value, usual: ProxyForm) -> Result<Vec<(String, Vec<Finding>)>, String> {
    let of = |mut template: Template| {
        inject(&mut template.pod, usual);
        let around = Surroundings { owner: template.owner, ..Surroundings::default() };
        let findings = rules::findings(&Case { facts: &Facts::of(&template.pod), around: &around });
        (template.of, findings)
    };
    Ok(templates(object)?.into_iter().map(of).collect())
}

fn text(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        for finding in &report.findings {
            let rule = finding.rule;
            let place = format!("{}: {}: {}: {}", report.from, report.workload, rule.id, rule.sentence);
            text.extend([safe(&place), "\n  seen    ".to_owned(), safe(&finding.evidence), "\n  do      ".to_owned()]);
            text.extend([safe(&rule.remedy), "\n  read    ".to_owned(), rule.link.clone(), "\n".to_owned()]);
        }
    }
    if text.is_empty() {
        text = match reports.len() {
            0 => "nothing here has a pod template that this command knows: it reads Jobs, CronJobs, pods, PodTemplates, Argo and Spark\n".to_owned(),
            1 => "1 pod template, and no rule applies\n".to_owned(),
            count => format!("{count} pod templates, and no rule applies\n"),
        };
    }
    text
}
