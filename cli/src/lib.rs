//! `kubectl exeunt`: why a batch pod does not end, and what ends it.
//!
//! Each folder is a room, and uses only those below it: [`command`], [`rules`], [`workload`], [`cluster`], [`pod`], [`output`]. Only [`cluster`] talks to
//! an API server; [`pod`], [`rules`] and [`workload`] are pure.

pub mod cluster;
pub mod command;
pub mod output;
pub mod pod;
pub mod rules;
pub mod workload;
