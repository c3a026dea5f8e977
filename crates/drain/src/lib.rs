//! When may a finished pod's Envoy be shut down?
//!
//! The law of this crate: no I/O, no clock, no randomness and no SDK. Time is an argument, effects are returned, so that the
//! filter (in Envoy), the agent (in the pod) and the tests (in virtual time) run the very same decision.

pub mod admin;
pub mod clusters;
pub mod config;
pub mod duration;
pub mod evidence;
pub mod fields;
pub mod limits;
pub mod machine;
pub mod time;
pub mod wire;

/// The version that every answer of the filter carries in its `x-exeunt` header.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
