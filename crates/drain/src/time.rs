//! A point in time that somebody else's clock has read.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on a clock that never goes back. Where zero lies is the caller's business; only differences mean anything.
///
/// `std::time::Instant` panics on `wasm32-unknown-unknown`, and virtual time must be makeable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

// === impl Instant ===

impl Instant {
    /// The point that lies `since_zero` after the clock's zero.
    #[must_use]
    pub const fn at(since_zero: Duration) -> Self {
        Self(since_zero)
    }

    /// How far this point lies after the clock's zero.
    #[must_use]
    pub const fn since_zero(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}
