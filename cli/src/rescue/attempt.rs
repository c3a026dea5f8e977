//! One rescue, from the container that was added to its verdict.

use core::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::forwarded::Forwarded;
use super::hindrance::{Cause, Hindrance};
use super::qualify::{NO_IMAGE, qualify, waits_for_image};
use crate::cluster::{Cluster, ErrorKind, Target};
use crate::output::safe;
use crate::pod::{Facts, State, Verdict, names};

/// How often the pod is read. A watch would need one more right.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a pod is read again that has changed between the look and the rescue.
const TRIES: u32 = 5;

/// A rescue that has begun.
#[derive(Clone, Debug)]
pub struct Rescue {
    namespace: String,
    /// The name of the pod.
    pub pod: String,
    uid: String,
    /// The name of the container that was added.
    pub container: String,
    image: String,
    /// Whether the log of the container is read where its termination message has no verdict. That needs one more right.
    reads_log: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    namespace: String,
    pod: String,
    /// Whether the proxy is gone.
    pub is_gone: bool,
    /// What the agent has written.
    pub verdict: Option<Verdict>,
    /// What is known instead of a verdict, if it was done by port-forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<Forwarded>,
    /// What went wrong.
    pub trouble: Option<String>,
    /// Why the agent has not ended, if it has not.
    #[serde(skip)]
    pub cause: Option<Cause>,
}

// === impl Rescue ===

impl Rescue {
    /// Reads the pod again, looks again, and adds the container. A pod that has changed in between is read once more. The error says why
    /// nothing was done.
    pub async fn begin(cluster: &Cluster, seen: &Pod, image: &str, force: bool) -> Result<Self, Hindrance> {
        let begun = Self::begin_if(cluster, &Target::of(seen), image, |facts| qualify(facts, force).map(drop)).await;
        begun.map(|rescue| Self { reads_log: true, ..rescue })
    }

