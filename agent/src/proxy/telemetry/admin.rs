//! Envoy's admin interface, as far as it tells something about telemetry.

use core::fmt;
use core::net::SocketAddr;

use pod::bounds::Input;
use pod::ports;

use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::proxy::times;

/// Envoy's admin interface, on both addresses of loopback.
pub(super) struct Admin<'a, W> {
    world: &'a W,
    port: u16,
    /// Whether the proxy can listen there: not where another process does.
    may_be_envoy: &'a dyn Fn(SocketAddr) -> bool,
}

// === impl Admin ===

impl<'a, W: World> Admin<'a, W> {
    /// The admin interface on `port`.
    pub(super) const fn new(world: &'a W, port: u16, may_be_envoy: &'a dyn Fn(SocketAddr) -> bool) -> Self {
        Self { world, port, may_be_envoy }
    }

    /// The machine.
    pub(super) const fn world(&self) -> &'a W {
        self.world
    }

    /// The body of the response with status 200. `None` if there is none.
    pub(super) fn answer(&self, method: &str, path: &str, input: Input) -> Option<Body> {
        let mut body = Body::of(input);
        self.read(method, path, &mut |piece| body.take(piece)).then_some(body)
    }

    /// The same, with the body passed to `body`, piece by piece. Returns whether there was such a response.
    pub(super) fn read(&self, method: &str, path: &str, body: &mut dyn FnMut(&[u8])) -> bool {
        let request = Request { method, path, headers: &[], timeout: times::TELEMETRY };
        let addresses = ports::LOCALHOST.into_iter().map(|ip| SocketAddr::new(ip, self.port));
        addresses.filter(|at| (self.may_be_envoy)(*at)).any(|at| {
            // The body of an error passes, too, and means nothing.
            call::exchange(self.world, at, &request, &mut |piece| body(piece)).is_ok_and(|head| head.status == 200)
        })
    }
}

impl<W> fmt::Debug for Admin<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("port", &self.port).finish_non_exhaustive()
    }
}
