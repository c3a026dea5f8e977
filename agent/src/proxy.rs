//! The proxy beside the task: its form, whether it runs, what the kernel still holds for it, and when it has ended.

pub mod metadata;
pub mod readiness;
pub mod recognition;
pub mod sidecar;
mod state;
pub mod telemetry;
mod times;

pub use self::sidecar::Sidecar;
pub use self::state::{Known, State};
