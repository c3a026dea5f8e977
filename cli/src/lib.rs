//! `kubectl exeunt`: why a batch pod does not end, and what ends it.
//!
//! Each folder is a room, and uses only those below it: [`command`], [`rules`], [`cluster`], [`pod`], [`output`]. Only [`cluster`] talks to
//! an API server; [`pod`] and [`rules`] are pure.

pub mod cluster;
pub mod command;
pub mod output;
pub mod pod;
pub mod rules;
