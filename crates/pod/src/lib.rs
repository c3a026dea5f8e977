//! Reads the containers, processes and sockets of a pod from inside, in `/proc` and by pidfd.
//!
//! The parsers are pure and accept any bytes. The readers are thin, need no rights, and take the path of `/proc` as an argument. The rule
//! of delivery works on sockets only and reads no file. [`bounds`] has a limit for everything that is read.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::disallowed_methods,
        reason = "a test stops where something is wrong, and reads only what it has written"
    )
)]
// What is printed goes through the agent's log, which escapes it.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod bounded;
pub mod bounds;
pub mod container;
pub mod delivery;
pub mod diag;
pub mod istio;
pub mod pidfd;
pub mod ports;
pub mod procfs;
pub mod proxy;
mod set;
pub mod sockets;
pub mod stat;
pub mod table;
pub mod zombie;