    /// The same, if `may` agrees to what was read last.
    pub async fn begin_if(
        cluster: &Cluster,
        target: &Target,
        image: &str,
        may: impl Fn(&Facts<'_>) -> Result<(), String>,
    ) -> Result<Self, Hindrance> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let again = cluster.same_pod(&target.namespace, &target.pod, &target.uid).await;
            let Some(pod) = again.map_err(|error| Hindrance::Refused(error.line))? else {
                return Err(Hindrance::Settled("it has gone, or another pod has its name now".to_owned()));
            };
            let facts = Facts::of(&pod);
            may(&facts).map_err(Hindrance::Settled)?;
            if let Some(container) = waits_for_image(&facts, image) {
                let why =
                    format!("kubelet cannot have the image {image} for the container {container}: name another with --image");
                return Err(Hindrance::Refused(why));
            }
            // The API server's clock: the time in the name says later when it was tried.
            let now = cluster.now().unwrap_or_else(Timestamp::now);
            let rescue = Self::of(target.clone(), name(&facts, now.as_second()), image.to_owned());
            match cluster.add_rescue(&pod, &rescue.container, image).await {
                Ok(()) => return Ok(rescue),
                Err(error) if error.kind == ErrorKind::Conflict => last = error.line,
                // The pod has gone since, or the cluster knows no ephemeral containers.
                Err(error) if error.kind == ErrorKind::NotFound => {
                    match cluster.same_pod(&target.namespace, &target.pod, &target.uid).await {
                        Ok(None) => return Err(Hindrance::Settled("it has gone".to_owned())),
                        _ => return Err(Hindrance::Barred(error.line)),
                    }
                }
                Err(error) if error.kind == ErrorKind::Refused => return Err(Hindrance::Barred(error.line)),
                Err(error) => return Err(Hindrance::Refused(error.line)),
            }
        }
        Err(Hindrance::Refused(last))
    }

    fn of(target: Target, container: String, image: String) -> Self {
        Self { namespace: target.namespace, pod: target.pod, uid: target.uid, container, image, reads_log: false }
    }

    /// Waits for the end of the agent.
    pub async fn wait(self, cluster: &Cluster, until: Instant) -> Outcome {
        loop {
            match cluster.same_pod(&self.namespace, &self.pod, &self.uid).await {
                Ok(None) => return self.outcome(true, None, None),
                // The agent goes on without us: one answer that fails is no reason to stop.
                Err(error) if Instant::now() >= until => return self.not_yet(Cause::Time, error.line),
                Err(_) => {}
                Ok(Some(pod)) => {
                    if let Some(outcome) = self.look(cluster, &Facts::of(&pod)).await {
                        return outcome;
                    }
                    if Instant::now() >= until {
                        let trouble = format!(
                            "not ended yet: `kubectl logs {} -c {}` shows what the agent waits for",
                            self.pod, self.container
                        );
                        return self.not_yet(Cause::Time, trouble);
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn look(&self, cluster: &Cluster, facts: &Facts<'_>) -> Option<Outcome> {
        match &facts.container(&self.container)?.state {
            State::Waiting { reason, message } if NO_IMAGE.contains(&reason.as_str()) => {
                let trouble = format!(
                    "kubelet cannot have the image {} ({reason}: {message}): name one with --image. The container {} does not keep the pod",
                    self.image, self.container
                );
                Some(self.not_yet(Cause::NoImage, trouble))
            }
            State::Waiting { .. } | State::Running { .. } => None,
            State::Ended(end) => {
                let mut verdict = Verdict::read(&end.message);
                if verdict.is_none() && self.reads_log {
                    let log = cluster.log(&self.namespace, &self.pod, &self.container).await;
                    verdict = log.ok().and_then(|log| Verdict::read(&log));
                }
                let is_gone =
                    verdict.as_ref().map_or(end.exit_code == 0, |verdict| verdict.proxy == "gone" || verdict.proxy == "none");
                let trouble =
                    verdict.is_none().then(|| format!("the agent exited with {}, and its verdict cannot be read", end.exit_code));
                Some(self.outcome(is_gone, verdict, trouble))
            }
        }
    }

    fn outcome(&self, is_gone: bool, verdict: Option<Verdict>, trouble: Option<String>) -> Outcome {
        Outcome {
            namespace: self.namespace.clone(),
            pod: self.pod.clone(),
            is_gone,
            verdict,
            forwarded: None,
            trouble,
            cause: None,
        }
    }

    fn not_yet(&self, cause: Cause, trouble: String) -> Outcome {
        Outcome { cause: Some(cause), ..self.outcome(false, None, Some(trouble)) }
    }
}

/// The name of the next container: a pod keeps every ephemeral container, so each try has a name of its own.
fn name(facts: &Facts<'_>, second: i64) -> String {
    let of = |second: i64| format!("{}{second}", names::RESCUE);
    let mut seconds = (second..).map(of);
    seconds.find(|name| facts.container(name).is_none()).unwrap_or_else(|| of(second))
}

// === impl Outcome ===

impl Outcome {
    /// A rescue that has not begun.
    #[must_use]
    pub fn failed(pod: &Pod, trouble: &str) -> Self {
        let target = Target::of(pod);
        let trouble = Some(format!("not ended: {trouble}"));
        Self {
            namespace: target.namespace,
            pod: target.pod,
            is_gone: false,
            verdict: None,
            forwarded: None,
            trouble,
            cause: None,
        }
    }

    pub(super) fn by_forward(target: &Target, is_gone: bool, forwarded: Forwarded, trouble: Option<String>) -> Self {
        let (namespace, pod) = (target.namespace.clone(), target.pod.clone());
        Self { namespace, pod, is_gone, verdict: None, forwarded: Some(forwarded), trouble, cause: None }
    }

    /// One line for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        safe(&format!("{}: {}", self.pod, self.told()))
    }

    /// The same without the name of the pod.
    #[must_use]
    pub fn told(&self) -> String {
        let mut parts = Vec::new();
        match (&self.verdict, &self.forwarded) {
            (Some(verdict), _) => parts.extend(told(verdict)),
            (None, Some(forwarded)) if self.is_gone => parts.extend(forwarded.told()),
            (None, None) if self.is_gone && self.trouble.is_none() => parts.push("the pod has gone, with its verdict".to_owned()),
            (None, _) => {}
        }
        parts.extend(self.trouble.clone());
        safe(&parts.join("; "))
    }
}

/// What a verdict says, in the order in which a person asks.
fn told(verdict: &Verdict) -> Vec<String> {
    let route = verdict.route.as_deref().map(|route| format!(" by {route}")).unwrap_or_default();
    let time = verdict.drain_ms.map(|ms| format!(" after {ms} ms")).unwrap_or_default();
    let proxy = match verdict.proxy.as_str() {
        "gone" => format!("istio-proxy is gone{time}{route}"),
        "none" => "istio-proxy was gone already".to_owned(),
        "stays" => "istio-proxy could not be ended".to_owned(),
        "left" => "istio-proxy is drained, and kubelet ends it".to_owned(),
        other => format!("istio-proxy: {other}"),
    };
    let lost = verdict.undelivered.map(|lost| match (lost.connections, lost.bytes, lost.at_least) {
        (0, 0, false) => "everything is delivered".to_owned(),
        (connections, bytes, more) => {
            let more = if more { "at least " } else { "" };
            format!("{more}{bytes} bytes on {connections} connections were not delivered")
        }
    });
    let refused = verdict.refused.iter().map(|refusal| refusal.reason.clone());
    [Some(proxy), lost].into_iter().flatten().chain(refused).chain(verdict.advice.clone()).collect()
}
