//! Where Envoy starts the module.

// The macro makes a public function and leaves it without documentation.
#![allow(missing_docs, unreachable_pub)]

use proxy_wasm::types::LogLevel;

use crate::Root;

proxy_wasm::main! {{
    // Envoy filters by its own level; the SDK must not do it a second time.
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Root::new()));
}}
