//! Pods in virtual time: what happens between a task's end and its pod's, thousands of times in seconds.
//!
//! The law of this crate: whatever decides is the real code. The agent's files (ladder, rungs, reports, lingering) are compiled in as
//! they are, and so are the drain machine, the wire and the rule of delivery; only what touches the world is made up here: the clock,
//! the network, the processes, the kernel's table of sockets. The agent blocks, so its time is what passes while it does.

// What stands in for a part of the agent has that part's signatures, whether it needs all of them or not.
#![allow(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "as the agent's own")]

mod clock;
mod flow;
mod http;
mod log;
mod plan;
mod pod_end;
mod readiness;
mod sidecar;
mod termination;
mod world;

/// The agent's own files.
#[allow(dead_code, unused_imports, reason = "of the agent, this is what comes after the task's end")]
#[path = "../../../agent/src"]
mod agent {
    pub(crate) mod ending;
    pub(crate) mod farewell;
    pub(crate) mod istio;
    pub(crate) mod ladder;
    pub(crate) mod linger;
    pub(crate) mod options;
    pub(crate) mod report;
    pub(crate) mod rung;
    pub(crate) mod verdict;
}

// They know each other by these names.
use agent::{ending, farewell, istio, ladder, linger, options, report, rung, verdict};

pub use plan::Plan;
pub use pod_end::{End, run};
