//! The start of the module.

// The macro defines a public function without documentation.
#![allow(missing_docs, unreachable_pub)]

use proxy_wasm::types::LogLevel;

use crate::Root;

proxy_wasm::main! {{
    // This installs the SDK's logger and its panic hook, which logs place and message of a panic as `critical`. Envoy applies the level
    // of its `wasm` logger, which can change at any time, so nothing is left out here.
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Root::new()));
}}
