//! When to report a new reading of the socket table.

use drain::time::Instant;
use pod::delivery::Held;

use super::times;

/// The kind of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    /// Data is undelivered.
    Held,
    /// All data is delivered, but processes of the pod still have connections through the proxy.
    Idle,
    /// All data is delivered, and there are no such connections.
    Clear,
}

/// The last report.
#[derive(Debug)]
pub(super) struct Reporter {
    last: Option<Held>,
    /// When it was read.
    at: Instant,
    /// Whether the last report was the second one in a row of this idle reading.
    confirmed: bool,
}

// === impl Grade ===

impl Grade {
    const fn of(held: &Held) -> Self {
        match (held.is_idle(), held.downstream) {
            (false, _) => Self::Held,
            (true, 0) => Self::Clear,
            (true, _) => Self::Idle,
        }
    }
}

// === impl Reporter ===

impl Reporter {
    /// No report yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self { last: None, at: now, confirmed: false }
    }

    /// Whether to report `held` now.
    ///
    /// An idle reading is reported twice: between two reads of Envoy's event loop a byte is in no queue, so the machine counts only the
    /// second report.
    pub(super) fn is_due(&self, held: &Held, now: Instant) -> bool {
        let Some(last) = &self.last else { return true };
        let changed = Grade::of(last) != Grade::of(held);
        let confirms = held.is_idle() && !self.confirmed;
        let repeats = now.since(self.at) >= times::REPEAT;
        let progress = held != last && now.since(self.at) >= times::PROGRESS;
        changed || confirms || repeats || progress
    }

    /// Whether the next idle reading is the second one, which the decider waits for.
    pub(super) fn awaits_confirmation(&self) -> bool {
        !self.confirmed && self.last.is_some_and(|last| last.is_idle())
    }

    /// Records that a report of `held`, read at `at`, was accepted.
    pub(super) fn reported(&mut self, held: Held, at: Instant) {
        let again = self.last.is_some_and(|last| Grade::of(&last) == Grade::of(&held));
        self.confirmed = again && held.is_idle();
        self.last = Some(held);
        self.at = at;
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const HELD: Held = Held { connections: 1, bytes: 900, downstream: 1, buffers: 0 };
    const LESS: Held = Held { bytes: 400, ..HELD };
    const IDLE: Held = Held { connections: 0, bytes: 0, downstream: 1, buffers: 0 };
    const CLEAR: Held = Held { downstream: 0, ..IDLE };

    fn at(ms: u64) -> Instant {
        Instant::at(Duration::from_millis(ms))
    }

    /// The times, in milliseconds, of the readings in `script` that are reported.
    fn reported(script: &[(u64, Held)]) -> Vec<u64> {
        let mut reporter = Reporter::new(at(0));
        let mut times = Vec::new();
        for (ms, held) in script {
            if reporter.is_due(held, at(*ms)) {
                reporter.reported(*held, at(*ms));
                times.push(*ms);
            }
        }
        times
    }

    #[test]
    fn progress_is_reported_four_times_a_second() {
        let script: Vec<_> = (0..200).map(|n| (n * 5, Held { bytes: 9_000 - n, ..HELD })).collect();
        assert_eq!(reported(&script), [0, 250, 500, 750]);
    }

    #[test]
    fn the_same_reading_is_reported_every_second() {
        assert_eq!(
            reported(&[(0, HELD), (250, HELD), (999, HELD), (1_000, HELD), (1_005, LESS), (1_250, LESS)]),
            [0, 1_000, 1_250]
        );
    }

    #[test]
    fn an_idle_reading_is_reported_at_once_then_confirmed_then_every_second() {
        assert_eq!(
            reported(&[(0, HELD), (5, CLEAR), (10, CLEAR), (15, CLEAR), (1_009, CLEAR), (1_010, CLEAR)]),
            [0, 5, 10, 1_010]
        );
        assert_eq!(reported(&[(0, CLEAR), (5, CLEAR), (10, CLEAR)]), [0, 5]);
    }

    #[test]
    fn every_change_of_kind_is_reported_at_once() {
        assert_eq!(reported(&[(0, IDLE), (5, CLEAR), (10, HELD), (15, CLEAR), (20, CLEAR), (25, IDLE)]), [0, 5, 10, 15, 20, 25]);
    }
}
