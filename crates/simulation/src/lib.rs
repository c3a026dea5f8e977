//! Pods in virtual time: what happens from the start of a task to the end of its pod, thousands of times in seconds.
//!
//! All decisions are made by the real code: the agent's own `watch`, from its wait for the task to its verdict, the drain machine, the wire
//! and the rule of delivery. Only the machine is simulated: the clock, the network, the processes, the kernel's table of sockets, kubelet.
//! The agent blocks, so virtual time passes while it waits.

#![allow(clippy::disallowed_methods, reason = "it reads only what the agents of its own pods have written")]

mod agent_run;
mod files;
mod flow;
mod machine;
mod plan;
mod pod_end;
mod world;

pub use plan::Plan;
pub use pod_end::{End, run};
