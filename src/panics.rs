//! A way to make the filter panic, for the tests of what Envoy's log says then. Only the feature `panics` compiles it: the shipped module
//! does not contain it.

/// A request with this path on the signal listener makes the filter panic.
pub(crate) const PATH: &str = "/v1/panic";

/// Panics.
#[allow(clippy::panic, reason = "this is what it is for")]
pub(crate) fn now() -> ! {
    panic!("a test has sent a request to {PATH}");
}
