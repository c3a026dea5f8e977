//! `kubectl exeunt`: why a batch pod does not end, and what ends it.
//!
//! Each folder is a room, and uses only those behind it: [`command`], [`timeline`], [`rules`], [`edit`], [`workload`], [`rescue`], [`cluster`], [`pod`],
//! [`output`]. Only [`cluster`] talks to an API server; [`pod`], [`timeline`], [`rules`], [`edit`] and
//! [`workload`] are pure.

pub mod cluster;
pub mod command;
pub mod edit;
pub mod output;
pub mod pod;
pub mod rescue;
pub mod rules;
pub mod timeline;
pub mod workload;
