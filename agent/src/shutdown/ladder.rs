//! The ladder: all routes to the proxy, the best first, until the proxy has ended. While the proxy runs, the pod stays, so the agent
//! climbs the ladder again and again.

use core::net::SocketAddr;

use drain::wire::Action;
use log::{info, warn};

use super::attempts::{Attempts, Failure, Outcome, Progress, Route};
use super::context::{Context, Patience};
use super::route::{driver, filter, reach, terminate};
use super::{progress, times};
use crate::os::World;
use crate::proxy::Sidecar;

/// Ends the proxy, or drains it if kubelet or the node ends it. Fails only if the ladder is climbed once or the grace period is over.
pub(super) fn climb<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts) -> Outcome {
    let mut pause = times::FIRST_PAUSE;
    loop {
        progress::report_sigterm(context, sidecar, attempts);
        match climb_once(context, sidecar, attempts) {
            outcome @ (Outcome::Gone | Outcome::Left) => return outcome,
            outcome @ Outcome::Failed(_) if context.patience == Patience::Once || context.must_leave() => return outcome,
            Outcome::Failed(why) => warn!("{why}; next attempt in {} s", pause.as_secs()),
        }
        if sidecar.wait_long(pause, || !context.must_leave()) {
            return Outcome::Gone;
        }
        if context.must_leave() {
            return over();
        }
        pause = (pause * 2).min(times::LONGEST_PAUSE);
    }
}

fn climb_once<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>, attempts: &mut Attempts) -> Outcome {
    loop {
        let filters: &[SocketAddr] = if sidecar.is_ztunnel() { &[] } else { &context.options.signal };
        // The plugin is for every listener with the port of the signal: where one of Envoy's answers without it, no other has it.
        let mut has_no_plugin = false;
        for at in filters {
            if !at.ip().is_loopback() && (has_no_plugin || reach::has_no_filter(context)) {
                attempts.record(Route::Filter(*at), Outcome::Failed(Failure::NoFilter));
                continue;
            }
            match filter::signal(context, sidecar, attempts, *at) {
                outcome @ (Outcome::Gone | Outcome::Left) => return outcome,
                // It ended by itself.
                Outcome::Failed(_) if sidecar.has_ended() => return Outcome::Gone,
                Outcome::Failed(_) if context.must_leave() => return over(),
                Outcome::Failed(why) => has_no_plugin |= matches!(why, Failure::NotTheFilter(_)),
            }
        }
        if !filters.is_empty() {
            info!("no filter responds, so the agent itself decides ({attempts})");
        }
        match (driver::decide(context, sidecar, attempts), context.action(sidecar)) {
            (None, _) => info!("a silent filter responds again"),
            (Some(Outcome::Failed(why)), Action::Quit) if !context.must_leave() => {
                return match terminate::terminate(context, sidecar, attempts) {
                    Outcome::Failed(_) => Outcome::Failed(why),
                    outcome @ (Outcome::Gone | Outcome::Left) => outcome,
                };
            }
            // Under `drain`, kubelet would restart a proxy that gets SIGTERM.
            (Some(outcome), Action::Quit | Action::Drain) => return outcome,
        }
    }
}

fn over() -> Outcome {
    Outcome::Failed(Failure::GracePeriodOver(Progress::Nothing))
}
