//! The rescue of one pod: [`qualify`] says whether its proxy may be ended, [`Rescue::begin`] adds the agent to it, and [`Rescue::wait`] tells
//! what became of it. [`Forward`] is the way where no container may be added to a pod. `end` does it when a person asks, `reap` by itself.

mod attempt;
mod forward;
mod forwarded;
mod qualify;

pub use attempt::{NotBegun, Outcome, Rescue};
pub use forward::Forward;
pub use forwarded::Forwarded;
pub use qualify::{Qualified, qualify};
