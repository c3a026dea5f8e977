//! The last route: SIGTERM to pilot-agent, which drains for its own time and then ends Envoy. Only root and the uid of the proxy may send
//! it. The agent has neither by default.

use crate::os::World;
use crate::proxy::Sidecar;
use crate::shutdown::attempts::{Attempts, Failure, Outcome, Progress, Route};
use crate::shutdown::context::Context;
use crate::shutdown::times;

/// Sends SIGTERM to pilot-agent, if the agent may.
pub(in crate::shutdown) fn terminate<W: World>(
    context: &Context<'_, W>,
    sidecar: &mut Sidecar<'_, W>,
    attempts: &mut Attempts,
) -> Outcome {
    let outcome = match sidecar.terminate() {
        Ok(()) if sidecar.wait_long(times::TERMINATE, || !context.must_leave()) => Outcome::Gone,
        Ok(()) => Outcome::Failed(Failure::StillRuns(Progress::Asked)),
        Err(why) => Outcome::Failed(Failure::NoSignal(why)),
    };
    attempts.record(Route::Terminate, outcome.clone());
    outcome
}
