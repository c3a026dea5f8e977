//! In an ambient mesh, ztunnel carries the traffic of the pod. It belongs to the node, so there is nothing to end and nobody to ask. But
//! its sockets are in the pod's network, which ends with the last container of the pod. So the agent stays until the kernel has
//! delivered what it holds for ztunnel.

use drain::admin::{Answer, Call, Failure};
use log::info;

use super::driver::{self, Calls};
use crate::os::World;
use crate::proxy::Sidecar;
use crate::shutdown::attempts::{Attempts, Outcome, Route};
use crate::shutdown::context::Context;

/// No process takes calls for ztunnel.
#[derive(Debug)]
struct Ztunnel;

/// Waits with the same machine and within the same limits as beside an Envoy.
pub(in crate::shutdown) fn run<W: World>(
    context: &Context<'_, W>,
    sidecar: &mut Sidecar<'_, W>,
    attempts: &mut Attempts,
) -> Outcome {
    info!("ztunnel, on the node, carries the pod's traffic: the agent only waits for delivery");
    // A filter is never silent here, because there is none.
    driver::run(context, sidecar, attempts, &mut Ztunnel).unwrap_or(Outcome::Left)
}

// === impl Ztunnel ===

impl<W: World> Calls<W> for Ztunnel {
    /// Nothing has to be drained, and only the kernel's table tells what is undelivered.
    fn call(&mut self, _: &Context<'_, W>, _: &mut Attempts, call: Call) -> Answer {
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
