//! The routes to the proxy. Each tries until the proxy has ended or was drained, or until it fails.

pub(super) mod admin;
mod driver;
pub(super) mod filter;
pub(super) mod terminate;
pub(super) mod ztunnel;
