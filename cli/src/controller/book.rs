//! The pods that a watch has shown and that are not ended yet. Pure. Of each pod it keeps a few words, and only as long as the pod is stuck: a
//! pod that runs costs nothing, because its next change is shown, too.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tokio::time::Instant;

use super::due::{MOST_TRIES, Plan, pause, plan};
use super::opt_in::is_opted_in;
use super::options::Settings;
use super::reaper::Due;
use super::report::{Fate, Report};
use crate::cluster::Target;
use crate::pod::{Facts, names};

/// The pods that are stuck.
#[derive(Debug, Default)]
pub struct Book {
    pods: HashMap<String, Entry>,
    /// The Namespaces that have the label.
    marked: HashSet<String>,
    /// How often each scope was listed from the start.
    lists: HashMap<usize, u64>,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    scope: usize,
    /// The list that has shown it last.
    list: u64,
    own_label: Option<bool>,
    at: Timestamp,
    since: Timestamp,
    failed: u32,
    refused: u32,
    /// Not before, after a try that has not begun.
    again: Option<Instant>,
    is_under_way: bool,
    /// Whether a dry run has named it.
    is_named: bool,
}

// === impl Book ===

impl Book {
    /// A version of a pod.
    pub fn see(&mut self, scope: usize, facts: &Facts<'_>, settings: &Settings) {
        let label = facts.label(names::REAP_LABEL);
        let is_possible = is_opted_in(label, settings.reads_namespaces, settings.is_named);
        let (Plan::Try { at, since, failed }, true) = (plan(facts, settings), is_possible) else {
            self.pods.remove(facts.uid);
            return;
        };
        let list = self.lists.get(&scope).copied().unwrap_or_default();
        let own_label = label.map(|label| label == "on");
        let target = Target::of(facts.pod);
        let new = Entry {
            target,
            scope,
            list,
            own_label,
            at,
            since,
            failed,
            refused: 0,
            again: None,
            is_under_way: false,
            is_named: false,
        };
        let old = self.pods.remove(facts.uid);
        let entry = match old {
            Some(Entry { refused, again, is_under_way, is_named, .. }) => Entry { refused, again, is_under_way, is_named, ..new },
            None => new,
        };
        self.pods.insert(facts.uid.to_owned(), entry);
    }

    /// A pod was deleted.
    pub fn gone(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    /// A scope is listed from the start.
    pub fn begin(&mut self, scope: usize) {
        *self.lists.entry(scope).or_default() += 1;
    }

    /// That list is complete: who was not in it has gone.
    pub fn complete(&mut self, scope: usize) {
        let list = self.lists.get(&scope).copied().unwrap_or_default();
        self.pods.retain(|_, entry| entry.scope != scope || entry.list == list);
    }

    /// The Namespaces are listed from the start.
    pub fn forget_namespaces(&mut self) {
        self.marked.clear();
    }

    /// Whether a Namespace has the label.
    pub fn mark(&mut self, namespace: String, is_on: bool) {
        if is_on {
            self.marked.insert(namespace);
        } else {
            self.marked.remove(&namespace);
        }
    }

    /// Whether a pod is due.
    #[must_use]
    pub fn has_due(&self, time: Timestamp, now: Instant, settings: &Settings) -> bool {
        self.pods.values().any(|entry| entry.is_due(&self.marked, time, now, settings))
    }

    /// Up to `most` pods that are due, who has waited longest first. Each counts as under way until [`Self::ended`].
    pub fn take(&mut self, most: usize, time: Timestamp, now: Instant, settings: &Settings) -> Vec<Due> {
        let marked = &self.marked;
        let mut due = self.pods.values_mut().filter(|entry| entry.is_due(marked, time, now, settings)).collect::<Vec<_>>();
        due.sort_by(|a, b| (a.since, &a.target.uid).cmp(&(b.since, &b.target.uid)));
        due.truncate(most);
        let take = |entry: &mut Entry| {
            (entry.is_under_way, entry.is_named) = (!settings.is_dry_run, true);
            Due {
                target: entry.target.clone(),
                since: entry.since,
                failed: entry.failed,
                refused: entry.refused,
                is_namespace_on: marked.contains(&entry.target.namespace),
            }
        };
        due.into_iter().map(take).collect()
    }

    /// A try has ended. One that has not begun leaves nothing in the pod, so it is remembered here.
    pub fn ended(&mut self, report: &Report, now: Instant, settings: &Settings) {
        let Some(entry) = self.pods.get_mut(&report.uid) else { return };
        entry.is_under_way = false;
        if matches!(report.result, Fate::Refused | Fate::GivenUp) {
            entry.refused += 1;
        }
        // One that was settled by somebody else is shown again as soon as it changes.
        let wait = pause(settings.again_after, entry.refused);
        entry.again = core::time::Duration::try_from(wait).ok().and_then(|wait| now.checked_add(wait));
    }
}

// === impl Entry ===

impl Entry {
    fn is_due(&self, marked: &HashSet<String>, time: Timestamp, now: Instant, settings: &Settings) -> bool {
        let label = self.own_label.map(|is_on| if is_on { "on" } else { "off" });
        self.at <= time
            && !self.is_under_way
            && !(settings.is_dry_run && self.is_named)
            && self.refused < MOST_TRIES
            && self.again.is_none_or(|again| again <= now)
            && is_opted_in(label, marked.contains(&self.target.namespace), settings.is_named)
    }
}
