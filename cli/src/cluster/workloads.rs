//! What makes pods in a namespace: Jobs that no CronJob has made, and CronJobs.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::connect::Cluster;
use super::error::Error;
use super::pods::Scope;

// === impl Cluster ===

impl Cluster {
    /// The Jobs and CronJobs of the scope.
    pub async fn workloads(&self, scope: &Scope) -> Result<Vec<Value>, Error> {
        let (jobs, cron_jobs): (Api<Job>, Api<CronJob>) = if scope.all_namespaces {
            (Api::all(self.client()), Api::all(self.client()))
        } else {
            let namespace = self.namespace_of(scope);
            (Api::namespaced(self.client(), namespace), Api::namespaced(self.client(), namespace))
        };
        let of_cron_job = |job: &Job| job.owner_references().iter().any(|owner| owner.kind == "CronJob");
        let mut all =
            self.pages(&jobs, "jobs", scope, |job| if of_cron_job(&job) { None } else { serde_json::to_value(job).ok() }).await?;
        all.extend(self.pages(&cron_jobs, "cronjobs", scope, |job| serde_json::to_value(job).ok()).await?);
        Ok(all)
    }
}
