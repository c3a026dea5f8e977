//! The facts of a pod, read from its JSON and nothing else. Everything here is pure.
//!
//! Interface: [`Facts::of`] reads a pod once. From it come the form of its proxy ([`ProxyForm`]), its agent ([`Placement`]), its containers
//! with their part in the pod ([`Container`], [`Part`]), whether they have ended for good ([`Ending`]), what state the pod is in
//! ([`Standing`]) and the verdict ([`Verdict`]). [`Surroundings`] is what one must ask the cluster for, [`History`] the part of it that has
//! times, [`Owner`]
//! what a Job says of itself, and [`Module`] what Envoy says of the plugin.

mod agent;
mod container;
mod ending;
mod facts;
mod history;
mod module;
pub mod names;
mod owner;
mod proxy;
mod standing;
mod surroundings;
mod verdict;

pub use agent::{Agent, Placement};
pub use container::{Container, End, Kind, State};
pub use ending::Ending;
pub use facts::{Facts, Part};
pub use history::{History, LogLine, PodEvent};
pub use module::Module;
pub use owner::Owner;
pub use proxy::ProxyForm;
pub use standing::{SETTLING, Standing};
pub use surroundings::{OwnerEvent, Plugin, Surroundings};
pub use verdict::{HelperEnd, Refusal, Undelivered, Verdict};

#[cfg(test)]
mod tests;
