//! The agent's one clock, in the type that the drain machine takes.

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
}
