//! The tests of the command as its users meet it: one program, because each one that is linked takes seconds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic, and so may its helpers")]

mod api_server;
mod check;
mod completion;
mod controller;
mod documents;
mod double;
mod forward;
mod manifests;
mod module;
mod owner;
mod reap;
mod rules;
mod timeline;
mod timeline_command;
