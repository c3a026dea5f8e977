//! What was not delivered, and whether that is all.

use pod::delivery::Held;

/// What was not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// What the kernel held of it.
    pub held: Held,
    /// Whether there can be more: what a proxy holds in its own memory when it crashes, hangs or runs into a limit, no table shows.
    pub at_least: bool,
}

/// What was not delivered, by everything that is known: what ended with the proxy, and what was left at the end.
///
/// `reported` is the last reading that the decider has accepted, `reading` the last one of the living proxy, `left_first` and `left_last`
/// what the kernel held just after the end of the proxy and at the end of the flush.
pub(super) fn undelivered(reported: Option<Held>, reading: Option<Held>, left_first: Held, left_last: Held) -> Held {
    let in_order = reported.is_some_and(|reported| reported.is_idle());
    // An idle reading that was not reported was taken while the proxy ended.
    let held = |reading: Option<Held>| reading.filter(|reading| !in_order && !reading.is_idle());
    let before = held(reading).or_else(|| held(reported)).unwrap_or_default();
    let destroyed = before.bytes.saturating_sub(left_first.bytes);
    let bytes = destroyed + left_last.bytes;
    // A connection that is not an orphan after the end of the proxy is lost, even if the kernel held none of its bytes: no table shows the proxy's
    // own memory. The proxy can need several readings to end; the last report is from before that.
    let most = before.connections.max(held(reported).unwrap_or_default().connections);
    let connections = match (destroyed, left_last.bytes) {
        (0, 0) => most.saturating_sub(left_first.connections),
        (0, _) => most.saturating_sub(left_first.connections) + left_last.connections,
        _ => most,
    };
    Held { connections, bytes, ..Held::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Held = Held { connections: 0, bytes: 0, downstream: 1, buffers: 0 };

    const fn held(connections: u32, bytes: u64) -> Held {
        Held { connections, bytes, downstream: 0, buffers: 0 }
    }

    #[test]
    fn nothing_is_lost_after_an_idle_report() {
        // The reading between that report and the end of the proxy saw it close its connections.
        assert_eq!(undelivered(Some(IDLE), Some(held(4, 0)), held(4, 0), held(0, 0)), held(0, 0));
        assert_eq!(undelivered(Some(IDLE), Some(held(1, 50)), held(0, 0), held(0, 0)), held(0, 0));
    }

    #[test]
    fn bytes_that_ended_with_the_proxy_are_lost_and_orphans_are_not() {
        assert_eq!(undelivered(Some(held(3, 9_000)), Some(held(3, 8_000)), held(1, 1_000), held(0, 0)), held(3, 7_000));
        assert_eq!(undelivered(Some(held(1, 9_000)), Some(held(1, 1_000)), held(1, 1_000), held(0, 0)), held(0, 0));
    }

    #[test]
    fn bytes_that_are_left_at_the_end_are_lost() {
        assert_eq!(undelivered(Some(IDLE), Some(IDLE), held(2, 500), held(1, 400)), held(1, 400));
        assert_eq!(undelivered(Some(held(3, 9_000)), Some(held(3, 9_000)), held(1, 1_000), held(1, 200)), held(3, 8_200));
    }

    #[test]
    fn without_a_report_the_last_reading_counts() {
        assert_eq!(undelivered(None, Some(held(2, 300)), held(0, 0), held(0, 0)), held(2, 300));
        assert_eq!(undelivered(None, None, held(0, 0), held(0, 0)), held(0, 0));
    }

    #[test]
    fn a_connection_that_ended_with_the_proxy_is_lost_whatever_the_kernel_held() {
        assert_eq!(undelivered(Some(held(2, 900)), Some(held(2, 900)), held(1, 900), held(0, 0)), held(1, 0));
        assert_eq!(undelivered(Some(held(2, 900)), Some(held(2, 900)), held(1, 900), held(1, 300)), held(2, 300));
        assert_eq!(
            undelivered(Some(held(2, 900)), Some(held(1, 900)), held(1, 900), held(0, 0)),
            held(1, 0),
            "the proxy takes time to end"
        );
    }

    #[test]
    fn an_idle_reading_without_a_report_does_not_count() {
        assert_eq!(undelivered(Some(held(3, 9_000)), Some(IDLE), held(0, 0), held(0, 0)), held(3, 9_000));
    }

    #[test]
    fn an_unacknowledged_fin_is_not_a_byte() {
        assert_eq!(undelivered(Some(IDLE), Some(IDLE), held(2, 0), held(2, 0)), held(0, 0));
    }
}
