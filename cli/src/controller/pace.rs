//! How fast rescues begin: evenly spread, so that a mistake in the command line does not end everything in the first second.

use core::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::sleep;

/// The rate limit.
pub struct Pace {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

/// Reads `10/m`.
pub(super) fn quota(text: &str) -> Option<Quota> {
    let (number, unit) = text.split_once('/')?;
    let number = number.trim().parse::<NonZeroU32>().ok()?;
    let quota = match unit.trim() {
        "s" => Quota::per_second(number),
        "m" => Quota::per_minute(number),
        "h" => Quota::per_hour(number),
        _ => return None,
    };
    Some(quota.allow_burst(NonZeroU32::MIN))
}

// === impl Pace ===

impl Pace {
    /// At most as many as `quota` says.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self { limiter: RateLimiter::direct(quota), clock: DefaultClock::default() }
    }

    /// Whether one may begin now. If so, it counts.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.limiter.check().is_ok()
    }

    /// Waits until one may begin.
    pub async fn turn(&self) {
        while let Err(not_yet) = self.limiter.check() {
            sleep(not_yet.wait_time_from(self.clock.now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_number_and_a_unit() {
        for wrong in ["", "10", "0/m", "-1/m", "10/d", "m", "1.5/s", "10/minute"] {
            assert_eq!(quota(wrong), None, "{wrong}");
        }
        let one = |text| quota(text).map(|quota| (quota.burst_size().get(), quota.replenish_interval().as_millis()));
        assert_eq!(["10/m", "4/s", " 60 / h"].map(one), [Some((1, 6000)), Some((1, 250)), Some((1, 60_000))]);
    }

    #[test]
    fn the_second_must_wait() {
        let pace = Pace::new(quota("1/h").unwrap());
        assert!(pace.is_free() && !pace.is_free());
    }
}
