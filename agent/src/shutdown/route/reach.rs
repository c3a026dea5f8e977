//! Whether a filter can be behind a signal address outside of loopback. Istio captures connections to such an address, and without a
//! filter Envoy passes them on to a destination that does not exist: the agent would wait in vain.

use core::net::SocketAddr;

use pod::ports;

use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::shutdown::context::Context;
use crate::shutdown::times;

/// Envoy's admin interface lists its listeners here, one on a line: `NAME::ADDRESS`, or `NAME::ADDRESS,ADDRESS`.
const LISTENERS: &str = "/listeners";
/// Istio configures plugins by discovery, and Envoy tells here what it has discovered.
const PLUGINS: &str = "/config_dump?resource=ecds_filters";
/// The beginning of its response if there is none, which has the status 404 (Envoy, `source/server/admin/config_dump_handler.cc`).
const NO_PLUGIN: &[u8] = b"ecds_filters not found";

/// Looks for a listener on a port in pieces of the list. The address does not matter: Istio serves HTTP on a port of any address by one
/// listener on `0.0.0.0`.
#[derive(Debug)]
struct Search {
    port: String,
    /// The end of the last piece, in which an address can begin.
    rest: Vec<u8>,
    found: bool,
}

/// Whether Envoy says that it has no listener on the port of `at`, or no plugin. False if it does not answer.
pub(in crate::shutdown) fn is_out_of_reach<W: World>(context: &Context<'_, W>, at: SocketAddr) -> bool {
    let mut search = Search::new(at.port());
    let lists = ask(context, LISTENERS, &mut |piece| search.read(piece)) == Some(200);
    if lists && !search.found {
        return true;
    }
    let mut body = Body::up_to(NO_PLUGIN.len());
    ask(context, PLUGINS, &mut |piece| body.take(piece)) == Some(404) && body.bytes() == NO_PLUGIN
}

/// The status of the response to `path`. `None` if Envoy does not answer.
fn ask<W: World>(context: &Context<'_, W>, path: &'static str, body: &mut dyn FnMut(&[u8])) -> Option<u16> {
    let request = Request { method: "GET", path, headers: &[], timeout: context.time_for(times::REACH) };
    ports::LOCALHOST.into_iter().find_map(|ip| {
        let admin = SocketAddr::new(ip, context.options.admin_port);
        call::exchange(context.world, admin, &request, body).ok().map(|head| head.status)
    })
}

// === impl Search ===

impl Search {
    fn new(port: u16) -> Self {
        Self { port: format!(":{port}"), rest: Vec::new(), found: false }
    }

    fn read(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let ends =
            |window: &[u8]| window.split_last().is_some_and(|(end, port)| b"\n,".contains(end) && port == self.port.as_bytes());
        self.found |= self.rest.windows(self.port.len() + 1).any(ends);
        let done = self.rest.len().saturating_sub(self.port.len());
        self.rest.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_however_the_list_is_cut() {
        let list = b"0.0.0.0_15021::0.0.0.0:15021\n0.0.0.0_15190::0.0.0.0:15190\nboth::[::]:9080,0.0.0.0:9081\n";
        let found = |port: u16, size: usize| {
            let mut search = Search::new(port);
            list.chunks(size).for_each(|piece| search.read(piece));
            search.found
        };
        for size in 1..=list.len() {
            for (port, expected) in [(15190, true), (9080, true), (9081, true), (1519, false), (5190, false), (80, false)] {
                assert_eq!(found(port, size), expected, "port {port}, pieces of {size} bytes");
            }
        }
    }
}
