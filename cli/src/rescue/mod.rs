//! The rescue of one pod: [`qualify`] says whether its proxy may be ended, [`Rescue::begin`] adds the agent to it, and [`Rescue::wait`] tells
//! what became of it; [`rescues`] are the containers of earlier ones. `end` does it when a person asks, `reap` by itself.

mod attempt;
mod qualify;
mod target;

pub use attempt::{Outcome, Rescue};
pub use qualify::{Qualified, qualify, rescues};
pub use target::{Cause, Hindrance, Target};

/// The image of the agent that belongs to this version.
pub const AGENT_IMAGE: &str = concat!("ghcr.io/exeunt-dev/exeunt-agent:", env!("CARGO_PKG_VERSION"));
