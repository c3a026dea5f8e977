//! A way to make the filter panic, for the tests of what Envoy's log says then: `tests/host/log.test.mjs` in V8, and
//! `tests/e2e/test_panic.py` on real Envoys. Both use `target/exeunt-panics.wasm`, which `./build.sh test host` builds with the feature
//! `panics`. The shipped module is built without it.

/// A request with this path on the signal listener makes the filter panic.
pub(crate) const PATH: &str = "/v1/panic";

/// Panics.
#[allow(clippy::panic, reason = "this is what it is for")]
pub(crate) fn now() -> ! {
    panic!("a test has sent a request to {PATH}");
}
