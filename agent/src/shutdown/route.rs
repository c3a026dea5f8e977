//! The routes to the proxy. Each tries until the proxy has ended or was drained, or until it fails.

mod admin;
mod calls;
pub(super) mod driver;
pub(super) mod filter;
pub(super) mod reach;
pub(super) mod terminate;
mod ztunnel;
