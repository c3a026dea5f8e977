//! Whether a request has come through a proxy. The listener is the pod's own, but an open proxy in the pod, or an ingress listener that points
//! to the signal port, hands requests on from elsewhere. Only a proxy that says so is noticed.

use core::net::IpAddr;

/// The header with the addresses that a request came from. Envoy itself adds it where istiod has `PILOT_SIDECAR_USE_REMOTE_ADDRESS`, and
/// names an address of the pod then.
pub const FOR: &str = "x-forwarded-for";
/// Other headers that only a proxy adds. Envoy adds the third one when it passes a request on, as Istio configures it
/// (`include_request_attempt_count`), and so never before a filter sees it. It removes the last one on an outbound listener, unless that is
/// configured otherwise.
pub const BY: [&str; 4] = ["via", "forwarded", "x-envoy-attempt-count", "x-forwarded-client-cert"];

/// Whether `addresses`, the value of [`FOR`], names only addresses of the pod: loopback, and those in `own`, which are separated by commas, too.
#[must_use]
pub fn is_from_the_pod(addresses: &str, own: &str) -> bool {
    let parsed = |address: &str| address.trim().parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    addresses.split(',').all(|address| {
        let own = || own.split(',').any(|own| parsed(own) == parsed(address));
        parsed(address).is_some_and(|ip| ip.is_loopback() || own())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_addresses_of_the_pod_are_from_the_pod() {
        let own = "10.5.0.2,fd00:5::2";
        for from_the_pod in ["10.5.0.2", "127.0.0.1", "::1", " 10.5.0.2 , fd00:5:0::2", "::ffff:10.5.0.2"] {
            assert!(is_from_the_pod(from_the_pod, own), "{from_the_pod}");
        }
        for elsewhere in ["10.5.0.3", "10.5.0.3, 10.5.0.2", "10.5.0.2, 10.5.0.3", "", ",", "unknown", "10.5.0.2:80", "localhost"]
        {
            assert!(!is_from_the_pod(elsewhere, own), "{elsewhere}");
        }
        assert!(is_from_the_pod("127.0.0.1", "") && !is_from_the_pod("10.5.0.2", "") && !is_from_the_pod("", ""));
    }
}
