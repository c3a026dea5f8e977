//! The facts of a pod, read from its JSON and nothing else. Everything here is pure.
//!
//! Interface: [`Facts::of`] reads a pod once. From it come the form of its proxy ([`ProxyForm`]), its agent ([`Placement`]), its containers
//! with their part in the pod ([`Container`], [`Part`]), whether they have ended for good ([`Ending`]), what state the pod is in
//! ([`Standing`]) and the verdict ([`Verdict`]). [`Module`] reads what Envoy says of the plugin. [`Surroundings`] is what one must ask the cluster for.

mod agent;
mod container;
mod ending;
mod facts;
mod module;
pub mod names;
mod proxy;
mod standing;
mod surroundings;
mod verdict;

pub use agent::{Agent, Placement};
pub use container::{Container, End, Kind, State};
pub use ending::Ending;
pub use facts::{Facts, Part};
pub use module::Module;
pub use proxy::ProxyForm;
pub use standing::{SETTLING, Standing};
pub use surroundings::{OwnerEvent, Plugin, Surroundings};
pub use verdict::{Refusal, Undelivered, Verdict};

#[cfg(test)]
mod tests;
