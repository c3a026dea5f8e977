//! What all workers share, in the shared data of Envoy's process: the latched signal, the state of the machine, and which worker
//! drives it.
//!
//! So nothing is lost when a worker crashes or is configured again. All plugins without a VM id use the same shared data, so the keys
//! have a name of their own. They also have a version, because a newer filter may find what an older one has left.
//!
//! Each worker that drives has a queue of its own. Envoy wakes the worker that has registered a queue last, so with one queue for all, a
//! worker that only tried to get the claim would get the driver's signals.

use std::cell::Cell;
use std::time::Duration;

use drain::duration::milliseconds;
use drain::machine::{Snapshot, State};
use drain::wire::{Completion, Unsent};

use crate::host;

const SIGNAL: &str = "exeunt.v1.signal";
const SNAPSHOT: &str = "exeunt.v1.snapshot";
const CLAIM: &str = "exeunt.v1.claim";
/// How many workers have made a queue.
const QUEUES: &str = "exeunt.v1.queues";
/// The prefix of the names of the queues.
const QUEUE: &str = "exeunt.v1.signals.";

/// A driver that has not renewed its claim for this long is gone. It renews the claim four times in this time.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// How often to try to set a value that other workers change at the same time.
const ATTEMPTS: usize = 16;

/// The right to drive the drain, held by at most one worker and renewed by it.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// What this worker wrote last, as long as it believes to be the driver.
    held: Cell<Option<Record>>,
    /// The queue of this worker, once it has made one.
    queue: Cell<Option<u32>>,
}

/// The claim in the shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// The number of drivers so far; zero before the first one.
    term: u64,
    /// When the claim was last renewed, in milliseconds by the wall clock; zero after a resignation.
    renewed: u64,
    /// The queue of the driver. With the term it identifies the driver.
    queue: u32,
}

/// Gives each value that workers change at the same time its first version. The first worker of Envoy does this, the canary, before there
/// are others that could disagree.
pub(crate) fn seed() {
    for key in [SIGNAL, CLAIM, QUEUES] {
        if host::shared(key).1.is_none() {
            // Not empty, because Envoy then passes no pointer. It is neither a completion nor a record.
            host::set_shared(key, b"-", None);
        }
    }
}

/// The latched signal, if there is one.
pub(crate) fn signal() -> Option<Completion> {
    host::shared(SIGNAL).0.and_then(|text| Completion::parse(&text).ok())
}

/// Merges `completion` with the latched signal, latches the result and returns it.
pub(crate) fn latch(completion: &Completion) -> Completion {
    let mut merged = completion.clone();
    for _ in 0..ATTEMPTS {
        let (text, version) = host::shared(SIGNAL);
        let earlier = text.and_then(|text| Completion::parse(&text).ok());
        merged = earlier.map_or_else(|| completion.clone(), |earlier| completion.clone().after(&earlier));
        if host::set_shared(SIGNAL, merged.to_json().as_bytes(), version) {
            return merged;
        }
    }
    // So many workers do not write at the same time. If they do, the last one wins; each signal says that the task has ended.
    host::set_shared(SIGNAL, merged.to_json().as_bytes(), None);
    merged
}

/// The machine as its driver last published it, and how long ago that was.
pub(crate) fn snapshot(wall: Duration) -> Option<(Snapshot, Duration)> {
    let text = host::shared(SNAPSHOT).0?;
    let (stamp, text) = text.split_at_checked(8)?;
    let taken = Duration::from_millis(u64::from_le_bytes(stamp.try_into().ok()?));
    Some((Snapshot::parse(text).ok()?, wall.saturating_sub(taken)))
}

/// If a drain is under way, ensures that a worker drives it. False: no drain is under way.
pub(crate) fn keep_going(claim: &Claim, wall: Duration) -> bool {
    let Some(completion) = signal() else { return false };
    let under_way = snapshot(wall).is_none_or(|(snapshot, _)| match snapshot.state() {
        State::Serving | State::Draining | State::Quitting => true,
        State::Drained => false,
    });
    if under_way && claim.take_if_free(wall) {
        wake_driver(&completion.remembered());
    }
    under_way
}

/// Passes a signal to the driver, which this worker becomes if there is none. `latched` is the signal merged with all before it, `unsent` the
/// reading that this one has brought. Nobody has read the older one again, so the driver must not take it for news.
pub(crate) fn deliver(claim: &Claim, latched: &Completion, unsent: Option<Unsent>, wall: Duration) {
    let takes_over = claim.take_if_free(wall);
    let known = latched.clone().remembered().unsent.filter(|_| takes_over);
    wake_driver(&Completion { unsent: unsent.or(known), ..latched.clone() });
}

