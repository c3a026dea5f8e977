//! Who makes a pod: what a Job or a CronJob says of itself.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use serde::{Deserialize, Serialize};

use super::names;

/// A Job or a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// `Job` or `CronJob`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it carries the label that only a pod needs.
    pub has_label: bool,
    /// Whether it is to make no pods.
    pub is_suspended: bool,
    /// Whether it is complete.
    pub is_complete: bool,
    /// Why it has failed.
    pub failed: Option<String>,
}

// === impl Owner ===

impl Owner {
    /// What a Job says.
    #[must_use]
    pub fn of_job(job: &Job) -> Self {
        let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            kind: "Job".to_owned(),
            name: text(&job.metadata.name),
            has_label: job.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::DRAIN_LABEL)),
            is_suspended: job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true),
            is_complete: condition("Complete").is_some(),
            failed: condition("Failed").map(|failed| format!("{}: {}", text(&failed.reason), text(&failed.message))),
        }
    }

    /// What a CronJob says.
    #[must_use]
    pub fn of_cron_job(cron_job: &CronJob) -> Self {
        Self {
            kind: "CronJob".to_owned(),
            name: cron_job.metadata.name.clone().unwrap_or_default(),
            has_label: cron_job.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::DRAIN_LABEL)),
            is_suspended: cron_job.spec.suspend == Some(true),
            is_complete: false,
            failed: None,
        }
    }

    /// What it does now, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (&self.failed, self.is_complete, self.is_suspended, self.kind.as_str()) {
            (Some(why), ..) => format!("it has failed ({why}), and has no pod"),
            (None, true, ..) => "it is complete, and has no pod any more".to_owned(),
            (None, false, true, _) => "it is suspended, and has no pod".to_owned(),
            (None, false, false, "CronJob") => "it has no Job".to_owned(),
            (None, false, false, _) => "it has no pod".to_owned(),
        }
    }
}
