//! The rule of delivery: how much data of the pod the kernel still holds, by its table of sockets.
//!
//! The last bytes of a task that has ended are in three places: in its own closed sockets, in the proxy's connections to it (unread), and
//! in the proxy's connections to the destination (not acknowledged). The table shows all three. Idle connections, probes and
//! configuration do not count.

use crate::proxy::{Proxy, Role};
use crate::sockets::{Socket, State};

/// Undelivered data: what the kernel holds, and what the proxy buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections that are not yet delivered.
    pub connections: u32,
    /// Bytes in their queues: written and not yet read by the proxy, or not yet acknowledged by the receiver.
    pub bytes: u64,
    /// Connections from the pod's own processes that the proxy still holds, without those that are known to be delivered. Idle ones count.
    /// If there are none, no request of the pod is in flight.
    pub downstream: u32,
    /// Loggers and tracers of the proxy that may still buffer entries or spans of the task. The kernel shows none of them: who asks the proxy
    /// fills this in.
    pub buffers: u32,
}

// === impl Held ===

impl Held {
    /// Whether no data is undelivered. There may be idle connections.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.connections == 0 && self.bytes == 0 && self.buffers == 0
    }

    fn add(&mut self, bytes: u64) {
        self.connections = self.connections.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What the kernel holds while the proxy runs. `sockets` is the whole table.
#[must_use]
pub fn held(sockets: &[Socket], proxy: &Proxy) -> Held {
    let mut held = Held::default();
    // Connections that the task has closed and the proxy has read to their end, and connections whose data it has delivered in full.
    let (mut read_out, mut passed_on) = (0u32, 0u32);
    for socket in sockets {
        let Some(role) = proxy.role(socket) else { continue };
        // A connection in SYN-SENT holds nothing: its data is still on the captured side.
        let unsent = if socket.tx_queue > 0 && socket.state != State::SynSent { Some(socket.unsent()) } else { None };
        let unread = if socket.rx_queue > 0 { Some(socket.unread()) } else { None };
        match role {
            // To any destination: some ports may not be captured, and the pod's network ends with its last container.
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
            // The unread bytes are the task's answer to a remote client.
            Role::ToPod => match (unread, unsent) {
                (None, None) => {}
                (unread, unsent) => held.add(unread.unwrap_or(0).saturating_add(unsent.unwrap_or(0))),
            },
            // The unread bytes come from outside: a request that is too late, or an answer that no process will read.
            Role::Inbound | Role::Upstream => {
                if let Some(unsent) = unsent {
                    held.add(unsent);
                }
                let passed = role == Role::Upstream && socket.state == State::FinWait2 && unsent.is_none();
                passed_on = passed_on.saturating_add(u32::from(passed));
            }
        }
    }
    // The proxy half-closes a connection to a destination only after it has read the task's connection to its end. In FIN-WAIT-2 all of
    // that is acknowledged, with the FIN; only the destination has not closed. So for each of them, one connection that was read to its
    // end is delivered.
    let excused = read_out.min(passed_on);
    held.connections = held.connections.saturating_add(read_out - excused);
    held.downstream = held.downstream.saturating_sub(excused);
    held
}

/// What the kernel still has to send after the proxy has ended: the orphans. `sockets` is the whole table.
///
/// Orphans whose data the proxy would have had to read do not count. The kernel resets them at their next attempt, which must not look
/// like a delivery.
#[must_use]
pub fn left_behind(sockets: &[Socket], proxy: &Proxy) -> Held {
    let mut held = Held::default();
    let orphans = sockets.iter().filter(|socket| proxy.role(socket) == Some(Role::Orphan));
    for socket in orphans.filter(|socket| !proxy.is_sent_to(socket)) {
        held.add(socket.unsent());
    }
    held
}

/// Whether the proxy may still read from or write to a captured connection in this state.
const fn holds_task(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait | State::FinWait1 | State::FinWait2)
}

#[cfg(test)]
mod tests;
