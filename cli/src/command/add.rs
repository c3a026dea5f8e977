//! `add`: prints a workload with what exeunt needs.

use std::path::PathBuf;

use clap::Args;

use super::{AGENT_IMAGE, file};
use crate::edit::{Agent, add_agent};
use crate::output::{Exit, Failure, print, warn};

/// Print Jobs, CronJobs and pods with the agent in them; the rest of the file stays as it is
///
/// Inserts the agent as the first init container of each pod template, and the annotation that makes istio-proxy native. Comments, order and
/// quotes stay. A template that has an agent is not changed, so the command can run again and again:
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
        if edited.changed.is_empty() && edited.unchanged.is_empty() {
            warn("nothing is changed: add knows Jobs, CronJobs, pods and PodTemplates; docs/workflow-engines.md has the others");
        }
        Ok(Exit::Fine)
    }
}
