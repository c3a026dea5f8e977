//! `reap`: ends what is stuck, once, and without a person: for a CronJob.

use clap::Args;

use super::Common;
use crate::controller::{ReapOptions, Reaper, exit, once};
use crate::output::{Exit, Failure, Format, print, print_object, progress};

/// End stuck pods once, without a person: for a CronJob
///
/// Looks for pods whose task has ended for good and that istio-proxy keeps, and ends their proxies as `end` does. It never deletes a pod, and
/// runs no command in one. Until you say --dry-run=false it only names the pods.
///
/// A pod must be opted in: by -n, --namespaces or -l, which name it; else by the label exeunt.dev/reap: "on" on the pod or, with -A, on its
/// Namespace. A pod with the value "off" is always left alone.
#[derive(Debug, Args)]
pub(super) struct Reap {
    #[command(flatten)]
    options: ReapOptions,
}

// === impl Reap ===

impl Reap {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        let settings = self.options.settings(&common.scope)?;
        let reaper = Reaper { cluster: common.cluster().await?, settings };
        let mut reports = Vec::new();
        once(&reaper, |report| {
            if common.output == Format::Table {
                print(&format!("{}\n", report.line()));
            }
            reports.push(report);
        })
        .await?;
        if common.output != Format::Table {
            print_object(common.output, &reports)?;
        } else if reports.is_empty() {
            progress("no pod is stuck");
        }
        Ok(exit(&reports))
    }
}
