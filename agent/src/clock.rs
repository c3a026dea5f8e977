//! The agent's one clock, in the type that the drain machine takes.

use core::time::Duration;

use drain::time::Instant;

/// A clock whose zero is its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(std::time::Instant);

// === impl Clock ===

impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::at(self.0.elapsed())
    }

    /// Lets `time` pass.
    #[expect(clippy::unused_self, reason = "a simulation has another clock, which knows whose time passes")]
    pub(crate) fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
