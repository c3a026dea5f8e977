//! Which pods have been counted.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

/// The pods that have been counted, by their uids. At most so many uids are kept; where one is forgotten, its time stays: no pod that ended
/// before then is counted. So a pod is never counted twice, and a pod is missed only if it is seen after `limit` later ones.
#[derive(Debug)]
pub(super) struct Counted {
    ends: HashMap<Box<str>, Timestamp>,
    by_end: BTreeSet<(Timestamp, Box<str>)>,
    until: Option<Timestamp>,
    limit: usize,
}

// === impl Counted ===

impl Counted {
    pub(super) fn new(limit: usize) -> Self {
        Self { ends: HashMap::new(), by_end: BTreeSet::new(), until: None, limit }
    }

    /// All pods that ended until `time` have been counted.
    pub(super) fn until(&mut self, time: Timestamp) {
        self.until = self.until.max(Some(time));
        while let Some(first) = self.by_end.first()
            && first.0 <= time
        {
            let first = first.clone();
            self.by_end.remove(&first);
            self.ends.remove(&first.1);
        }
    }

    /// Whether the pod has been counted, by its uid alone.
    pub(super) fn has(&self, uid: &str) -> bool {
        self.ends.contains_key(uid)
    }

    /// Whether it is the first time. `ended` says when the pod ended.
    pub(super) fn count(&mut self, uid: &str, ended: Timestamp) -> bool {
        if self.has(uid) || self.until.is_some_and(|until| ended <= until) {
            return false;
        }
        self.ends.insert(uid.into(), ended);
        self.by_end.insert((ended, uid.into()));
        if self.ends.len() > self.limit
            && let Some((oldest, _)) = self.by_end.first()
        {
            self.until(*oldest);
        }
        true
    }
}
