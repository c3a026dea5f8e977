//! When the task has ended for good. There are two sources, and [`Source`] chooses: kubelet tells it, or the agent sees it by the processes.

pub mod containers;
mod evidence;
pub mod helpers;
mod main_container;
pub mod memory;
mod missed_task;
mod phase;
mod restart;
pub mod same_user;
pub mod source;
mod starts;
pub mod state_dir;
mod times;
mod waiting;
mod wrong_names;

pub use self::containers::Containers;
pub use self::source::Source;
pub use self::state_dir::StateDir;
pub use self::waiting::Waited;
