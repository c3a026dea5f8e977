//! One connection of the pod through its proxy, and where its bytes are.

use core::net::{IpAddr, Ipv4Addr};

use pod::sockets::{Endpoint, Socket, State};

use crate::plan::Receiver;

/// The buffers of the kernel and of Envoy, in bytes. They are smaller than real ones, so that all fill up.
const RECEIVE_BUFFER: u64 = 64 * 1024;
const ENVOY_BUFFER: u64 = 32 * 1024;
const SEND_BUFFER: u64 = 128 * 1024;
/// The bytes of one read of Envoy.
const READ: u64 = 16 * 1024;

pub(crate) const PROXY_UID: u32 = 1337;
const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2));
const SERVER: Endpoint = Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 99, 0, 10)), 9000);
pub(crate) const CAPTURE: Endpoint = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15001);

/// One connection.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the two ends of a connection close independently")]
pub(crate) struct Flow {
    number: u16,
    receiver: Receiver,
    /// Whether it belongs to a helper container, which runs on and keeps the connection.
    of_a_helper: bool,
    /// Whether its sender has connected, and whether it has ended and with it closed the connection.
    begun: bool,
    closed: bool,
    /// In the sender's socket, in the proxy's, in Envoy itself, in the proxy's socket to the destination.
    in_sender: u64,
    in_proxy: u64,
    in_envoy: u64,
    in_upstream: u64,
    /// Envoy has read the sender's FIN.
    fin_read: bool,
    /// Envoy has ended.
    cut: bool,
    /// When a byte of it last moved, in milliseconds.
    moved: u64,
}

// === impl Flow ===

impl Flow {
    /// A connection that has not begun.
    pub(crate) const fn new(number: u16, receiver: Receiver, of_a_helper: bool) -> Self {
        let (in_sender, in_proxy, in_envoy, in_upstream) = (0, 0, 0, 0);
        let (begun, closed, fin_read, cut) = (false, false, false, false);
        Self { number, receiver, of_a_helper, begun, closed, in_sender, in_proxy, in_envoy, in_upstream, fin_read, cut, moved: 0 }
    }

    /// The sender connects at `now`, in milliseconds, and writes `bytes`.
    pub(crate) const fn begin(&mut self, bytes: u64, now: u64) {
        (self.begun, self.in_sender, self.moved) = (true, bytes, now);
    }

    /// Since when, in milliseconds, what it holds has not moved.
    pub(crate) fn stalled_since(&self, now: u64) -> Option<u64> {
        (self.undelivered() > 0).then_some(self.moved.min(now))
    }

    /// The sender ends. A helper runs on.
    pub(crate) const fn close(&mut self) {
        self.closed = !self.of_a_helper;
    }

    /// Lets one millisecond pass, at `now` in milliseconds. Returns whether a byte has moved.
    pub(crate) fn step(&mut self, now: u64, envoy_works: bool) -> bool {
        let before = (self.in_sender, self.in_proxy, self.in_envoy, self.in_upstream, self.fin_read);
        self.in_upstream -= self.in_upstream.min(self.receiver.takes(now));
        if envoy_works && !self.cut {
            // What was read a millisecond ago is written now. In between it is in no queue.
            let written = self.in_envoy.min(SEND_BUFFER.saturating_sub(self.in_upstream));
            self.in_envoy -= written;
            self.in_upstream += written;
            if self.in_envoy == 0 {
                let read = self.in_proxy.min(READ).min(ENVOY_BUFFER);
                self.fin_read = self.closed && self.in_sender == 0 && self.in_proxy == 0;
                self.in_proxy -= read;
                self.in_envoy += read;
            }
        }
        if !self.cut {
            // A receiver does not offer a small window (RFC 1122, 4.2.3.3).
            let window = RECEIVE_BUFFER - self.in_proxy;
            let sent = self.in_sender.min(if window >= RECEIVE_BUFFER / 2 { window } else { 0 });
            self.in_sender -= sent;
            self.in_proxy += sent;
        }
        let moves = before != (self.in_sender, self.in_proxy, self.in_envoy, self.in_upstream, self.fin_read);
        if moves {
            self.moved = now;
        }
        moves
    }

    /// Whether Envoy has read all that the sender has written, and its end, and has written it to the destination.
    pub(crate) const fn is_passed_on(&self) -> bool {
        self.fin_read && self.in_envoy == 0
    }

    /// When a byte can move again, in milliseconds, if none moves now.
    pub(crate) fn resumes(&self, now: u64) -> Option<u64> {
        self.receiver.resumes(now).filter(|_| self.in_upstream > 0)
    }

    /// Ends Envoy. Returns the bytes that are lost, which it had not passed on.
    pub(crate) fn cut(&mut self) -> u64 {
        if self.cut || !self.begun {
            return 0;
        }
        let lost = self.in_sender + self.in_proxy + self.in_envoy;
        (self.in_sender, self.in_proxy, self.in_envoy, self.cut) = (0, 0, 0, true);
        lost
    }

    /// The bytes that are not delivered.
    pub(crate) fn undelivered(&self) -> u64 {
        self.in_sender + self.in_proxy + self.in_envoy + self.in_upstream
    }

    /// The bytes that are not delivered and that the kernel holds: what Envoy holds is in no queue.
    pub(crate) fn in_queues(&self) -> u64 {
        self.in_sender + self.in_proxy + self.in_upstream
    }

    /// Whether Envoy counts it as a request in flight.
    pub(crate) fn is_active(&self) -> bool {
        let stays_open = !self.of_a_helper && (self.receiver.keeps_open || !self.closed);
        self.begun && !self.cut && (self.undelivered() > 0 || stays_open)
    }

    /// Whether the proxy has the connection of the sender.
    pub(crate) fn is_open(&self) -> bool {
        self.begun && !self.cut && (self.of_a_helper || self.is_active())
    }

    /// Adds its sockets, as the kernel's table has them.
    pub(crate) fn sockets(&self, table: &mut Vec<Socket>) {
        let sender = Endpoint::new(POD, 40_000 + self.number);
        let upstream = Endpoint::new(POD, 50_000 + self.number);
        let inode = |base: u64| base + u64::from(self.number);
        let mut add = |local, remote, state, tx: u64, rx: u64, inode| {
            let (tx_queue, rx_queue) = (narrow(tx), narrow(rx));
            table.push(Socket { local, remote, state, tx_queue, rx_queue, uid: if inode > 0 { PROXY_UID } else { 0 }, inode });
        };
        if self.cut {
            if self.in_upstream > 0 {
                add(upstream, SERVER, State::FinWait1, self.in_upstream + 1, 0, 0);
            }
            return;
        }
        if !self.is_open() {
            return;
        }
        if !self.of_a_helper {
            match (self.closed, self.in_sender) {
                (false, bytes) => add(sender, SERVER, State::Established, bytes, 0, 0),
                (true, 0) => add(sender, SERVER, State::FinWait2, 0, 0, 0),
                (true, bytes) => add(sender, SERVER, State::FinWait1, bytes + 1, 0, 0),
            }
        }
        let closed = self.closed && self.in_sender == 0;
        let fin = u64::from(closed && !self.fin_read);
        let state = if closed { State::CloseWait } else { State::Established };
        add(CAPTURE, sender, state, 0, self.in_proxy + fin, inode(1_000));
        let (state, fin) = match (self.is_passed_on(), self.in_upstream) {
            (false, _) => (State::Established, 0),
            (true, 0) => (State::FinWait2, 0),
            (true, _) => (State::FinWait1, 1),
        };
        add(upstream, SERVER, state, self.in_upstream + fin, 0, inode(2_000));
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
