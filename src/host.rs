//! What Envoy is asked for, and its status codes turned into values of ours.
//!
//! A refusal by the host is never a panic: the caller gets `None` or `false` and goes the way it has for that. The SDK does panic on
//! statuses that it does not expect of a call, so nothing is asked for where it cannot be: headers of an answer that has none, above
//! all.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

/// One info line per transition, a warning or an error where a person should act.
pub(crate) fn log(level: LogLevel, message: &str) {
    // Nobody is left to tell that the log does not work.
    let _ = hostcalls::log(level, message);
}

/// The text of `spec.pluginConfig`, empty where there is none.
pub(crate) fn plugin_configuration() -> Vec<u8> {
    // The host cuts at the end: Istio's own limit for a resource is far below this.
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, 1 << 20).ok().flatten().unwrap_or_default()
}

/// The wall clock, since 1970. Envoy offers no monotonic one.
pub(crate) fn wall() -> Duration {
    hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

/// The local address of the stream's connection. Unlike `source.address` no header can change it.
pub(crate) fn destination_address() -> Option<SocketAddr> {
    let bytes = hostcalls::get_property(vec!["destination", "address"]).ok().flatten()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// A header of the request, of which nobody has said that it is UTF-8.
pub(crate) fn request_header_bytes(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten()
}

/// A header of the request; one that is not UTF-8 is as good as none.
pub(crate) fn request_header(name: &str) -> Option<String> {
    String::from_utf8(request_header_bytes(name)?).ok()
}

/// Sets a header of the request before it goes on.
pub(crate) fn set_request_header(name: &str, value: &str) -> bool {
    hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value)).is_ok()
}

/// Makes `address` the upstream of this stream, where its cluster is one that takes the original destination, as Istio's
/// `PassthroughCluster` is. Envoy before 1.29 cannot.
pub(crate) fn set_original_destination(address: SocketAddr) -> bool {
    // SetEnvoyFilterStateArguments, source/extensions/common/wasm/ext/set_envoy_filter_state.proto: 1 path, 2 value; the life span (3)
    // is the stream's by default. Lengths below 128 are one byte in protobuf.
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

/// Answers the stream; nothing of it goes further.
pub(crate) fn respond(status: u32, headers: Vec<(&str, &str)>, body: &[u8]) {
    if hostcalls::send_http_response(status, headers, Some(body)).is_err() {
        log(LogLevel::Warn, &format!("an answer with status {status} could not be sent"));
    }
}

/// Sends a request without a body and returns its token; `None` where the cluster does not exist.
pub(crate) fn call(cluster: &str, method: &str, path: &str, timeout: Duration) -> Option<u32> {
    let headers = vec![(":method", method), (":path", path), (":authority", cluster)];
    hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout).ok()
}

/// The status of the answer that is being delivered, which must have headers.
pub(crate) fn answer_status() -> Option<u16> {
    let bytes = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status").ok().flatten()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// The body of the answer that is being delivered, in pieces: it can have 35 MB.
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

/// Asks for ticks that far apart; zero stops them.
pub(crate) fn set_tick(period: Duration) {
    if hostcalls::set_tick_period(period).is_err() {
        log(LogLevel::Error, "Envoy refuses a timer: the drain goes on only as signals and answers come");
    }
}

/// A value of the process-wide shared data with its version.
pub(crate) fn shared(key: &str) -> (Option<Vec<u8>>, Option<u32>) {
    hostcalls::get_shared_data(key).unwrap_or((None, None))
}

/// Sets a value of the shared data if it still has `version`; without one in any case. False: somebody was faster.
pub(crate) fn set_shared(key: &str, value: &[u8], version: Option<u32>) -> bool {
    hostcalls::set_shared_data(key, Some(value), version).is_ok()
}

/// Makes this worker's root context the one that the queue wakes.
pub(crate) fn register_queue(name: &str) -> Option<u32> {
    hostcalls::register_shared_queue(name).ok()
}

/// Puts `value` into the queue.
pub(crate) fn enqueue(queue: u32, value: &[u8]) -> bool {
    hostcalls::enqueue_shared_queue(queue, Some(value)).is_ok()
}

/// The oldest value of the queue.
pub(crate) fn dequeue(queue: u32) -> Option<Vec<u8>> {
    hostcalls::dequeue_shared_queue(queue).ok().flatten()
}

/// A metric's number; `None` where Envoy refuses it.
pub(crate) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    hostcalls::define_metric(kind, name).ok()
}

/// Sets a gauge.
pub(crate) fn set_metric(metric: Option<u32>, value: u64) {
    // A metric that Envoy refuses is no reason to disturb a drain.
    let _ = metric.map(|metric| hostcalls::record_metric(metric, value));
}

/// Counts one up.
pub(crate) fn count_metric(metric: Option<u32>) {
    let _ = metric.map(|metric| hostcalls::increment_metric(metric, 1));
}
