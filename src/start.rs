//! The start of the module.

// The macro defines a public function without documentation.
#![allow(missing_docs, unreachable_pub)]

use crate::Root;

proxy_wasm::main! {{
    crate::log::install();
    proxy_wasm::set_root_context(|_| Box::new(Root::new()));
}}
