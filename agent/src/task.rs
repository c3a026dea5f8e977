//! When the task has ended for good.
//!
//! Today there is one source: the processes of the main containers, which the agent sees in a shared PID namespace. A second one has its
//! place here: kubelet, which sends SIGTERM to a native sidecar when all main containers have ended.

pub mod containers;
mod missed_task;
mod restart;
pub mod state_dir;
mod times;

pub use self::containers::{Containers, Waited};
pub use self::state_dir::StateDir;
