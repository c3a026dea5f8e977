//! The pod of a Job or a CronJob, or why there is none.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;

use super::connect::Cluster;
use super::error::{Error, Kind};
use super::names::nearest;
use super::pods::Scope;
use crate::pod::{Owner, Surroundings};

/// What a Job or a CronJob has made.
#[derive(Clone, Debug)]
pub enum Made {
    /// The pod to look at, and how many others there are.
    Pod(Box<Pod>, usize),
    /// None. The pod is what the template says, without a uid.
    Nothing(Box<Pod>, Box<Surroundings>),
}

/// What makes pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// A Job.
    Job,
    /// A CronJob.
    CronJob,
}

// === impl Cluster ===

impl Cluster {
    /// The pod of a Job or a CronJob.
    pub async fn made(&self, maker: Maker, namespace: &str, name: &str) -> Result<Made, Error> {
        match maker {
            Maker::Job => {
                let api: Api<Job> = Api::namespaced(self.client(), namespace);
                let job = self.named(&api, "job", namespace, name).await?;
                self.of_job(namespace, job).await
            }
            Maker::CronJob => {
                let api: Api<CronJob> = Api::namespaced(self.client(), namespace);
                let cron_job = self.named(&api, "cronjob", namespace, name).await?;
                let uid = cron_job.metadata.uid.as_deref();
                let jobs: Api<Job> = Api::namespaced(self.client(), namespace);
                let scope = Scope { namespace: Some(namespace.to_owned()), ..Scope::default() };
                let own = |job: Job| is_of(&job.metadata, uid).then_some(job);
                let mut jobs = self.pages(&jobs, "jobs", &scope, own).await?;
                jobs.sort_by_key(|job| job.metadata.creation_timestamp.as_ref().map(|time| time.0));
                if let Some(job) = jobs.pop() {
                    return self.of_job(namespace, job).await;
                }
                let template = cron_job.spec.job_template.spec.as_ref().map(|spec| &spec.template);
                Ok(self.nothing(namespace, &cron_job.metadata, template, Owner::of_cron_job(&cron_job)).await)
            }
        }
    }

    /// The newest pod that has not succeeded, else the newest one.
    async fn of_job(&self, namespace: &str, job: Job) -> Result<Made, Error> {
        let labels = job.spec.as_ref().and_then(|spec| spec.selector.as_ref()?.match_labels.clone()).unwrap_or_default();
        let selector = labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
        let scope = Scope { namespace: Some(namespace.to_owned()), selector: Some(selector), ..Scope::default() };
        let uid = job.metadata.uid.as_deref();
        let mut pods = self.pods(&scope, |pod| is_of(&pod.metadata, uid).then_some(pod)).await?;
        let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone());
        let has_succeeded = |pod: &Pod| phase(pod).as_deref() == Some("Succeeded");
        pods.sort_by_key(|pod| (!has_succeeded(pod), pod.metadata.creation_timestamp.as_ref().map(|time| time.0)));
        if let Some(pod) = pods.pop() {
            return Ok(Made::Pod(Box::new(pod), pods.len()));
        }
        let template = job.spec.as_ref().map(|spec| &spec.template);
        Ok(self.nothing(namespace, &job.metadata, template, Owner::of_job(&job)).await)
    }

    async fn nothing(&self, namespace: &str, owner_meta: &ObjectMeta, template: Option<&PodTemplateSpec>, owner: Owner) -> Made {
        let template = template.cloned().unwrap_or_default();
        let reference = OwnerReference {
            controller: Some(true),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            uid: owner_meta.uid.clone().unwrap_or_default(),
            ..OwnerReference::default()
        };
        let metadata = ObjectMeta {
            name: Some(owner.name.clone()),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(vec![reference]),
            ..template.metadata.unwrap_or_default()
        };
        let pod = Pod { metadata, spec: template.spec, status: None };
        let mut around = self.surroundings(&pod).await;
        around.owner = Some(owner);
        Made::Nothing(Box::new(pod), Box::new(around))
    }

    /// One object. If there is none of that name, the error names those that are near.
    async fn named<K>(&self, api: &Api<K>, kind: &str, namespace: &str, name: &str) -> Result<K, Error>
    where
        K: kube::Resource + Clone + serde::de::DeserializeOwned + core::fmt::Debug,
    {
        let mut error = match api.get(name).await {
            Ok(object) => return Ok(object),
            Err(error) => Error::of("get", &format!("{kind} {name} in namespace {namespace}"), &error),
        };
        if error.kind == Kind::NotFound {
            let scope = Scope { namespace: Some(namespace.to_owned()), ..Scope::default() };
            let names = self.pages(api, kind, &scope, |object: K| object.meta().name.clone()).await.unwrap_or_default();
            let near = nearest(name, names);
            if !near.is_empty() {
                error.line = format!("{}; there is {}", error.line, near.join(", "));
            }
        }
        Err(error)
    }
}

/// Whether the object with that uid has made it.
fn is_of(metadata: &ObjectMeta, uid: Option<&str>) -> bool {
    let mut owners = metadata.owner_references.iter().flatten();
    uid.is_some() && owners.any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid)
}
