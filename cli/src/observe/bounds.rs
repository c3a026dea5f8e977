//! What keeps the number of time series small, whatever stands in a pod.

use core::hash::Hash;
use std::collections::HashSet;

/// The value of the label `namespace` for pods of all namespaces that have none of their own. No namespace can have this name.
pub const ELSEWHERE: &str = "_other";

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Namespaces with a value of their own.
    pub namespaces: usize,
    /// Label sets of the counter of pods. Each histogram has a fifth of them, because each of its label sets is 17 lines.
    pub label_sets: usize,
    /// Pods whose uid is kept: those that have been counted, and those whose task has ended.
    pub pods: usize,
}

/// The namespaces that have a value of their own: those that came first.
#[derive(Debug)]
pub(super) struct Namespaces {
    known: HashSet<String>,
    limit: usize,
}

/// The label sets of one family: those that came first.
#[derive(Debug)]
pub(super) struct Sets<L> {
    known: HashSet<L>,
    limit: usize,
}

/// A label set with a namespace.
pub(super) trait InNamespace: Clone + Eq + Hash {
    /// The same one with the namespace [`ELSEWHERE`].
    fn elsewhere(self) -> Self;
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { namespaces: 500, label_sets: 5_000, pods: 20_000 }
    }
}

// === impl Namespaces ===

impl Namespaces {
    pub(super) fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), limit }
    }

    /// The value of the label for a namespace.
    pub(super) fn label(&mut self, namespace: &str) -> String {
        if !self.known.contains(namespace) {
            if self.known.len() >= self.limit {
                return ELSEWHERE.to_owned();
            }
            self.known.insert(namespace.to_owned());
        }
        namespace.to_owned()
    }
}

// === impl Sets ===

impl<L: InNamespace> Sets<L> {
    pub(super) fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), limit }
    }

    /// The label set to count at: what is one too many counts elsewhere. All other labels have few values, so that adds few.
    pub(super) fn within(&mut self, labels: L) -> L {
        if !self.known.contains(&labels) {
            if self.known.len() >= self.limit {
                return labels.elsewhere();
            }
            self.known.insert(labels.clone());
        }
        labels
    }
}
