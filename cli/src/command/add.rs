//! `add`: prints a workload with what exeunt needs.

use std::path::PathBuf;

use clap::Args;

use super::{AGENT_IMAGE, check, file};
use crate::edit::{Agent, add_agent};
use crate::output::{Exit, Failure, print, safe, warn};
use crate::pod::ProxyForm;
use crate::workload::documents;

/// Print a workload with the agent in it; the rest of the file stays as it is
///
/// Knows Jobs, CronJobs, pods, PodTemplates, Argo's workflows, Spark's applications, and Tekton's tasks and runs. Inserts the agent as
/// the first init container (Tekton: the first sidecar), and the annotation that makes istio-proxy native. Pods that ask for a classic one
/// share their processes instead. Comments, order and quotes stay.
/// What has an agent is not changed, so the command can run again and again:
///
///   kubectl exeunt add -f job.yaml | kubectl apply -f -
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Add {
    /// A file of YAML or JSON; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The agent's image
    #[arg(long, value_name = "IMAGE", default_value = AGENT_IMAGE)]
    image: String,
    /// Leave the form of istio-proxy to the mesh: right where Istio is 1.27 or newer and all nodes have Kubernetes 1.33 or newer
    #[arg(long)]
    keep_proxy: bool,
}

// === impl Add ===

impl Add {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let agent = Agent { image: self.image, makes_proxy_native: !self.keep_proxy };
        let edited = add_agent(&file::read(&self.file)?, &agent).map_err(|error| file::wrong(&self.file, &error))?;
        print(&edited.text);
        for of in &edited.changed {
            warn(&format!("{of}: the agent is added"));
        }
        for of in &edited.unchanged {
            warn(&format!("{of}: it has an agent already"));
        }
        for line in left(&edited.text) {
            warn(&line);
        }
        if edited.changed.is_empty() && edited.unchanged.is_empty() {
            warn(
                "nothing is changed: add knows Jobs, CronJobs, pods, PodTemplates, and what Argo, Spark and Tekton make pods of; docs/workflow-engines.md has more",
            );
        }
        Ok(Exit::Fine)
    }
}

/// The mistakes that are left, as `check` finds them.
fn left(text: &str) -> Vec<String> {
    let all = documents(text).unwrap_or_default();
    let mistakes = all.iter().flat_map(|object| check::mistakes(object, ProxyForm::Native).unwrap_or_default());
    let lines = mistakes.flat_map(|(of, findings)| {
        findings
            .into_iter()
            .map(move |finding| format!("{of}: {}: {} {}", finding.rule.id, finding.rule.sentence, finding.rule.remedy))
    });
    lines.map(|line| safe(&line)).collect()
}
