//! Where there is no rung: in an ambient mesh ztunnel carries the pod's traffic. It is the node's, so nothing is to be ended, and nobody in
//! the pod can be asked; but its sockets are in the pod's network, which vanishes with the pod's last container. So the agent stays until
//! what the kernel holds for it is delivered.

use drain::admin::{Answer, Call, Failure};

use super::{Outcome, admin};
use crate::ending::Ending;
use crate::log;

/// Stays, by the same machine and within the same limits as beside an Envoy.
pub(crate) fn climb(ending: &mut Ending<'_>) -> Outcome {
    log::line("ztunnel, on the node, carries the pod's traffic: there is nothing to end, only to wait for");
    // A filter that was silent would have been Envoy's.
    admin::climb(ending).unwrap_or(Outcome::Left)
}

/// What comes of a call that nobody is there for: nothing has to be drained, and the kernel's tables are the only witness.
pub(super) const fn answer(call: Call) -> Answer {
    match call {
        Call::FailHealthcheck | Call::DrainListeners => Answer::Done,
        Call::CountClusters => Answer::ClusterCount(u64::MAX),
        Call::Clusters | Call::Quit | Call::PilotAgentQuit => Answer::Failed(Failure::NotSent),
    }
}
