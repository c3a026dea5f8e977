//! The filter: a Proxy-Wasm HTTP filter that Istio places on the signal listener of a pod's proxy.
//!
//! This crate translates callbacks into events and effects into calls to Envoy. It takes no decision: the crate `drain` does. All calls
//! to Envoy are in [`host`].
//!
//! Levels of the log: `error` if the filter does not work as it is configured, `warn` if a call fails, `info` for each transition of
//! the drain, `debug` for what leads to it. A request alone is logged at `debug` only, so that no client can fill the log.

mod clock;
mod driver;
mod host;
mod log;
mod metrics;
#[cfg(feature = "panics")]
mod panics;
mod shared;
mod signal;
mod start;
mod store;

use std::rc::Rc;

use ::log::error;
use drain::config::Config;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::driver::Driver;
use crate::shared::Shared;
use crate::signal::SignalStream;

/// There is one on every worker and two on the main thread. At most one of them drives a drain.
struct Root {
    driver: Driver,
}

// === impl Root ===

impl Root {
    fn new() -> Self {
        Self { driver: Driver::new(Rc::new(Shared::new(Config::default()))) }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _trailers: usize) {
        // Without headers the call was reset, and asking Envoy for a header would panic.
        self.driver.on_answer(token, (headers > 0).then_some(body_size));
    }

    fn on_done(&mut self) -> bool {
        self.driver.resign();
        true
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        match Config::parse(&host::plugin_configuration()) {
            Ok(config) => {
                self.driver.resign();
                self.driver = Driver::new(Rc::new(Shared::new(config)));
                self.driver.watch();
                true
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    error!("plugin configuration refused: {mistake}");
                }
                false
            }
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.driver.on_signals(queue);
    }

    fn on_tick(&mut self) {
        self.driver.on_tick();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(SignalStream::new(Rc::clone(self.driver.shared()))))
    }
}
