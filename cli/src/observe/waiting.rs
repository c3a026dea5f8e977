//! The pods whose task has ended and that have not: stuck, as soon as they have had time to settle.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::pod::{Facts, Standing};

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    /// The value of its label.
    pub(super) namespace: String,
    /// What it will be once it has had time to settle: `stuck` or `held`.
    pub(super) state: &'static str,
    /// From then on it is stuck.
    from: Timestamp,
    /// Its namespace, whatever its label is.
    own: Box<str>,
    /// Whether it has not been seen since a list began.
    is_old: bool,
}

/// The pods, by their uids. No more than so many are kept; the next ones are not in the metric.
#[derive(Debug)]
pub(super) struct Waiting {
    pods: HashMap<Box<str>, Pod>,
    limit: usize,
}

// === impl Pod ===

impl Pod {
    fn is_in(&self, namespace: Option<&str>) -> bool {
        namespace.is_none_or(|namespace| *self.own == *namespace)
    }
}

// === impl Waiting ===

impl Waiting {
    pub(super) fn new(limit: usize) -> Self {
        Self { pods: HashMap::new(), limit }
    }

    /// Keeps the pod if its task has ended, and forgets it otherwise.
    pub(super) fn saw(&mut self, facts: &Facts<'_>, namespace: impl FnOnce() -> String) {
        match settled(facts) {
            Some((state, from)) if self.pods.contains_key(facts.uid) || self.pods.len() < self.limit => {
                let pod = Pod { namespace: namespace(), state, from, own: facts.namespace.into(), is_old: false };
                self.pods.insert(facts.uid.into(), pod);
            }
            _ => self.forget(facts.uid),
        }
    }

    /// Forgets a pod.
    pub(super) fn forget(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    /// The pods of one namespace, or of all, are listed from the start.
    pub(super) fn list_begins(&mut self, namespace: Option<&str>) {
        for pod in self.pods.values_mut().filter(|pod| pod.is_in(namespace)) {
            pod.is_old = true;
        }
    }

    /// The list is complete: forgets the pods that were not in it.
    pub(super) fn list_ends(&mut self, namespace: Option<&str>) {
        self.pods.retain(|_, pod| !(pod.is_old && pod.is_in(namespace)));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.pods = HashMap::new();
    }

    /// Those that are stuck.
    pub(super) fn stuck(&self, now: Timestamp) -> impl Iterator<Item = &Pod> {
        self.pods.values().filter(move |pod| pod.from <= now)
    }
}

/// What the pod will be once it has had time to settle, and when. No event comes then.
fn settled(facts: &Facts<'_>) -> Option<(&'static str, Timestamp)> {
    let from = facts.settles()?;
    match facts.standing(from) {
        standing @ (Standing::Stuck { .. } | Standing::Held { .. }) => Some((standing.word(), from)),
        _ => None,
    }
}
