//! The rescue of one pod: [`qualify`] says whether its proxy may be ended, [`Rescue::begin`] adds the agent to it, and [`Rescue::wait`] tells
//! what became of it; [`rescues`] are the containers of earlier ones. [`Forward`] is the way where no container may be added to a pod. `end`
//! does it when a person asks, `reap` by itself, and only by a container.

mod attempt;
mod forward;
mod forwarded;
mod hindrance;
mod qualify;

pub use attempt::{Outcome, Rescue};
pub use forward::Forward;
pub use forwarded::Forwarded;
pub use hindrance::{Cause, Hindrance};
pub use qualify::{Qualified, qualify, rescues, waits_for_image};

/// The image of the agent that belongs to this version.
pub const AGENT_IMAGE: &str = concat!("ghcr.io/exeunt-dev/exeunt-agent:", env!("CARGO_PKG_VERSION"));
