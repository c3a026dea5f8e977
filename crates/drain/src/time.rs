//! A point in time, as the caller's clock tells it.

use core::ops::Add;
use core::time::Duration;

/// A point on a clock that never goes back. The caller chooses where zero is; only differences have a meaning.
///
/// `std::time::Instant` panics on `wasm32-unknown-unknown`, and cannot be made from virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

// === impl Instant ===

impl Instant {
    /// The point that is `since_zero` after the clock's zero.
    #[must_use]
    pub const fn at(since_zero: Duration) -> Self {
        Self(since_zero)
    }

    /// The time from the clock's zero to this point.
    #[must_use]
    pub const fn since_zero(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
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
