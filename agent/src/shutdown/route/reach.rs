//! Whether a filter can be behind a signal address outside of loopback. Istio captures connections to such an address, and without a
//! filter Envoy passes them on to a destination that does not exist: the agent would wait in vain.

use core::net::SocketAddr;

use pod::bounds::Input;
use pod::ports;

use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::shutdown::context::Context;
use crate::shutdown::times;

/// Envoy's admin interface tells here the metric that a filter defines as soon as it is configured. Istio's bootstrap has the metrics of
/// all Wasm filters (`tools/packaging/common/envoy_bootstrap.json`, `stats_matcher`).
const METRIC: &str = "/stats?filter=exeunt_state";
/// The name in the response.
const NAME: &[u8] = b"exeunt_state";

/// Whether Envoy says that it has no filter. False if it does not answer.
pub(in crate::shutdown) fn has_no_filter<W: World>(context: &Context<'_, W>) -> bool {
    let request = Request { method: "GET", path: METRIC, headers: &[], timeout: context.time_for(times::REACH) };
    let has_filter = ports::LOCALHOST.into_iter().find_map(|ip| {
        let mut body = Body::of(Input::FilterMetric);
        let admin = SocketAddr::new(ip, context.options.admin_port);
        let head = call::exchange(context.world, admin, &request, &mut |piece| body.take(piece)).ok()?;
        (head.status == 200).then(|| body.bytes().windows(NAME.len()).any(|window| window == NAME))
    });
    has_filter == Some(false)
}
