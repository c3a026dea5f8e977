//! The ladder: every way to have the proxy leave, the best first, each held against the proxy's end. It is climbed again until
//! the proxy has gone: while the proxy stands, so does the pod.

use core::time::Duration;

use drain::wire::Action;

use crate::ending::Ending;
use crate::log;
use crate::rung::{Outcome, admin, filter, terminate, ztunnel};

/// The pause before the ladder is climbed again, doubled each time up to [`LONGEST_PAUSE`]: whatever is in the way may pass.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Beyond half a minute a pod that could end stays for no reason.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the ladder is climbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Once: somebody waits for our exit code.
    Once,
    /// Until the proxy has gone.
    Endless,
}

/// Has the proxy leave. A failure only where the ladder is climbed but once.
pub(crate) fn climb(ending: &mut Ending<'_>, patience: Patience) -> Outcome {
    let mut pause = FIRST_PAUSE;
    loop {
        match climb_once(ending) {
            outcome @ (Outcome::Gone | Outcome::Left) => return outcome,
            outcome @ Outcome::Failed(_) if patience == Patience::Once || ending.must_leave() => return outcome,
            Outcome::Failed(why) => log::line(&format!("{why}; the next attempt in {} s", pause.as_secs())),
        }
        if ending.wait_long(pause) {
            return Outcome::Gone;
        }
        if ending.must_leave() {
            return over();
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn climb_once(ending: &mut Ending<'_>) -> Outcome {
    if ending.sidecar.is_ztunnel() {
        return ztunnel::climb(ending);
    }
    loop {
        for at in &ending.options.signal {
            match filter::climb(ending, *at) {
                outcome @ (Outcome::Gone | Outcome::Left) => return outcome,
                Outcome::Failed(_) if ending.must_leave() => return over(),
                Outcome::Failed(_) => {}
            }
        }
        log::line(&format!("no help from a filter, so the agent decides itself ({})", ending.trail));
        match (admin::climb(ending), ending.action()) {
            (None, _) => log::line("a filter that was silent answers again"),
            (Some(Outcome::Failed(why)), Action::Quit) if !ending.must_leave() => {
                return match terminate::climb(ending) {
                    Outcome::Failed(_) => Outcome::Failed(why),
                    outcome @ (Outcome::Gone | Outcome::Left) => outcome,
                };
            }
            // A native sidecar would be started again.
            (Some(outcome), Action::Quit | Action::Drain) => return outcome,
        }
    }
}

fn over() -> Outcome {
    Outcome::Failed("the grace period is over".to_owned())
}
