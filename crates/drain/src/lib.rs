//! Decides when the Envoy of a finished pod may be shut down.
//!
//! This crate has no I/O, no clock, no random numbers and no SDK. Time is an argument, and the calls to make are the result. So the
//! filter (in Envoy), the agent (in the pod) and the tests (in virtual time) take the same decision.

// What is printed goes through the agent's log, which escapes it.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod admin;
pub mod clusters;
pub mod config;
pub mod duration;
pub mod evidence;
pub mod fields;
pub mod forwarded;
pub mod limits;
pub mod machine;
pub mod printable;
pub mod time;
pub mod wire;

/// The version that every answer of the filter carries in its `x-exeunt` header.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
