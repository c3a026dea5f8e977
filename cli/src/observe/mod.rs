//! The counting of finished pods, as metrics for Prometheus. A pod that ends in milliseconds can be scraped by nobody; its last state in the
//! API server can be counted.
//!
//! Interface: [`Observer`] gets each version of each pod ([`Observer::saw`]) and its deletion ([`Observer::gone`]), counts each pod once when
//! it has ended, and returns a [`Loss`] if its verdict names data that did not arrive. [`Observer::text`] has the metrics in the form of
//! `OpenMetrics`. [`listen`] and [`serve`] give them to who asks. All but those two is pure: time is an argument.
//!
//! Everything is bounded by [`Limits`], whatever stands in a pod: the pods that are kept, the namespaces, and the label sets.

mod bounds;
mod counted;
mod finish;
mod labels;
mod loss;
mod metrics;
mod observer;
mod owner;
mod serve;
mod waiting;

pub use bounds::{ELSEWHERE, Limits};
pub use labels::Reaped;
pub use loss::Loss;
pub use observer::Observer;
pub use serve::{listen, serve};

#[cfg(test)]
mod tests;
