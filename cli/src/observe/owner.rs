//! Who has made a pod, as one of few words.

use jiff::Timestamp;

use crate::pod::Facts;

/// The label with which Spark's operator marks the pods of an application. Its executors are owned by the driver's pod.
const SPARK: &str = "sparkoperator.k8s.io/app-name";
/// The number at the end of the name of a CronJob's Job is the time of its schedule. A pod is created at most so long after it: a Job can
/// wait for its quota, and can try again.
const LATE: i64 = 30 * 24 * 3600;
/// And at most so long before it, because clocks differ.
const EARLY: i64 = 3600;

/// The kind of the pod's owner: one of a closed set. Whoever may create a pod may write any owner into it.
pub(super) fn kind(facts: &Facts<'_>) -> &'static str {
    if facts.label(SPARK).is_some() {
        return "SparkApplication";
    }
    match facts.owner() {
        None => "Pod",
        Some(("Job", name)) if is_scheduled(name, created(facts)) => "CronJob",
        Some(("Job", _)) => "Job",
        Some(("Workflow", _)) => "Workflow",
        Some(("TaskRun", _)) => "TaskRun",
        Some(("SparkApplication", _)) => "SparkApplication",
        Some(_) => "Other",
    }
}

/// Whether a Job has the name that a CronJob gives: the CronJob's own and the minute of the schedule, as a number.
fn is_scheduled(job: &str, created: Option<Timestamp>) -> bool {
    let minutes = job.rsplit_once('-').and_then(|(_, minutes)| minutes.parse::<i64>().ok());
    let seconds = minutes.and_then(|minutes| minutes.checked_mul(60));
    let (Some(scheduled), Some(created)) = (seconds, created) else { return false };
    (-EARLY..LATE).contains(&created.as_second().saturating_sub(scheduled))
}

pub(super) fn created(facts: &Facts<'_>) -> Option<Timestamp> {
    facts.pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}
