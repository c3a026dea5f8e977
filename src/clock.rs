//! A clock that never goes back and never leaps, made of Envoy's wall clock.

use std::time::Duration;

use drain::time::Instant;

/// While a drain runs the clock is read at least every half second (the driver's heartbeat). A longer step is a wall clock that was set,
/// or a process that was stopped; in both nothing has moved, and no limit may pass because of it.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// See the module.
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

    /// The time, when the wall clock shows `wall`.
    pub(crate) fn read(&mut self, wall: Duration) -> Instant {
        self.now += wall.saturating_sub(self.wall).min(LONGEST_STEP);
        self.wall = wall;
        Instant::at(self.now)
    }
}
