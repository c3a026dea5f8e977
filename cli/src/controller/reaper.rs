//! Ends one pod, and says so on the pod.

use jiff::Timestamp;
use tokio::time::Instant;

use super::due::{Plan, plan};
use super::opt_in::is_opted_in;
use super::options::Settings;
use super::report::Report;
use crate::cluster::{Cluster, Note, Target};
use crate::output::warn;
use crate::pod::{Facts, names};
use crate::rescue::Rescue;

/// Ends pods.
#[derive(Clone)]
pub struct Reaper {
    /// Where.
    pub cluster: Cluster,
    /// Which, and how.
    pub settings: Settings,
}

/// A pod that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which pod.
    pub target: Target,
    /// When its last main container ended.
    pub since: Timestamp,
    /// How many rescues have failed.
    pub failed: u32,
    /// How many were refused before they began.
    pub refused: u32,
    /// Whether its Namespace has the label.
    pub is_namespace_on: bool,
}

// === impl Reaper ===

impl Reaper {
    /// Reads the pod again, ends it if it still is due, and waits for that.
    pub async fn end(&self, due: Due) -> Report {
        let Due { target, since, failed, refused, is_namespace_on } = due;
        let may = |facts: &Facts<'_>| self.may(facts, is_namespace_on);
        match Rescue::begin_if(&self.cluster, &target, &self.settings.image, may).await {
            Ok(rescue) => {
                let outcome = rescue.wait(&self.cluster, Instant::now() + self.settings.timeout).await;
                Report::of(target, since, failed, outcome)
            }
            Err(hindrance) => Report::hindered(target, since, refused, hindrance),
        }
    }

    /// Writes an Event. One that is not written is no reason to stop: the pod was ended all the same.
    pub async fn tell(&self, note: Note) {
        if let Err(error) = self.cluster.tell(&note).await {
            warn(&format!("{}/{}: no Event {}: {error}", note.namespace, note.pod, note.reason));
        }
    }

    fn may(&self, facts: &Facts<'_>, is_namespace_on: bool) -> Result<(), String> {
        crate::rescue::qualify(facts, false)?;
        if !is_opted_in(facts.label(names::REAP_LABEL), is_namespace_on, self.settings.is_named) {
            return Err(format!("its label {} has changed", names::REAP_LABEL));
        }
        match plan(facts, &self.settings) {
            Plan::Try { at, .. } if self.cluster.now().is_some_and(|now| now >= at) => Ok(()),
            _ => Err("it has changed, and is not due".to_owned()),
        }
    }
}
