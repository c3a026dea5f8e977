//! The rescue of one pod: [`qualify`] says whether its proxy may be ended, [`Rescue::begin`] adds the agent to it, and [`Rescue::wait`] tells
//! what became of it. `end` does it when a person asks, `reap` by itself.

mod attempt;
mod qualify;

pub use attempt::{Outcome, Rescue};
pub use qualify::{Qualified, qualify};
