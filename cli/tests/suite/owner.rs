//! `explain job/NAME` and `explain cronjob/NAME`.

use crate::double::{Answer, Double, page, printed, recorded, refusal};
use serde_json::{Value, json};

const BATCH: &str = "/apis/batch/v1/namespaces/jobs";
const QUOTA: &str =
    "Error creating: pods \"plain-x\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1";

/// A Job as a real API server gave it, with its uid.
fn job() -> Value {
    serde_json::from_str(include_str!("owners/job-classic-active.json")).unwrap()
}

fn list(kind: &str, items: &[Value]) -> Answer {
    (200, json!({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": items}))
}

/// The pod of that Job, which hangs.
fn pod(name: &str, created: &str, phase: &str) -> Value {
    let mut pod = recorded("job-classic-notready");
    assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], job()["metadata"]["uid"]);
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["creationTimestamp"] = json!(created);
    pod["status"]["phase"] = json!(phase);
    pod
}

/// What `explain` says of a name. `change` changes the Job, and `message` is what the API server has answered to the owner.
fn explain(name: &str, pods: Vec<Value>, message: &'static str, change: impl Fn(&mut Value)) -> (Double, (String, String, i32)) {
    let mut job = job();
    change(&mut job);
    let server = Double::start(move |request, _| match request.path.strip_prefix(BATCH) {
        Some("/jobs/plain") => (200, job.clone()),
        Some("/jobs") => list("JobList", std::slice::from_ref(&job)),
        Some("/cronjobs/nightly") => {
            let spec = json!({"schedule": "0 0 * * *", "suspend": true, "jobTemplate": {"spec": job["spec"]}});
            (
                200,
                json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "uid": "cron"}, "spec": spec}),
            )
        }
        Some(_) => refusal(404, "NotFound", "not found"),
        None if request.path.ends_with("/pods") => page(&pods, ""),
        None if request.path.ends_with("/events") && !message.is_empty() => {
            let involved = json!({"kind": "Job", "name": "plain"});
            let event = json!({"metadata": {}, "involvedObject": involved, "reason": "FailedCreate", "message": message});
            list("EventList", &[event])
        }
        None => list("List", &[]),
    });
    let output = printed(&server.run(&["explain", name, "--no-forward"]));
    (server, output)
}

#[test]
fn a_job_whose_pods_are_refused_is_explained() {
    let (server, (out, error, code)) = explain("job/plain", vec![], QUOTA, |_| {});
    assert!(out.starts_with("Job/plain in namespace jobs: it has no pod.\n"), "{out}{error}");
    assert!(out.contains("\nquota: ") && out.contains("exceeded quota: pods"), "{out}");
    assert_eq!(code, 1);
    let seen = server.seen();
    let events = seen.iter().find(|request| request.path.ends_with("/events")).unwrap();
    assert!(events.query.contains("involvedObject.kind%3DJob") && events.query.contains("plain"), "{}", events.query);
    assert!(seen.iter().all(|request| request.verb == "GET"));
}

#[test]
fn the_mistakes_of_its_template_are_told_too() {
    let stripped = |job: &mut Value| {
        job["spec"]["template"]["spec"]["initContainers"] = json!([{"name": "exeunt", "image": "exeunt-agent"}]);
    };
    let (_, (out, _, _)) = explain("jobs/plain", vec![], QUOTA, stripped);
    assert!(out.contains("\nquota: ") && out.contains("\nagent-stripped: "), "{out}");
}

#[test]
fn the_newest_pod_that_has_not_succeeded_is_looked_at() {
    let pods = vec![
        pod("oldest", "2026-11-22T10:00:00Z", "Running"),
        pod("middle", "2026-11-22T11:00:00Z", "Running"),
        pod("newest", "2026-11-22T12:00:00Z", "Succeeded"),
    ];
    let (_, (out, error, _)) = explain("job.batch/plain", pods, "", |_| {});
    assert!(out.starts_with("middle in namespace jobs: "), "{out}{error}");
}

#[test]
fn a_pod_of_another_job_with_the_same_labels_is_not() {
    let mut other = pod("other", "2026-11-22T10:00:00Z", "Running");
    other["metadata"]["ownerReferences"][0]["uid"] = json!("another");
    let (_, (out, _, _)) = explain("job/plain", vec![other], "", |_| {});
    assert!(out.contains("it has no pod"), "{out}");
}

#[test]
fn a_failed_job_says_why() {
    let failed = |job: &mut Value| {
        let condition =
            json!({"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active too long"});
        job["status"] = json!({"conditions": [condition]});
    };
    let (_, (out, _, _)) = explain("job/plain", vec![], "", failed);
    assert!(out.contains("it has failed (DeadlineExceeded: Job was active too long), and has no pod"), "{out}");
    assert!(out.contains("\njob-failed: "), "{out}");
}

#[test]
fn a_cron_job_is_looked_at_by_its_newest_job() {
    let of_cron_job = |job: &mut Value| {
        let owner = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "cron", "controller": true});
        job["metadata"]["ownerReferences"] = json!([owner]);
    };
    let (_, (out, error, _)) = explain("cronjob/nightly", vec![pod("one", "2026-11-22T10:00:00Z", "Running")], "", of_cron_job);
    assert!(out.starts_with("one in namespace jobs: "), "{out}{error}");
    let (_, (out, _, code)) = explain("cj/nightly", vec![], "", |_| {});
    assert!(out.starts_with("CronJob/nightly in namespace jobs: it is suspended, and has no pod.\n"), "{out}");
    assert!(out.contains("\nsuspended: "), "{out}");
    assert_eq!(code, 1);
}

#[test]
fn a_wrong_name_or_type_is_told() {
    let (_, (_, error, code)) = explain("job/plan", vec![], "", |_| {});
    assert!(error.contains("job plan in namespace jobs: not found; there is plain"), "{error}");
    assert_eq!(code, 2);
    let (_, (_, error, code)) = explain("deployment/plain", vec![], "", |_| {});
    assert!(error.contains("explain knows pod/NAME, job/NAME and cronjob/NAME"), "{error}");
    assert_eq!(code, 2);
}
