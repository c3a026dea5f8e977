//! One call to another process in the pod.

use core::net::SocketAddr;
use core::time::Duration;

use super::http::{CONNECT_TIMEOUT, Head, Problem, Request};
use super::world::{Connection, World};

/// Sends `request` to `to` and passes the body of the response to `body`, piece by piece.
///
/// # Errors
/// Where there is no usable response in time.
pub fn exchange(world: &impl World, to: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem> {
    let connection = world.connect(to, CONNECT_TIMEOUT.min(request.timeout)).map_err(|error| Problem::NotSent(error.kind()))?;
    connection.exchange(to, request, body)
}

/// Whether a process listens on `at`, found out within `timeout`.
pub fn listens(world: &impl World, at: SocketAddr, timeout: Duration) -> bool {
    world.connect(at, timeout).is_ok()
}
