//! What `/proc` and pidfd tell about a pod, from inside it.
//!
//! The law of this crate: the parsers are pure and take any bytes; the readers are thin, need no rights, and take the place of
//! `/proc` as an argument; the rule of delivery sees sockets only, never a file.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test that cannot go on should stop at the line"
    )
)]

pub mod container;
pub mod delivery;
pub mod diag;
pub mod istio;
pub mod pidfd;
pub mod ports;
pub mod procfs;
pub mod proxy;
pub mod sockets;
pub mod stat;
pub mod table;
