//! The machine: time, network, processes, signals, log. Everything above asks it through the trait [`World`], so that a simulation
//! can take its place.

pub mod call;
mod creations;
mod hop;
pub mod http;
pub mod linux;
pub mod log;
pub mod mark;
pub mod sys;
pub mod termination;
pub mod world;

pub use self::linux::Linux;
pub use self::world::World;
