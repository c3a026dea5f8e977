//! Makes `#[test]` mean `#[wasm_bindgen_test]` in a crate that is tested as WebAssembly.
//!
//! The law of this crate: a test is written once. On `wasm32` a crate that says
//! `#[cfg(all(test, target_arch = "wasm32"))] #[macro_use] extern crate wasm_test;` at its root has every `#[test]` of its own run by
//! wasm-bindgen-test in Node; everywhere else this crate is empty. `./build.sh test wasm` is the run.

// `#[macro_use]` also brings in what is re-exported, and a name brought in so goes before the prelude's `test`.
#[cfg(target_arch = "wasm32")]
pub use wasm_bindgen_test::wasm_bindgen_test as test;
