//! `kubectl exeunt`: why a batch pod does not end, and what ends it.
//!
//! Each folder is a room, and uses only those behind it: [`command`], [`controller`], [`timeline`], [`rules`], [`edit`], [`workload`],
//! [`rescue`], [`observe`], [`cluster`], [`pod`], [`output`]. Only [`cluster`] talks to an API server; [`pod`], [`timeline`], [`rules`],
//! [`edit`] and [`workload`] are pure, and so is what [`observe`] counts.

pub mod cluster;
pub mod command;
pub mod controller;
pub mod edit;
pub mod observe;
pub mod output;
pub mod pod;
pub mod rescue;
pub mod rules;
pub mod timeline;
pub mod workload;
