//! The rule of delivery: what of the pod's data the kernel still holds, read from its table of sockets.
//!
//! Three hold a dead task's last bytes: its own closed sockets, the proxy's connections to it (unread), and the proxy's
//! connections to the destination (not acknowledged). Each shows in the table; idle connections, probes and configuration do not
//! count.

use crate::proxy::{Proxy, Role};
use crate::sockets::{Socket, State};

/// What the kernel holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections that are not yet delivered.
    pub connections: u32,
    /// Bytes in their queues: written and not yet read by the proxy, or not yet acknowledged by the far end.
    pub bytes: u64,
    /// Connections of the pod's own processes that the proxy still holds and that are not known to be delivered; idle ones count.
    /// With none of them no request of the pod can be in flight.
    pub downstream: u32,
}

// === impl Held ===

impl Held {
    /// Whether nothing is on its way: idle connections may stand.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.connections == 0 && self.bytes == 0
    }

    fn add(&mut self, bytes: u64) {
        self.connections = self.connections.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What the kernel holds while the proxy lives, by the whole table `sockets`.
#[must_use]
pub fn held(sockets: &[Socket], proxy: &Proxy) -> Held {
    let mut held = Held::default();
    // Connections whose task side is done and whose bytes the proxy has read, and connections that it has passed on in full.
    let (mut read_out, mut passed_on) = (0u32, 0u32);
    for socket in sockets {
        let Some(role) = proxy.role(socket) else { continue };
        // A connection that is only asked for (SYN-SENT) holds nothing itself: what waits for it is on the captured side.
        let unsent = if socket.tx_queue > 0 && socket.state != State::SynSent { Some(socket.unsent()) } else { None };
        let unread = if socket.rx_queue > 0 { Some(socket.unread()) } else { None };
        match role {
            // To anyone: the task may have ports that are not captured, and the pod's network ends with its last container.
            Role::Orphan => held.add(socket.unsent()),
            Role::Waiting => {
                held.add(socket.unread());
                held.downstream = held.downstream.saturating_add(1);
            }
            Role::Captured => {
                let closed_by_task = socket.state == State::CloseWait;
                held.downstream = held.downstream.saturating_add(u32::from(holds_task(socket.state)));
                match (unread, unsent) {
                    (None, None) if closed_by_task => read_out = read_out.saturating_add(1),
                    (None, None) => {}
                    (unread, unsent) => held.add(unread.unwrap_or(0).saturating_add(unsent.unwrap_or(0))),
                }
            }
            // What is unread is the task's answer to a remote client.
            Role::ToPod => match (unread, unsent) {
                (None, None) => {}
                (unread, unsent) => held.add(unread.unwrap_or(0).saturating_add(unsent.unwrap_or(0))),
            },
            // What is unread there is the far end's: a request that comes too late, or an answer that nobody is left to read.
            Role::Inbound | Role::Upstream => {
                if let Some(unsent) = unsent {
                    held.add(unsent);
                }
                let passed = role == Role::Upstream && socket.state == State::FinWait2 && unsent.is_none();
                passed_on = passed_on.saturating_add(u32::from(passed));
            }
        }
    }
    // The proxy half-closes a connection to a destination only when it has read the task's end of it. In FIN-WAIT-2 all of that,
    // the FIN included, is acknowledged; only the far end's own close is missing. So each of them excuses one connection that is
    // read out.
    let excused = read_out.min(passed_on);
    held.connections = held.connections.saturating_add(read_out - excused);
    held.downstream = held.downstream.saturating_sub(excused);
    held
}

/// What the kernel still has to send once the proxy has gone, by the whole table `sockets`: the orphans, but for those that the proxy
/// would have had to read. The kernel resets them when they next try, which must not look like a delivery.
#[must_use]
pub fn left_behind(sockets: &[Socket], proxy: &Proxy) -> Held {
    let mut held = Held::default();
    let orphans = sockets.iter().filter(|socket| proxy.role(socket) == Some(Role::Orphan));
    for socket in orphans.filter(|socket| !proxy.is_sent_to(socket)) {
        held.add(socket.unsent());
    }
    held
}

/// Whether the proxy may still read from a captured connection in this state, or write to it.
const fn holds_task(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait | State::FinWait1 | State::FinWait2)
}

#[cfg(test)]
mod tests;
