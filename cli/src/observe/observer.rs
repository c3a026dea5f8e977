//! Who counts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::bounds::{Limits, Namespaces, Sets};
use super::counted::Counted;
use super::labels::{self, OfLosses, OfPods, OfStuck, OfTimes, Reaped};
use super::loss::Loss;
use super::metrics::Metrics;
use super::waiting::Waiting;
use super::{finish, owner};
use crate::pod::Facts;

/// No verdict counts for more: nobody has socket buffers of a terabyte, and a lie must not spoil the sum for good. Prometheus' numbers are
/// exact until 2^53, which takes 8192 such lies.
const MOST_BYTES: u64 = 1 << 40;

/// Counts each pod once when it has ended. It counts nothing until it is told that it leads.
#[derive(Debug)]
pub struct Observer {
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_leader: bool,
    counted: Counted,
    waiting: Waiting,
    namespaces: Namespaces,
    of_pods: Sets<OfPods>,
    of_times: Sets<OfTimes>,
}

// === impl Observer ===

impl Observer {
    /// One that has counted nothing, and does not lead.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state = State {
            is_leader: false,
            counted: Counted::new(limits.pods),
            waiting: Waiting::new(limits.pods),
            namespaces: Namespaces::new(limits.namespaces),
            of_pods: Sets::new(limits.label_sets),
            of_times: Sets::new(limits.label_sets / 5),
        };
        Self { metrics: Metrics::new(), state: Mutex::new(state) }
    }

    /// A version of a pod: from a list, or its creation or change. The pod is counted if it has ended and has not been counted. The loss is
    /// returned once, for the Event.
    pub fn saw(&self, facts: &Facts<'_>, now: Timestamp) -> Option<Loss> {
        self.look(facts, now, false)
    }

    /// The last version of a pod that is deleted. It is counted if its task has run, whatever its containers did then: with a grace period of
    /// 0 nobody writes their end.
    pub fn gone(&self, facts: &Facts<'_>, now: Timestamp) -> Option<Loss> {
        self.look(facts, now, true)
    }

    /// Pods that ended until then are not counted. After a restart or a takeover it is the last time that the Lease was renewed; without one,
    /// the start.
    pub fn counted_until(&self, time: Timestamp) {
        self.state().counted.until(time);
    }

    /// The pods of one namespace, or of all, are listed from the start: the watch has lost its place, and some may have gone unseen.
    pub fn list_begins(&self, namespace: Option<&str>) {
        self.state().waiting.list_begins(namespace);
    }

    /// That list is complete. A pod that was stuck and is not in it is stuck no longer. It is not counted: nobody knows how it ended.
    pub fn list_ends(&self, namespace: Option<&str>) {
        self.state().waiting.list_ends(namespace);
    }

    /// What `reap` has done with one pod.
    pub fn reaped(&self, result: Reaped) {
        self.metrics.reaps.get_or_create(&result.labels()).inc();
    }

    /// Whether this replica leads. One that does not lead counts nothing, and knows of no stuck pod: whoever leads again lists all pods
    /// again.
    pub fn leads(&self, leads: bool) {
        let mut state = self.state();
        state.is_leader = leads;
        self.metrics.leader.set(i64::from(leads));
        if !leads {
            state.waiting.clear();
        }
    }

    /// The metrics, in the text form of `OpenMetrics`. A pod becomes stuck without an event, so it depends on the time.
    #[must_use]
    pub fn text(&self, now: Timestamp) -> String {
        // Held until the text is there: two at once would write into the same gauges.
        let state = self.state();
        let mut stuck: HashMap<OfStuck, i64> = HashMap::new();
        for pod in state.waiting.stuck(now) {
            *stuck.entry(OfStuck { namespace: pod.namespace.clone(), state: pod.state }).or_default() += 1;
        }
        self.metrics.stuck.clear();
        for (labels, number) in stuck {
            self.metrics.stuck.get_or_create(&labels).set(number);
        }
        self.metrics.text()
    }

    fn look(&self, facts: &Facts<'_>, now: Timestamp, is_gone: bool) -> Option<Loss> {
        if !finish::concerns(facts) {
            return None;
        }
        let mut state = self.state();
        if !state.is_leader {
            return None;
        }
        let is_new = is_gone || finish::has_finished(facts);
        if is_new {
            state.waiting.forget(facts.uid);
        } else {
            let State { waiting, namespaces, .. } = &mut *state;
            waiting.saw(facts, || namespaces.label(facts.namespace));
        }
        let series = self.series(&mut state, facts);
        let ended = finish::ended(facts, now);
        if !is_new || !finish::has_run(facts) || !state.counted.count(facts.uid, ended) {
            return None;
        }
        self.count(&mut state, facts, ended, &series)
    }

    /// Where the pod counts. A series is there with 0 as soon as a pod is seen: the first increase of one that appears with it is invisible to
    /// Prometheus. That is too much only for the counter of pods, whose labels say how they end.
    fn series(&self, state: &mut State, facts: &Facts<'_>) -> (OfLosses, OfTimes) {
        let (namespace, owner_kind) = (state.namespaces.label(facts.namespace), owner::kind(facts));
        let losses = OfLosses { namespace: namespace.clone(), owner_kind };
        let _ = self.metrics.undelivered.get_or_create(&losses);
        let _ = self.metrics.with_loss.get_or_create(&losses);
        let times = state.of_times.within(OfTimes { namespace, owner_kind, proxy: facts.proxy.word() });
        if facts.proxy_container().is_some() {
            let _ = self.metrics.proxy_end.get_or_create(&times);
        }
        if facts.agent.is_there() {
            let _ = self.metrics.drain.get_or_create(&times);
        }
        (losses, times)
    }

    fn count(&self, state: &mut State, facts: &Facts<'_>, ended: Timestamp, at: &(OfLosses, OfTimes)) -> Option<Loss> {
        let (losses, times) = at;
        let verdict = facts.verdict();
        let verdict = verdict.as_ref();
        let pods = state.of_pods.within(OfPods {
            namespace: losses.namespace.clone(),
            owner_kind: losses.owner_kind,
            proxy: facts.proxy.word(),
            outcome: labels::outcome(facts, verdict),
            route: labels::route(verdict),
        });
        self.metrics.pods.get_or_create(&pods).inc();
        if let Some(time) = finish::proxy_end(facts) {
            self.metrics.proxy_end.get_or_create(times).observe(time.as_secs_f64());
        }
        let verdict = verdict?;
        if let Some(time) = finish::drain(facts, verdict, ended) {
            self.metrics.drain.get_or_create(times).observe(time.as_secs_f64());
        }
        let loss = Loss::of(verdict)?;
        self.metrics.undelivered.get_or_create(losses).inc_by(loss.undelivered.bytes.min(MOST_BYTES));
        self.metrics.with_loss.get_or_create(losses).inc();
        Some(loss)
    }

    /// A thread that panicked while it held the lock has at worst counted half a pod.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
