//! The last rung: SIGTERM to pilot-agent, which then drains for its own time and ends Envoy. Only root and the proxy's own uid may send
//! it, and an agent has neither but where it was given them.

use core::time::Duration;

use super::{Outcome, Route};
use crate::ending::Ending;

/// pilot-agent drains for `terminationDrainDuration`, 5 s unless its owner has said more, and with
/// `EXIT_ON_ZERO_ACTIVE_CONNECTIONS` as long as there are connections.
const LEAVING: Duration = Duration::from_secs(15);

/// Terminates pilot-agent, if we may.
pub(crate) fn climb(ending: &mut Ending<'_>) -> Outcome {
    let outcome = match ending.sidecar.terminate() {
        Ok(()) if ending.wait_long(LEAVING) => Outcome::Gone,
        Ok(()) => Outcome::Failed("asked, but the proxy has not left".to_owned()),
        Err(why) => Outcome::Failed(why),
    };
    ending.trail.record(Route::Terminate, outcome.clone());
    outcome
}
