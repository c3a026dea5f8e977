//! The agent of exeunt, as a library: it sees the main containers of a pod end, and ends the Istio proxy beside them once
//! everything is delivered.
//!
//! One thread, no timer while the task runs, no rights in the pod; and whatever fails, the pod ends.
//!
//! The modules, from the top down. Each uses only modules below it.
//!
//! - [`command`]: the verbs of the command line, and the refusal of pods that the agent cannot handle
//! - [`exec`]: the verb `exec`, an init process around the command of the task
//! - [`task`]: when the task has ended for good
//! - [`shutdown`]: from the end of the task to the verdict
//! - [`proxy`]: the proxy beside the task: its sockets, its process, its readiness
//! - [`options`]: the command line and the environment
//! - [`os`]: the machine: time, network, processes, signals, log

// What is printed goes through `os::log`, which escapes it.
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods,
        reason = "a test that cannot go on stops at the line, and reads only what it has written"
    )
)]

pub mod command;
pub mod exec;
pub mod options;
pub mod os;
pub mod proxy;
pub mod shutdown;
pub mod task;
#[cfg(test)]
mod testing;
