//! Pod templates inside the objects that make pods: Jobs, CronJobs, pods (also Airflow's template and Spark's), PodTemplates, Argo's
//! workflows and Spark's applications. Everything here is pure.
//!
//! Interface: [`documents`] reads a text of YAML or JSON; [`templates`] finds the pods that an object will make; [`inject`] adds the proxy
//! that Istio's injector will add, so that the rules mean the same pod as later in the cluster.

mod documents;
mod inject;
mod templates;

pub use documents::documents;
pub use inject::inject;
pub use templates::{Template, templates};

#[cfg(test)]
mod tests;