/// Publishes the machine to all workers.
pub(crate) fn publish(snapshot: &Snapshot, wall: Duration) {
    let mut text = milliseconds(wall).to_le_bytes().to_vec();
    text.extend_from_slice(snapshot.to_json().as_bytes());
    host::set_shared(SNAPSHOT, &text, None);
}

/// Puts `completion` into the driver's queue.
fn wake_driver(completion: &Completion) {
    if let Some(driver) = Record::stored().0 {
        host::enqueue(driver.queue, completion.to_json().as_bytes());
    }
}

// === impl Claim ===

impl Claim {
    /// Takes the claim for this worker's root context if no living worker holds it. True: this worker holds it now.
    pub(crate) fn take_if_free(&self, wall: Duration) -> bool {
        for _ in 0..ATTEMPTS {
            let (stored, version) = Record::stored();
            if stored.is_some_and(|record| record.is_alive(wall)) {
                return false;
            }
            let Some(queue) = self.queue() else { return false };
            let term = stored.map_or(0, |record| record.term) + 1;
            let record = Record { term, renewed: milliseconds(wall), queue };
            if host::set_shared(CLAIM, &record.to_bytes(), version) {
                self.held.set(Some(record));
                return true;
            }
        }
        false
    }

    /// Renews the claim. False: this worker does not hold it, or has lost it.
    pub(crate) fn renew(&self, wall: Duration) -> bool {
        let Some(held) = self.held.get() else { return false };
        let (stored, version) = Record::stored();
        let record = Record { renewed: milliseconds(wall), ..held };
        let is_held = stored.is_some_and(|stored| (stored.term, stored.queue) == (held.term, held.queue));
        let renewed = is_held && host::set_shared(CLAIM, &record.to_bytes(), version);
        self.held.set(renewed.then_some(record));
        renewed
    }

    /// Passes a signal that came too late, because another worker has taken over, to that worker. False: there is none, and this worker
    /// holds the claim now.
    pub(crate) fn pass_on(&self, completion: &Completion, wall: Duration) -> bool {
        if self.take_if_free(wall) {
            return false;
        }
        let driver = Record::stored().0.map(|record| record.queue);
        // Not to this worker itself, which would get it again and again.
        if driver != self.queue.get() {
            wake_driver(completion);
        }
        true
    }

    /// Gives the claim up, so that another worker can take it at once.
    pub(crate) fn resign(&self) {
        if self.renew(Duration::ZERO) {
            self.held.set(None);
        }
    }

    /// The number of this worker's term, if it holds the claim.
    pub(crate) fn term(&self) -> Option<u64> {
        self.held.get().map(|record| record.term)
    }

    /// The queue of this worker. Its name is used by no other.
    fn queue(&self) -> Option<u32> {
        if self.queue.get().is_none() {
            self.queue.set(next_number().and_then(|number| host::register_queue(&format!("{QUEUE}{number}"))));
        }
        self.queue.get()
    }
}

/// A number that no other worker gets.
fn next_number() -> Option<u32> {
    for _ in 0..ATTEMPTS {
        let (bytes, version) = host::shared(QUEUES);
        let number = bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes).wrapping_add(1);
        if host::set_shared(QUEUES, &number.to_le_bytes(), version) {
            return Some(number);
        }
    }
    None
}

// === impl Record ===

impl Record {
    fn stored() -> (Option<Self>, Option<u32>) {
        let (bytes, version) = host::shared(CLAIM);
        (bytes.and_then(|bytes| Self::from_bytes(&bytes)), version)
    }

    fn is_alive(&self, wall: Duration) -> bool {
        self.renewed != 0 && milliseconds(wall).abs_diff(self.renewed) < milliseconds(LEASE)
    }

    fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let values = self.term.to_le_bytes().into_iter().chain(self.renewed.to_le_bytes()).chain(self.queue.to_le_bytes());
        bytes.iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (term, rest) = bytes.split_at_checked(8)?;
        let (renewed, queue) = rest.split_at_checked(8)?;
        Some(Self {
            term: u64::from_le_bytes(term.try_into().ok()?),
            renewed: u64::from_le_bytes(renewed.try_into().ok()?),
            queue: u32::from_le_bytes(queue.try_into().ok()?),
        })
    }
}
