//! `end`: the rescue of pods that hang. It looks, asks, adds an ephemeral container with the agent, waits, and tells the verdict.

use core::time::Duration;
use std::io::{BufRead as _, IsTerminal as _};

use clap::{ArgGroup, Args, ValueEnum};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use super::{AGENT_IMAGE, Common};
use crate::cluster::Cluster;
use crate::output::{Exit, Failure, Format, print, print_object, progress, safe, warn};
use crate::pod::{Facts, Surroundings};
use crate::rescue::{Forward, Hindrance, Outcome, Qualified, Rescue, qualify};
use crate::rules::{self, Case};

/// How many proxies are drained by port-forward at once.
const FORWARDS: usize = 16;

/// End the Istio proxy of pods whose task has ended, and lose nothing
///
/// Adds an ephemeral container with the agent to each pod. The agent drains the proxy, ends it when everything is delivered, and leaves;
/// the pod then ends with the exit code of its task. The pod needs no preparation.
///
/// Where no container may be added to a pod, the command itself drains the proxy, by port-forward to Envoy's admin interface, and says what it
/// cannot see from there.
///
/// A pod qualifies only if all its main containers have ended for good, and its proxy is classic and runs. It is read again just before,
/// and the change names the uid and the version that were read.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["pods", "selector", "all_stuck"]))]
pub(super) struct End {
    /// The pods, by name
    #[arg(value_name = "POD", conflicts_with_all = ["selector", "all_stuck", "all_namespaces"])]
    pods: Vec<String>,
    /// All pods that are stuck
    #[arg(long)]
    all_stuck: bool,
    /// The agent's image
    #[arg(long, value_name = "IMAGE", default_value = AGENT_IMAGE)]
    image: String,
    /// The way to the proxy
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    by: By,
    /// By port-forward: how long Envoy must have nothing in flight before it is ended. The kernel's queues are not seen from outside
    #[arg(long, value_name = "SECONDS", default_value_t = Forward::SETTLE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    settle: u64,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before more than one pod
    #[arg(short, long)]
    yes: bool,
    /// End the proxy although the task may not have ended, and say what that overrides. A native proxy is never ended
    #[arg(long, requires = "pods")]
    force: bool,
    /// How long to wait for the proxies to end
    #[arg(long, value_name = "SECONDS", default_value_t = 330)]
    timeout: u64,
}

/// The way to the proxy of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum By {
    /// An ephemeral container; a port-forward if you may add none
    #[default]
    Auto,
    /// An ephemeral container with the agent
    Ephemeral,
    /// A port-forward to the admin interface
    Forward,
}

/// A rescue that has begun.
enum Begun {
    Agent(Rescue),
    Forward(Forward),
}

// === impl End ===

