//! The only room that talks to an API server.
//!
//! Interface: [`Cluster::connect`] with the [`Connection`] of the command line; [`Cluster::pods`] lists in pages and keeps only what its
//! caller makes of each pod; [`Cluster::pod`] gets one; [`Cluster::same_pod`] reads a pod again and is sure that it is the same one;
//! [`Cluster::workloads`] lists what makes pods; [`Cluster::made`] finds the pod of a Job or a CronJob; [`Cluster::surroundings`] asks for
//! what a pod alone does not say, [`Cluster::ask_proxy`] its istio-proxy, and [`Cluster::history`] for what has happened to it;
//! [`Cluster::add_rescue`] adds the agent to a pod that runs; [`Cluster::ask_pod`] makes an HTTP request to a port of one pod by a port-forward;
//! [`Cluster::pod_names`], [`Cluster::namespace_names`] and [`context_names`] are for the completion of a shell. Every error is one line
//! ([`Error`]): which verb on which resource, and what to do. `?` turns it into a
//! [`crate::output::Failure`]. [`Cluster::client`] is for what is not here.
//!
//! For what runs by itself: [`Cluster::now`] is the API server's clock; [`Cluster::watch`] shows each change of the pods of a scope;
//! [`Cluster::marked_namespaces`] lists Namespaces by a label; [`Cluster::tell`] writes an Event on a pod; [`Cluster::read_lease`] and
//! [`Cluster::write_lease`] are for the one Lease.

mod clock;
mod connect;
mod error;
mod events;
mod forward;
mod history;
mod lease;
mod made;
mod module;
mod names;
mod pods;
mod rescue;
mod suggest;
mod surroundings;
mod watch;
mod workloads;

pub use connect::{Cluster, Connection};
pub use error::{Error, Kind as ErrorKind};
pub use events::{Note, Weight};
pub use forward::{Ask, Problem, Target};
pub use lease::{Held, LeaseName};
pub use made::{Made, Maker};
pub use pods::Scope;
pub use suggest::context_names;
pub use watch::Seen;
