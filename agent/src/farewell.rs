//! From the task's end to the verdict: find the proxy, have it leave, see its last bytes out.

use core::time::Duration;

use drain::wire::Action;
use pod::delivery::Held;

use crate::ending::Ending;
use crate::ladder::{self, Patience};
use crate::linger::{Lingered, linger};
use crate::log;
use crate::options::RestartPolicy;
use crate::readiness::is_captured;
use crate::rung::Outcome;
use crate::sidecar::Sidecar;
use crate::verdict::{Fate, Verdict};

/// How long a proxy that is to come is waited for: kubelet starts it next, unless its image has to be pulled.
const COMING: Duration = Duration::from_mins(5);
/// How long one that went by itself is watched for: kubelet's first restart comes at once, which is within a second.
const COMING_BACK: Duration = Duration::from_secs(3);
/// Between two looks for it.
const LOOK: Duration = Duration::from_millis(10);

/// Sees the proxy out.
pub(crate) fn see_out(ending: &mut Ending<'_>, patience: Patience) -> Verdict {
    ending.sidecar.look();
    // A proxy that was there while the task ran, and is not any more, has gone: nobody waits for it to come.
    let listening = ending.sidecar.is_listening();
    let left = ending.sidecar.has_met_envoy() && ending.sidecar.is_gone();
    let went = !listening && (left || ending.proxy_was_met && !ending.sidecar.is_here());
    let here = listening || went || ending.sidecar.is_here() || (patience == Patience::Endless && comes(ending));
    if !here {
        log::line("there is no proxy, so there is nothing to end");
        // It may have ended while an earlier run of ours was not there to see it.
        let verdict =
            |lingered: Lingered| Verdict { linger: lingered.took, ..Verdict::new(Fate::None, Duration::ZERO, lingered.last) };
        return verdict(linger(ending, |ending, so_far| verdict(so_far).leave_word(ending)));
    }
    let outcome = if went {
        Outcome::Gone
    } else {
        ending.note_proxy();
        ladder::climb(ending, patience)
    };
    let drained = ending.age();
    if outcome == Outcome::Gone && patience == Patience::Endless && comes_back(ending) {
        return see_out(ending, patience);
    }
    match outcome {
        Outcome::Gone => {
            // Of a proxy that went while the task ran there is only the reading from when they met, which says nothing of its end.
            let before = if went { None } else { ending.sidecar.last_alive() };
            log::line(&format!("the proxy has gone, {} ms after the task", drained.as_millis()));
            let told = ending.told;
            let verdict = |Lingered { first, last, took }| {
                let undelivered = cut_off(told, before, first, last);
                Verdict { linger: took, ..Verdict::new(Fate::Gone, drained, undelivered) }
            };
            verdict(linger(ending, |ending, so_far| verdict(so_far).leave_word(ending)))
        }
        Outcome::Left => {
            log::line(if ending.sidecar.is_ztunnel() { "the proxy is left to the node" } else { "the proxy is left to kubelet" });
            let undelivered = cut_off(ending.told, ending.sidecar.reading(), Held::default(), Held::default());
            Verdict::new(Fate::Left, drained, undelivered)
        }
        // Whatever was possible, kubelet ends it next.
        Outcome::Failed(why) if ending.action() == Action::Drain => {
            log::line(&format!("{why}: the proxy is left to kubelet as it is"));
            let undelivered = cut_off(ending.told, ending.sidecar.reading(), Held::default(), Held::default());
            Verdict::new(Fate::Left, drained, undelivered)
        }
        Outcome::Failed(why) => {
            log::line(&why);
            Verdict::new(Fate::Stays, drained, ending.sidecar.reading().unwrap_or_default())
        }
    }
}

/// Whether a proxy comes: a task may end before kubelet has started the container listed behind it, and a pod whose proxy starts
/// after its agent has left stays for ever.
fn comes(ending: &mut Ending<'_>) -> bool {
    if !ending.sidecar.is_in_a_pod() || !is_captured() {
        return false;
    }
    log::line("the pod's traffic is captured and its proxy is not there yet; waiting for it");
    let waiting_since = ending.clock.now();
    while ending.clock.now().since(waiting_since) < COMING && !ending.is_asked_to_leave() {
        ending.clock.sleep(LOOK);
        ending.sidecar.look();
        if ending.sidecar.is_here() {
            return true;
        }
    }
    false
}

