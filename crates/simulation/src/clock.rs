//! The agent's clock.

use core::time::Duration;

use drain::time::Instant;

use crate::world;

/// A clock that shows the world's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

// === impl Clock ===

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        world::now()
    }

    /// Lets `time` pass.
    pub(crate) fn sleep(&self, time: Duration) {
        world::pass(time);
    }
}
