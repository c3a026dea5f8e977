//! A clock that never goes back and never jumps, derived from Envoy's wall clock.

use std::time::Duration;

use drain::time::Instant;

/// While a drain runs, the driver reads the clock at least every half second (`HEARTBEAT`). A longer step means that the wall clock was
/// set, or that the process was suspended. No byte moved in that time, so the rest of the step must not count towards a limit.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// The clock.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Duration,
    now: Duration,
}

// === impl Clock ===

impl Clock {
    /// A clock that starts at `wall`.
    pub(crate) const fn new(wall: Duration) -> Self {
        Self { wall, now: wall }
    }

    /// The time at the moment when the wall clock shows `wall`.
    pub(crate) fn read(&mut self, wall: Duration) -> Instant {
        self.now += wall.saturating_sub(self.wall).min(LONGEST_STEP);
        self.wall = wall;
        Instant::at(self.now)
    }
}