/// Whether a proxy that went unasked is started again: under `OnFailure` kubelet does that to one that has crashed, and the pod would
/// stay for the new one. It is told what the old one was told.
fn comes_back(ending: &mut Ending<'_>) -> bool {
    // With something on its way, whoever decides lets it go only when the limits have passed.
    let unasked = ending.trail.way_out().is_none() || ending.told.is_some_and(|told| !told.is_idle());
    let restarts = ending.options.restart_policy == RestartPolicy::OnFailure;
    // Once it ends the pod, kubelet starts nothing again.
    if !unasked || !restarts || ending.is_asked_to_leave() || !ending.sidecar.is_in_a_pod() {
        return false;
    }
    let mut next = Sidecar::new(ending.options, None);
    let since = ending.clock.now();
    while ending.clock.now().since(since) < COMING_BACK && !ending.is_asked_to_leave() {
        next.look();
        if next.is_here() {
            log::line("the proxy has gone by itself and was started again");
            ending.sidecar = next;
            return true;
        }
        ending.clock.sleep(LOOK);
    }
    false
}

/// What was not delivered, by all that is known: what the proxy's end has destroyed, and what was left of the rest.
fn cut_off(told: Option<Held>, reading: Option<Held>, left_first: Held, left_last: Held) -> Held {
    let in_order = told.is_some_and(|told| told.is_idle());
    // A quiet reading that nobody was told of was taken while the proxy died.
    let held = |reading: Option<Held>| reading.filter(|reading| !in_order && !reading.is_idle());
    let before = held(reading).or_else(|| held(told)).unwrap_or_default();
    let destroyed = before.bytes.saturating_sub(left_first.bytes);
    let bytes = destroyed + left_last.bytes;
    // A connection that has not outlived the proxy as an orphan was cut off, even where the kernel held none of its bytes: the proxy's own
    // memory shows nowhere. A proxy may take several readings to die, and what it was told it took alive.
    let most = before.connections.max(held(told).unwrap_or_default().connections);
    let connections = match (destroyed, left_last.bytes) {
        (0, 0) => most.saturating_sub(left_first.connections),
        (0, _) => most.saturating_sub(left_first.connections) + left_last.connections,
        _ => most,
    };
    Held { connections, bytes, downstream: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Held = Held { connections: 0, bytes: 0, downstream: 1 };

    const fn held(connections: u32, bytes: u64) -> Held {
        Held { connections, bytes, downstream: 0 }
    }

    #[test]
    fn nothing_is_cut_off_where_the_last_word_was_that_nothing_is_on_its_way() {
        // The reading between that word and the proxy's end saw its connections being closed.
        assert_eq!(cut_off(Some(QUIET), Some(held(4, 0)), held(4, 0), held(0, 0)), held(0, 0));
        assert_eq!(cut_off(Some(QUIET), Some(held(1, 50)), held(0, 0), held(0, 0)), held(0, 0));
    }

    #[test]
    fn what_the_proxys_end_has_destroyed_is_cut_off_and_what_outlived_it_is_not() {
        assert_eq!(cut_off(Some(held(3, 9_000)), Some(held(3, 8_000)), held(1, 1_000), held(0, 0)), held(3, 7_000));
        assert_eq!(cut_off(Some(held(1, 9_000)), Some(held(1, 1_000)), held(1, 1_000), held(0, 0)), held(0, 0));
    }

    #[test]
    fn what_is_left_in_the_end_is_cut_off() {
        assert_eq!(cut_off(Some(QUIET), Some(QUIET), held(2, 500), held(1, 400)), held(1, 400));
        assert_eq!(cut_off(Some(held(3, 9_000)), Some(held(3, 9_000)), held(1, 1_000), held(1, 200)), held(3, 8_200));
    }

    #[test]
    fn a_proxy_that_went_by_itself_is_judged_by_the_last_reading() {
        assert_eq!(cut_off(None, Some(held(2, 300)), held(0, 0), held(0, 0)), held(2, 300));
        assert_eq!(cut_off(None, None, held(0, 0), held(0, 0)), held(0, 0));
    }

    #[test]
    fn a_connection_that_has_not_outlived_the_proxy_is_cut_off_whatever_the_kernel_held_of_it() {
        assert_eq!(cut_off(Some(held(2, 900)), Some(held(2, 900)), held(1, 900), held(0, 0)), held(1, 0));
        assert_eq!(cut_off(Some(held(2, 900)), Some(held(2, 900)), held(1, 900), held(1, 300)), held(2, 300));
        assert_eq!(cut_off(Some(held(2, 900)), Some(held(1, 900)), held(1, 900), held(0, 0)), held(1, 0), "it takes time to die");
    }

    #[test]
    fn a_quiet_that_nobody_was_told_of_hides_nothing() {
        assert_eq!(cut_off(Some(held(3, 9_000)), Some(QUIET), held(0, 0), held(0, 0)), held(3, 9_000));
    }

    #[test]
    fn an_end_that_is_not_acknowledged_is_no_byte() {
        assert_eq!(cut_off(Some(QUIET), Some(QUIET), held(2, 0), held(2, 0)), held(0, 0));
    }
}
