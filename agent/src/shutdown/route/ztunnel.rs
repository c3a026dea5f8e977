//! In an ambient mesh, ztunnel carries the traffic of the pod. It belongs to the node, so there is nothing to end and no process to ask. But
//! its sockets are in the pod's network, which ends with the last container of the pod. So the agent stays until the kernel has
//! delivered what it holds for ztunnel.

use drain::admin::{Answer, Call, Failure};

use super::calls::Calls;
use crate::shutdown::attempts::{Attempts, Route};

/// No process takes calls for ztunnel.
#[derive(Debug)]
pub(super) struct Ztunnel;

// === impl Ztunnel ===

impl Calls for Ztunnel {
    /// Nothing has to be drained, and only the kernel's table tells what is undelivered.
    fn call(&mut self, _: &mut Attempts, call: Call) -> Answer {
        match call {
            Call::FailHealthcheck | Call::DrainListeners => Answer::Done,
            Call::CountClusters => Answer::ClusterCount(u64::MAX),
            Call::Clusters | Call::Quit | Call::PilotAgentQuit => Answer::Failed(Failure::NotSent),
        }
    }

    fn quit_by(&self) -> Option<Route> {
        None
    }

    fn drained_by(&self) -> Option<Route> {
        Some(Route::Ztunnel)
    }
}
