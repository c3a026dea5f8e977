//! When the newest kernel facts are worth a report.

use core::time::Duration;

use drain::time::Instant;
use pod::delivery::Held;

/// Between reports that only tell of progress. Short beside the stall timeout, long beside the cost of a report.
const PROGRESS: Duration = Duration::from_millis(250);
/// Between reports of the same while the proxy stays: a worker of Envoy's that has taken a drain over believes only what it was told
/// itself, and an agent that says nothing more counts as dead after five seconds.
const REPEAT: Duration = Duration::from_secs(1);

/// What kind of news a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    /// Data is on its way.
    Held,
    /// None is, but the pod's processes still hold connections through the proxy.
    Quiet,
    /// And they hold none.
    Clear,
}

/// What was reported last.
#[derive(Debug)]
pub(crate) struct Reporter {
    last: Option<Held>,
    at: Instant,
    /// The last report said for the second time that nothing is on its way.
    confirmed: bool,
}

// === impl Grade ===

impl Grade {
    const fn of(held: &Held) -> Self {
        match (held.is_idle(), held.downstream) {
            (false, _) => Self::Held,
            (true, 0) => Self::Clear,
            (true, _) => Self::Quiet,
        }
    }
}

// === impl Reporter ===

impl Reporter {
    /// Nothing was reported.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { last: None, at: now, confirmed: false }
    }

    /// Whether `held` should be reported now.
    ///
    /// A quiet reading is reported twice: between two reads of Envoy's event loop a byte is in no queue at all, so the machine
    /// believes only the second.
    pub(crate) fn is_due(&self, held: &Held, now: Instant) -> bool {
        let Some(last) = &self.last else { return true };
        let turned = Grade::of(last) != Grade::of(held);
        let confirms = held.is_idle() && !self.confirmed;
        let repeats = now.since(self.at) >= REPEAT;
        let progress = held != last && now.since(self.at) >= PROGRESS;
        turned || confirms || repeats || progress
    }

    /// Whether the next quiet reading is the one that the proxy waits for.
    pub(crate) fn awaits_confirmation(&self) -> bool {
        !self.confirmed && self.last.is_some_and(|last| last.is_idle())
    }

    /// `held` was reported and taken.
    pub(crate) fn reported(&mut self, held: Held, now: Instant) {
        let again = self.last.is_some_and(|last| Grade::of(&last) == Grade::of(&held));
        self.confirmed = again && held.is_idle();
        self.last = Some(held);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Held = Held { connections: 1, bytes: 900, downstream: 1 };
    const LESS: Held = Held { bytes: 400, ..HELD };
    const QUIET: Held = Held { connections: 0, bytes: 0, downstream: 1 };
    const CLEAR: Held = Held { downstream: 0, ..QUIET };

    fn at(ms: u64) -> Instant {
        Instant::at(Duration::from_millis(ms))
    }

    /// The readings of `script` that are reported, by their time in milliseconds.
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
    fn progress_is_told_four_times_a_second() {
        let script: Vec<_> = (0..200).map(|n| (n * 5, Held { bytes: 9_000 - n, ..HELD })).collect();
        assert_eq!(reported(&script), [0, 250, 500, 750]);
    }

    #[test]
    fn no_progress_is_told_every_second() {
        assert_eq!(
            reported(&[(0, HELD), (250, HELD), (999, HELD), (1_000, HELD), (1_005, LESS), (1_250, LESS)]),
            [0, 1_000, 1_250]
        );
    }

    #[test]
    fn quiet_is_told_at_once_and_once_more_and_then_every_second() {
        assert_eq!(
            reported(&[(0, HELD), (5, CLEAR), (10, CLEAR), (15, CLEAR), (1_009, CLEAR), (1_010, CLEAR)]),
            [0, 5, 10, 1_010]
        );
        assert_eq!(reported(&[(0, CLEAR), (5, CLEAR), (10, CLEAR)]), [0, 5]);
    }

    #[test]
    fn every_turn_is_told_at_once() {
        assert_eq!(
            reported(&[(0, QUIET), (5, CLEAR), (10, HELD), (15, CLEAR), (20, CLEAR), (25, QUIET)]),
            [0, 5, 10, 15, 20, 25]
        );
    }
}
