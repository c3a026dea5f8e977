//! When Envoy sends its metrics: every five seconds, or as the annotation `sidecar.istio.io/statsFlushInterval` says. Envoy writes its uptime, in
//! seconds, into its statistics only then. So another uptime tells that the metrics were sent.

use pod::bounds::Input;

use super::admin::Admin;
use crate::os::World;

const UPTIME: &str = "/stats?filter=^server.uptime$";
const NAME: &str = "server.uptime: ";

/// Envoy's uptime, in seconds, when it last sent its metrics. `None` if it does not tell: then there is nothing to wait for.
pub(super) fn uptime(admin: &Admin<'_, impl World>) -> Option<u64> {
    let body = admin.answer("GET", UPTIME, Input::Runtime)?;
    let text = core::str::from_utf8(body.bytes()).ok()?;
    text.lines().find_map(|line| line.trim().strip_prefix(NAME)?.parse().ok())
}
