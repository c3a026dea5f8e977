//! The only room that talks to an API server.
//!
//! Interface: [`Cluster::connect`] with the [`Connection`] of the command line; [`Cluster::pods`] lists in pages and keeps only what its
//! caller makes of each pod; [`Cluster::pod`] gets one; [`Cluster::same_pod`] reads a pod again and is sure that it is the same one;
//! [`Cluster::workloads`] lists what makes pods; [`Cluster::surroundings`] asks for what a pod alone does not say, [`Cluster::ask_proxy`]
//! its istio-proxy, and [`Cluster::history`] for what has happened to it; [`Cluster::add_rescue`] adds the agent to a pod that runs;
//! [`Cluster::ask_pod`] makes an HTTP request to a port of one pod by a port-forward; [`Cluster::made`] finds the pod of a Job or a CronJob.
//! Every error is one line ([`Error`]): which verb on which resource, and what to do. `?` turns it into a
//! [`crate::output::Failure`]. [`Cluster::client`] is for what is not here.

mod connect;
mod error;
mod forward;
mod history;
mod made;
mod module;
mod names;
mod pods;
mod rescue;
mod surroundings;
mod workloads;

pub use connect::{Cluster, Connection};
pub use error::{Error, Kind as ErrorKind};
pub use forward::{Ask, Problem, Target};
pub use made::{Made, Maker};
pub use pods::Scope;