impl End {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        let cluster = common.cluster().await?;
        let (chosen, refused) = self.choose(&cluster, common).await?;
        if chosen.is_empty() {
            if refused == 0 {
                progress("no pod is stuck");
            }
            return Ok(if refused > 0 { Exit::NotNow } else { Exit::Fine });
        }
        if self.dry_run {
            for (pod, qualified) in &chosen {
                let overridden =
                    qualified.overridden.as_deref().map(|why| format!(" (--force overrides: {why})")).unwrap_or_default();
                print(&format!("{}: would be ended{}\n", safe(&name_of(pod)), safe(&overridden)));
            }
            return Ok(if refused > 0 { Exit::NotNow } else { Exit::Fine });
        }
        if chosen.len() > 1 && !self.yes && !agreed(chosen.len()) {
            return Ok(Exit::NotNow);
        }
        let outcomes = self.end_all(&cluster, chosen).await;
        if common.output == Format::Table {
            for outcome in &outcomes {
                print(&format!("{}\n", outcome.sentence()));
            }
        } else {
            print_object(common.output, &outcomes)?;
        }
        Ok(match (outcomes.iter().all(|outcome| outcome.is_gone), refused) {
            (true, 0) => Exit::Fine,
            (true, _) => Exit::NotNow,
            (false, _) => Exit::Stuck,
        })
    }

    /// The pods that qualify, and how many of the named ones do not. A search takes what is stuck, and says nothing of the rest.
    async fn choose(&self, cluster: &Cluster, common: &Common) -> Result<(Vec<(Pod, Qualified)>, usize), Failure> {
        if self.pods.is_empty() {
            let now = Timestamp::now();
            let keep = |pod: Pod| {
                let facts = Facts::of(&pod);
                let case = Case { facts: &facts, around: &Surroundings::default() };
                let is_stuck = case.standing(&rules::findings(&case), now).is_stuck();
                let qualified = is_stuck.then(|| qualify(&facts, false).ok())??;
                Some((pod, qualified))
            };
            return Ok((cluster.pods(&common.scope, keep).await?, 0));
        }
        let (mut chosen, mut refused) = (Vec::new(), 0);
        for name in &self.pods {
            // `kubectl get -o name` prints pod/NAME.
            let name = name.strip_prefix("pod/").unwrap_or(name);
            let pod = cluster.pod(cluster.namespace_of(&common.scope), name).await?;
            match qualify(&Facts::of(&pod), self.force) {
                Ok(qualified) => chosen.push((pod, qualified)),
                Err(why) => {
                    refused += 1;
                    warn(&format!("{name}: not ended: {why}"));
                }
            }
        }
        Ok((chosen, refused))
    }

    /// Begins with all of them before it waits for the first, so that one slow receiver does not keep the others.
    async fn end_all(&self, cluster: &Cluster, chosen: Vec<(Pod, Qualified)>) -> Vec<Outcome> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        let (mut begun, mut forwards, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for (pod, qualified) in chosen {
            if let Some(why) = &qualified.overridden {
                warn(&format!("{}: --force overrides: {why}", name_of(&pod)));
            }
            match self.begin(cluster, &pod).await {
                Ok(Begun::Agent(rescue)) => begun.push(rescue),
                Ok(Begun::Forward(forward)) => forwards.push(forward),
                Err(why) => outcomes.push(Outcome::failed(&pod, &why)),
            }
        }
        for forward in &forwards {
            progress(&format!("{}: istio-proxy is drained by port-forward", forward.pod()));
        }
        // They need this command to go on, so they do not wait for the agents.
        let forwards = futures_util::stream::iter(forwards).map(|forward| forward.run(cluster, until)).buffer_unordered(FORWARDS);
        let agents = async {
            let mut outcomes = Vec::new();
            for rescue in begun {
                progress(&format!("{}: the agent drains istio-proxy", rescue.pod));
                outcomes.push(rescue.wait(cluster, until).await);
            }
            outcomes
        };
        let (forwarded, ended) = tokio::join!(forwards.collect::<Vec<_>>(), agents);
        outcomes.extend(forwarded);
        outcomes.extend(ended);
        outcomes
    }

    async fn begin(&self, cluster: &Cluster, pod: &Pod) -> Result<Begun, String> {
        let settle = Duration::from_secs(self.settle);
        if self.by == By::Forward {
            return Forward::begin(cluster, pod, settle, self.force).await.map(Begun::Forward);
        }
        match Rescue::begin(cluster, pod, &self.image, self.force).await {
            Ok(rescue) => Ok(Begun::Agent(rescue)),
            Err(Hindrance::Barred(why)) if self.by == By::Auto => {
                progress(&format!("{}: {why}: trying a port-forward", name_of(pod)));
                let forward = Forward::begin(cluster, pod, settle, self.force).await?;
                Ok(Begun::Forward(forward.instead_of(why)))
            }
            Err(Hindrance::Barred(why)) => Err(format!("{why}. --by forward needs pods/portforward instead")),
            Err(hindrance) => Err(hindrance.why()),
        }
    }
}

fn name_of(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}

/// Asks on a terminal. Elsewhere nobody can agree.
fn agreed(pods: usize) -> bool {
    if !std::io::stdin().is_terminal() {
        warn(&format!("{pods} pods qualify: add --yes, because nobody can be asked here"));
        return false;
    }
    warn(&format!("end the proxies of {pods} pods? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
