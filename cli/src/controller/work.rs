//! What the holder of the Lease does: it watches, counts, and ends what is due. Nothing is started in the background: when the Lease is lost,
//! the whole of it is dropped, and nothing goes on.

use core::pin::pin;
use core::time::Duration;
use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::book::Book;
use super::pace::Pace;
use super::reaper::Reaper;
use super::report::{Fate, Report};
use super::state::{State, say};
use crate::cluster::{Note, Seen, Target, Weight};
use crate::observe::{Loss, Observer, Reaped};
use crate::output::{safe, warn};
use crate::pod::{Facts, names};

/// How often it looks for pods that have become due.
const TICK: Duration = Duration::from_secs(1);
/// So many Events wait to be written; those beyond are dropped. The metrics have them all the same.
const MOST_NOTES: usize = 1000;
/// So many are written at once.
const NOTES_AT_ONCE: usize = 4;

/// The holder's work.
pub(super) struct Work<'a> {
    reaper: &'a Reaper,
    observer: &'a Observer,
    state: &'a State,
    pace: &'a Pace,
    book: Book,
    notes: VecDeque<Note>,
    /// The scopes that have not been listed yet.
    unlisted: Vec<usize>,
}

// === impl Work ===

impl<'a> Work<'a> {
    pub(super) fn new(reaper: &'a Reaper, observer: &'a Observer, state: &'a State, pace: &'a Pace) -> Self {
        let unlisted = (0..reaper.settings.scopes.len()).collect();
        Self { reaper, observer, state, pace, book: Book::default(), notes: VecDeque::new(), unlisted }
    }

    /// Works for good.
    pub(super) async fn run(mut self) {
        let Reaper { cluster, settings } = self.reaper;
        let label = settings.reads_namespaces.then(|| format!("{}=on", names::REAP_LABEL));
        let mut seen = pin!(cluster.watch(&settings.scopes, label.as_deref()));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut rescues, mut telling) = (FuturesUnordered::new(), FuturesUnordered::new());
        loop {
            while telling.len() < NOTES_AT_ONCE
                && let Some(note) = self.notes.pop_front()
            {
                telling.push(self.reaper.tell(note));
            }
            tokio::select! {
                Some(seen) = seen.next() => self.see(seen),
                Some(report) = rescues.next(), if !rescues.is_empty() => self.ended(&report),
                Some(()) = telling.next(), if !telling.is_empty() => {}
                _ = tick.tick() => {
                    for due in self.due(rescues.len()) {
                        say(&format!("{}/{}: the agent drains istio-proxy", due.target.namespace, due.target.pod));
                        rescues.push(self.reaper.end(due));
                    }
                }
            }
        }
    }

    fn see(&mut self, seen: Seen) {
        match seen {
            Seen::Begin { scope } => {
                self.book.begin(scope);
                self.observer.list_begins(self.namespace(scope));
            }
            Seen::Pod { scope, pod } => {
                let facts = Facts::of(&pod);
                self.book.see(scope, &facts, &self.reaper.settings);
                let loss = self.observer.saw(&facts, self.time());
                self.lost(&Target::of(&pod), loss);
            }
            Seen::Gone(pod) => {
                let facts = Facts::of(&pod);
                self.book.gone(facts.uid);
                let loss = self.observer.gone(&facts, self.time());
                self.lost(&Target::of(&pod), loss);
            }
            Seen::Complete { scope } => {
                self.book.complete(scope);
                self.observer.list_ends(self.namespace(scope));
                self.unlisted.retain(|unlisted| *unlisted != scope);
                if self.unlisted.is_empty() {
                    self.state.set_ready();
                }
            }
            Seen::NamespacesBegin => self.book.forget_namespaces(),
            Seen::NamespaceMarked(name) => self.book.mark(name, true),
            Seen::NamespaceUnmarked(name) => self.book.mark(name, false),
            Seen::Failed(error) => warn(&error.line),
        }
    }

    /// The namespace of a scope; `None` if it has all.
    fn namespace(&self, scope: usize) -> Option<&str> {
        let Reaper { cluster, settings } = self.reaper;
        let scope = settings.scopes.get(scope)?;
        (!scope.all_namespaces).then(|| cluster.namespace_of(scope))
    }

    /// The pods to begin with. In a dry run they are only named.
    fn due(&mut self, under_way: usize) -> Vec<super::reaper::Due> {
        let settings = &self.reaper.settings;
        let Some(time) = self.reaper.cluster.now() else { return Vec::new() };
        if settings.is_dry_run {
            for due in self.book.take(usize::MAX, time, Instant::now(), settings) {
                say(&format!("{}/{}: would be ended", due.target.namespace, due.target.pod));
                self.observer.reaped(Reaped::WouldEnd);
            }
            return Vec::new();
        }
        let mut all = Vec::new();
        while under_way + all.len() < settings.at_once {
            // First whether there is one: a turn that nobody takes would be lost.
            if !self.book.has_due(time, Instant::now(), settings) || !self.pace.is_free() {
                break;
            }
            all.extend(self.book.take(1, time, Instant::now(), settings));
        }
        all
    }

    fn ended(&mut self, report: &Report) {
        say(&report.line());
        self.observer.reaped(counted(report.result));
        self.book.ended(report, Instant::now(), &self.reaper.settings);
        self.tell(report.note());
    }

    fn lost(&mut self, pod: &Target, loss: Option<Loss>) {
        let Some(loss) = loss else { return };
        let text = loss.sentence();
        say(&format!("{}/{}: {text}", pod.namespace, pod.pod));
        let Target { namespace, pod, uid } = pod.clone();
        self.tell(Some(Note { namespace, pod, uid, weight: Weight::Warning, reason: "BytesLost", text: safe(&text) }));
    }

    fn tell(&mut self, note: Option<Note>) {
        match note {
            Some(note) if self.notes.len() >= MOST_NOTES => {
                warn(&format!("{}/{}: no Event {}: {MOST_NOTES} others wait", note.namespace, note.pod, note.reason));
            }
            note => self.notes.extend(note),
        }
    }

    fn time(&self) -> Timestamp {
        self.reaper.cluster.now().unwrap_or_else(Timestamp::now)
    }
}

fn counted(fate: Fate) -> Reaped {
    match fate {
        Fate::Ended => Reaped::Ended,
        Fate::WouldEnd => Reaped::WouldEnd,
        Fate::Settled | Fate::Waits => Reaped::NotNeeded,
        Fate::Refused => Reaped::Refused,
        Fate::NoImage => Reaped::NoImage,
        Fate::TimedOut => Reaped::TimedOut,
        Fate::NotEnded => Reaped::NotEnded,
        Fate::GivenUp => Reaped::GivenUp,
    }
}
