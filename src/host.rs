//! The calls to Envoy, with its status codes translated into values.
//!
//! If Envoy refuses a call, the caller gets `None` or `false` and handles that. The SDK panics on a status that it does not expect from
//! a call, so the filter asks for nothing that may be absent: above all not for the headers of an answer that has none.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use log::{error, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType};

/// The longest configuration that is read, in bytes. Kubernetes does not store a resource of this size.
const MAX_CONFIGURATION: usize = 1 << 20;

/// The text of `spec.pluginConfig`; empty if there is none.
pub(crate) fn plugin_configuration() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, MAX_CONFIGURATION).ok().flatten().unwrap_or_default()
}

/// The time since 1970 by the wall clock. Envoy offers no monotonic clock.
pub(crate) fn wall() -> Duration {
    hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

/// The local address of the stream's connection. Unlike `source.address`, no header can change it.
pub(crate) fn destination_address() -> Option<SocketAddr> {
    let bytes = hostcalls::get_property(vec!["destination", "address"]).ok().flatten()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// The addresses of the pod, separated by commas, as pilot-agent has given them to Envoy; empty if it has not.
pub(crate) fn pod_addresses() -> String {
    // Older releases of Envoy have the second name.
    let names = [vec!["xds", "node", "metadata", "INSTANCE_IPS"], vec!["node", "metadata", "INSTANCE_IPS"]];
    let addresses = names.into_iter().find_map(|name| hostcalls::get_property(name).ok().flatten());
    addresses.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// A header of the request. It need not be UTF-8.
pub(crate) fn request_header_bytes(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten()
}

/// A header of the request; `None` also if it is not UTF-8.
pub(crate) fn request_header(name: &str) -> Option<String> {
    String::from_utf8(request_header_bytes(name)?).ok()
}

/// Sets a header of the request before Envoy forwards it.
pub(crate) fn set_request_header(name: &str, value: &str) -> bool {
    hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value)).is_ok()
}

/// Makes `address` the upstream of this stream if its cluster forwards to the original destination, as Istio's `PassthroughCluster`
/// does. Envoy before 1.29 cannot do that.
pub(crate) fn set_original_destination(address: SocketAddr) -> bool {
    // SetEnvoyFilterStateArguments in source/extensions/common/wasm/ext/set_envoy_filter_state.proto: field 1 is the path, field 2 the
    // value; by default the value lives as long as the stream. Protobuf writes a length below 128 in one byte.
    let mut arguments = Vec::new();
    for (field, text) in [(1u8, "envoy.network.transport_socket.original_dst_address"), (2, address.to_string().as_str())] {
        let Some(length) = u8::try_from(text.len()).ok().filter(|length| *length < 128) else { return false };
        arguments.extend_from_slice(&[field << 3 | 2, length]);
        arguments.extend_from_slice(text.as_bytes());
    }
    hostcalls::call_foreign_function("set_envoy_filter_state", Some(&arguments)).is_ok()
}

/// The first `size` bytes of the request's body.
pub(crate) fn request_body(size: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size).ok().flatten().unwrap_or_default()
}

/// Answers the request. Envoy does not forward it.
pub(crate) fn respond(status: u32, headers: Vec<(&str, &str)>, body: &[u8]) {
    if hostcalls::send_http_response(status, headers, Some(body)).is_err() {
        warn!("an answer with status {status} could not be sent");
    }
}

/// Sends a request without a body and returns its token; `None` if the cluster does not exist or Envoy refuses.
pub(crate) fn call(cluster: &str, method: &str, path: &str, timeout: Duration) -> Option<u32> {
    let headers = vec![(":method", method), (":path", path), (":authority", cluster)];
    hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout).ok()
}

/// The status of the answer that Envoy is delivering. The answer must have headers.
pub(crate) fn answer_status() -> Option<u16> {
    let bytes = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status").ok().flatten()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// The body of the answer that Envoy is delivering, in pieces: it can have 35 MB.
pub(crate) fn answer_body(size: usize, mut take: impl FnMut(&[u8])) {
    const PIECE: usize = 64 * 1024;
    for start in (0..size).step_by(PIECE) {
        let length = PIECE.min(size - start);
        match hostcalls::get_buffer(BufferType::HttpCallResponseBody, start, length) {
            Ok(Some(piece)) => take(&piece),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Asks for a tick after every `period`; zero stops them.
pub(crate) fn set_tick(period: Duration) {
    if hostcalls::set_tick_period(period).is_err() {
        error!("Envoy refuses a timer: the drain continues only when signals and answers come");
    }
}

/// A value in the shared data of the process, with its version.
pub(crate) fn shared(key: &str) -> (Option<Vec<u8>>, Option<u32>) {
    hostcalls::get_shared_data(key).unwrap_or((None, None))
}

/// Sets a value in the shared data if it still has `version`; without a version, always. False: another worker has changed it. A value that
/// does not exist has no version, so its first write replaces whatever another worker has written in the meantime.
pub(crate) fn set_shared(key: &str, value: &[u8], version: Option<u32>) -> bool {
    hostcalls::set_shared_data(key, Some(value), version).is_ok()
}

/// Lets the queue wake this worker's root context.
pub(crate) fn register_queue(name: &str) -> Option<u32> {
    hostcalls::register_shared_queue(name).ok()
}

/// Puts `value` into the queue.
pub(crate) fn enqueue(queue: u32, value: &[u8]) -> bool {
    hostcalls::enqueue_shared_queue(queue, Some(value)).is_ok()
}

/// Takes the oldest value from the queue.
pub(crate) fn dequeue(queue: u32) -> Option<Vec<u8>> {
    hostcalls::dequeue_shared_queue(queue).ok().flatten()
}

/// Defines a metric and returns its number; `None` if Envoy refuses.
pub(crate) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    hostcalls::define_metric(kind, name).ok()
}

/// Sets a gauge.
pub(crate) fn set_metric(metric: Option<u32>, value: u64) {
    // A metric that Envoy refuses must not disturb a drain.
    let _ = metric.map(|metric| hostcalls::record_metric(metric, value));
}

/// Adds one to a counter.
pub(crate) fn count_metric(metric: Option<u32>) {
    let _ = metric.map(|metric| hostcalls::increment_metric(metric, 1));
}
