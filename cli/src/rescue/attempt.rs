//! One rescue, from the container that was added to its verdict.

use core::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::forwarded::Forwarded;
use super::qualify::qualify;
use crate::cluster::{Cluster, ErrorKind, Target};
use crate::output::safe;
use crate::pod::{Facts, State, Verdict, names};

/// How often the pod is read. A watch would need one more right.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a pod is read again that has changed between the look and the rescue.
const TRIES: u32 = 5;
/// The reasons of kubelet for an image that it cannot have.
const NO_IMAGE: [&str; 4] = ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"];

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
}

/// Why a rescue has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBegun {
    /// One line.
    pub line: String,
    /// Whether this API server, or this account, can add no container to a pod. Then there is another way.
    pub is_barred: bool,
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
    verdict: Option<Verdict>,
    /// What is known instead of a verdict, if it was done by port-forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<Forwarded>,
    /// What went wrong.
    trouble: Option<String>,
}

// === impl Rescue ===

impl Rescue {
    /// Reads the pod again, looks again, and adds the container. A pod that has changed in between is read once more. The error says why
    /// nothing was done.
    pub async fn begin(cluster: &Cluster, seen: &Pod, image: &str, force: bool) -> Result<Self, NotBegun> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (namespace, name, uid) = (text(&seen.metadata.namespace), text(&seen.metadata.name), text(&seen.metadata.uid));
        let mut last = String::new();
        for _ in 0..TRIES {
            let again = cluster.same_pod(&namespace, &name, &uid).await.map_err(|error| error.line)?;
            let pod = again.ok_or("it has gone, or another pod has its name now")?;
            qualify(&Facts::of(&pod), force)?;
            let rescue = Self::of(&pod, image.to_owned());
            match cluster.add_rescue(&pod, &rescue.container, image).await {
                Ok(()) => return Ok(rescue),
                Err(error) if error.kind == ErrorKind::Conflict => last = error.line,
                Err(error) => {
                    let is_old = error.kind == ErrorKind::NotFound
                        && cluster.same_pod(&namespace, &name, &uid).await.is_ok_and(|pod| pod.is_some());
                    return Err(NotBegun { line: error.line, is_barred: is_old || error.kind == ErrorKind::Refused });
                }
            }
        }
        Err(last.into())
    }

    pub(super) fn of(pod: &Pod, image: String) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let meta = &pod.metadata;
        let container = format!("{}{}", names::RESCUE, Timestamp::now().as_second());
        Self { namespace: text(&meta.namespace), pod: text(&meta.name), uid: text(&meta.uid), container, image }
    }

    /// Waits for the end of the agent.
    pub async fn wait(self, cluster: &Cluster, until: Instant) -> Outcome {
        loop {
            match cluster.same_pod(&self.namespace, &self.pod, &self.uid).await {
                Ok(None) => return self.outcome(true, None, None),
                // The agent goes on without us: one answer that fails is no reason to stop.
                Err(error) if Instant::now() >= until => return self.outcome(false, None, Some(error.line)),
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
                        return self.outcome(false, None, Some(trouble));
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
                Some(self.outcome(false, None, Some(trouble)))
            }
            State::Waiting { .. } | State::Running { .. } => None,
            State::Ended(end) => {
                let mut verdict = Verdict::read(&end.message);
                if verdict.is_none() {
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
        Outcome { namespace: self.namespace.clone(), pod: self.pod.clone(), is_gone, verdict, forwarded: None, trouble }
    }
}

// === impl NotBegun ===

impl From<String> for NotBegun {
    fn from(line: String) -> Self {
        Self { line, is_barred: false }
    }
}

impl From<&str> for NotBegun {
    fn from(line: &str) -> Self {
        line.to_owned().into()
    }
}

// === impl Outcome ===

impl Outcome {
    /// A rescue that has not begun.
    #[must_use]
    pub fn failed(pod: &Pod, trouble: &str) -> Self {
        Self { trouble: Some(format!("not ended: {trouble}")), ..Rescue::of(pod, String::new()).outcome(false, None, None) }
    }

    pub(super) fn by_forward(target: &Target, is_gone: bool, forwarded: Forwarded, trouble: Option<String>) -> Self {
        let (namespace, pod) = (target.namespace.clone(), target.pod.clone());
        Self { namespace, pod, is_gone, verdict: None, forwarded: Some(forwarded), trouble }
    }

    /// One line for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut parts = Vec::new();
        match (&self.verdict, &self.forwarded) {
            (Some(verdict), _) => parts.extend(told(verdict)),
            (None, Some(forwarded)) if self.is_gone => parts.extend(forwarded.told()),
            (None, None) if self.is_gone && self.trouble.is_none() => parts.push("the pod has gone, with its verdict".to_owned()),
            (None, _) => {}
        }
        parts.extend(self.trouble.clone());
        safe(&format!("{}: {}", self.pod, parts.join("; ")))
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
