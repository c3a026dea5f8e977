//! The tests beside this file once more, as WebAssembly in Node.js. A `#[macro_use]` counts for a whole crate, so this is one that has
//! them all as modules; each `#[test]` in them is then wasm-bindgen-test's.

#![cfg(target_arch = "wasm32")]

#[macro_use]
extern crate wasm_test;

#[path = "laws/main.rs"]
mod laws;
