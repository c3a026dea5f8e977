//! The clock of the API server, from the `Date` of its answers. The clock of this machine may be wrong, and would make a pod look stuck that
//! has just ended.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use http::header::DATE;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use tokio::time::Instant;

/// The clock of the API server. It runs on between two answers by the time that has gone by here.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    last: Arc<Mutex<Option<(Timestamp, Instant)>>>,
}

// === impl Clock ===

impl Clock {
    /// Reads the clock from the headers of an answer. `Date` has whole seconds and the way takes time, so this clock is a bit behind: never
    /// early.
    pub(super) fn read(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(|date| rfc2822::parse(date).ok());
        if let Some(date) = date {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((date.timestamp(), Instant::now()));
        }
    }

    /// The time, if an answer had one.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let (date, read) = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = SignedDuration::try_from(read.elapsed()).ok()?;
        date.checked_add(since).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_that_of_the_answer() {
        let clock = Clock::default();
        assert_eq!(clock.now(), None);
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        clock.read(&headers);
        let then = "1994-11-06T08:49:37Z".parse::<Timestamp>().unwrap();
        assert!(clock.now().unwrap() >= then && clock.now().unwrap() < then + SignedDuration::from_hours(1));
        // What is no date changes nothing.
        headers.insert(DATE, "yesterday".parse().unwrap());
        clock.read(&headers);
        assert!(clock.now().is_some());
    }
}
