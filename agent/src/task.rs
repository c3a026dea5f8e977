//! When the task has ended for good. There are two sources, and [`Source`] chooses: kubelet tells it, or the agent sees it by the processes.

pub mod containers;
mod missed_task;
mod restart;
pub mod source;
pub mod state_dir;
mod times;

pub use self::containers::{Containers, Waited};
pub use self::source::Source;
pub use self::state_dir::StateDir;
