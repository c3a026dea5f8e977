//! Who refuses a connection: the pod itself, or another machine.
//!
//! Istio redirects a connection that leaves the pod to the pod's loopback. If no proxy listens there, the kernel of the pod refuses it. A
//! firewall outside of the pod can refuse it, too, and looks the same. But the redirected packet never leaves the pod, so its time to live
//! does not matter, while the first router drops a packet whose time to live is 1.

use core::net::SocketAddr;
use core::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_ip_ttl, set_ipv6_unicast_hops, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

/// The packets of the connection are dropped by the first router.
const HOPS: u8 = 1;

/// Whether the pod itself refuses a connection to `to` within `timeout`.
pub(super) fn is_refused_here(to: SocketAddr, timeout: Duration) -> bool {
    attempt(to, timeout) == Err(Errno::CONNREFUSED)
}

fn attempt(to: SocketAddr, timeout: Duration) -> rustix::io::Result<()> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match to {
        SocketAddr::V4(_) => set_ip_ttl(&socket, HOPS.into())?,
        SocketAddr::V6(_) => set_ipv6_unicast_hops(&socket, Some(HOPS))?,
    }
    // This is also the timeout of the connect (socket(7)).
    set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    connect(&socket, &to)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn a_port_of_this_machine_without_a_listener_refuses() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(local) else {
                eprintln!("SKIPPED: this machine has no address {local}");
                continue;
            };
            let at = listener.local_addr().unwrap();
            assert!(!is_refused_here(at, SOON), "{at} has a listener");
            drop(listener);
            assert!(is_refused_here(at, SOON), "{at} has none");
        }
    }
}
