//! One line of `/proc/net/tcp` or `/proc/net/tcp6` (`proc_pid_net(5)`; Linux, `net/ipv4/tcp_ipv4.c`, `get_tcp4_sock`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::stat::{fields, number};

/// The state of a TCP socket, numbered as in Linux's `include/net/tcp_states.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Open in both directions.
    Established = 1,
    /// A connection was requested here; there is no answer yet.
    SynSent = 2,
    /// A connection was requested by the other end.
    SynReceived = 3,
    /// Closed here; the FIN, and perhaps data before it, is not acknowledged.
    FinWait1 = 4,
    /// Closed here, and everything is acknowledged; the other end has not closed.
    FinWait2 = 5,
    /// Closed on both ends; the kernel keeps the addresses for a while.
    TimeWait = 6,
    /// Not connected.
    Close = 7,
    /// Closed by the other end, not here.
    CloseWait = 8,
    /// Closed by the other end, then here; the FIN is not acknowledged.
    LastAck = 9,
    /// A listener.
    Listen = 10,
    /// Closed on both ends at once; the FIN is not acknowledged.
    Closing = 11,
    /// A requested connection without a socket yet.
    NewSynReceived = 12,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address. An IPv4 address of an IPv6 socket (`::ffff:10.0.0.1`) is given as IPv4.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The end in this network namespace.
    pub local: Endpoint,
    /// The other end; all zeros for a listener.
    pub remote: Endpoint,
    /// Its state.
    pub state: State,
    /// Sequence numbers used and not yet acknowledged; see [`Socket::unsent`].
    pub tx_queue: u32,
    /// Sequence numbers received and not yet read; for a listener, connections that are not accepted yet. See [`Socket::unread`].
    pub rx_queue: u32,
    /// The uid of its owner. An orphan (without an inode) has 0 or its last owner's, depending on the kernel.
    pub uid: u32,
    /// The number that `/proc/PID/fd` shows. 0 if no process holds the socket: it is not accepted yet, or closed.
    pub inode: u64,
}

// === impl State ===

impl State {
    /// All states in the order of their numbers, which begin at 1.
    pub const ALL: [Self; 12] = [
        Self::Established,
        Self::SynSent,
        Self::SynReceived,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
        Self::NewSynReceived,
    ];

    pub(crate) fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Whether this end has sent its FIN, and the FIN is not acknowledged.
    #[must_use]
    pub const fn awaits_ack_of_fin(self) -> bool {
        matches!(self, Self::FinWait1 | Self::LastAck | Self::Closing)
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// The end at `ip` and `port`.
    #[must_use]
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip, port }
    }

    /// Reads for example `0100007F:3A99`: the address as 32-bit words in the byte order of the machine, and the port as a number.
    fn parse(field: &[u8]) -> Option<Self> {
        let (address, port) = field.split_at_checked(field.len().checked_sub(5)?)?;
        let port = u16::try_from(hexadecimal(port.strip_prefix(b":")?)?).ok()?;
        let mut octets = [0u8; 16];
        for (word, place) in address.chunks(8).zip(octets.chunks_mut(4)) {
            place.copy_from_slice(&hexadecimal(word)?.to_ne_bytes());
        }
        let ip = match address.len() {
            8 => octets.first_chunk::<4>().map(|v4| IpAddr::V4(Ipv4Addr::from(*v4)))?,
            32 => Ipv6Addr::from(octets).to_canonical(),
            _ => return None,
        };
        Some(Self { ip, port })
    }
}

// === impl Socket ===

impl Socket {
    /// Reads one line; `None` for the heading and for everything that is not a socket.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = fields(line);
        // The first field is the number of the line.
        let local = Endpoint::parse(fields.nth(1)?)?;
        let remote = Endpoint::parse(fields.next()?)?;
        let state = State::numbered(u8::try_from(hexadecimal(fields.next()?)?).ok()?)?;
        let queues = fields.next()?;
        let (tx_queue, rx_queue) = queues.split_at_checked(queues.iter().position(|byte| *byte == b':')?)?;
        // Between them are the timer and the retransmissions.
        let uid = number(fields.nth(2)?)?;
        let inode = number(fields.nth(1)?)?;
        let (tx_queue, rx_queue) = (hexadecimal(tx_queue)?, hexadecimal(rx_queue.get(1..)?)?);
        Some(Self { local, remote, state, tx_queue, rx_queue, uid, inode })
    }

    /// Bytes written here and not acknowledged by the other end. FIN and SYN use a sequence number, but are not data.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        let fin = u32::from(self.state.awaits_ack_of_fin());
        match self.state {
            State::Listen | State::SynSent | State::SynReceived | State::NewSynReceived => 0,
            _ => u64::from(self.tx_queue.saturating_sub(fin)),
        }
    }

    /// Bytes received and not read by the process. Until it is read, the FIN of the other end is also in the queue.
    #[must_use]
    pub fn unread(&self) -> u64 {
        match self.state {
            // For a listener the kernel shows the accept backlog here.
            State::Listen => 0,
            State::CloseWait | State::LastAck | State::Closing => u64::from(self.rx_queue.saturating_sub(1)),
            _ => u64::from(self.rx_queue),
        }
    }

    /// Whether its process has closed it, and the kernel still has something to send.
    #[must_use]
    pub const fn is_unsent_orphan(&self) -> bool {
        self.inode == 0 && self.state.awaits_ack_of_fin() && self.tx_queue > 0
    }

    /// Whether the connection is established, and no process has accepted it yet. A socket that its process has closed is never in these
    /// states.
    #[must_use]
    pub const fn awaits_accept(&self) -> bool {
        self.inode == 0 && matches!(self.state, State::Established | State::CloseWait)
    }

    /// Whether the other end is on this machine, by its address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.remote.ip.is_loopback() || self.remote.ip == self.local.ip
    }
}

/// A hexadecimal number of one to eight digits.
fn hexadecimal(field: &[u8]) -> Option<u32> {
    // `from_str_radix` would also accept a sign.
    let all_digits = field.iter().all(u8::is_ascii_hexdigit);
    u32::from_str_radix(core::str::from_utf8(field).ok()?, 16).ok().filter(|_| all_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Recorded on Linux 6.18, in a new network namespace.
    const LISTENER: &str = "   1: 0100007F:3AAD 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1337        0 130566 1 0000000000000000 100 0 0 10 0";
    const ORPHAN: &str = "   9: 0100007F:9F80 0A00630A:2328 04 002AD001:00000000 01:00000010 00000000     0        0 0 4 0000000000000000 20 4 30 10 -1";
    const UNREAD: &str =
        "   4: 0100007F:3A99 0100007F:8F82 08 00000000:0000000B 00:00000000 00000000  1337        0 130561 1 0000000000000000";
    const SIX: &str = "   4: 00000000000000000000000001000000:BAEC B80D01200000000000000000EFBE0000:3B56 01 00000000:00000000 00:00000000 00000000     0        0 130563 1 0";
    const MAPPED: &str = "   3: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:E6E4 01 00000000:00000000 00:00000000 00000000     0        0 7 1 0";

    fn read(line: &str) -> Socket {
        Socket::parse(line.as_bytes()).unwrap()
    }

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint::new(ip.parse().unwrap(), port)
    }

    #[test]
    fn a_listener_has_a_backlog_and_no_bytes() {
        let socket = read(LISTENER);
        assert_eq!((socket.local, socket.state, socket.uid), (end("127.0.0.1", 15021), State::Listen, 1337));
        assert_eq!((socket.rx_queue, socket.unread(), socket.unsent()), (2, 0, 0));
    }

    #[test]
    fn the_fin_of_an_orphan_is_not_a_byte() {
        let socket = read(ORPHAN);
        assert_eq!((socket.remote, socket.state), (end("10.99.0.10", 9000), State::FinWait1));
        assert_eq!(socket.unsent(), 0x2a_d000);
        assert!(socket.is_unsent_orphan());
    }

    #[test]
    fn the_fin_of_the_other_end_is_not_a_byte() {
        assert_eq!(read(UNREAD).unread(), 10);
    }

    #[test]
    fn ipv6_is_read_and_mapped_ipv4_is_ipv4() {
        let six = read(SIX);
        assert_eq!((six.local, six.remote), (end("::1", 47852), end("2001:db8::beef", 15190)));
        let mapped = read(MAPPED);
        assert_eq!((mapped.local, mapped.remote), (end("127.0.0.1", 8080), end("127.0.0.1", 59108)));
    }

    #[test]
    fn every_state_is_known_and_no_other() {
        for number in 0..=255u8 {
            let line = LISTENER.replace(" 0A ", &format!(" {number:02X} "));
            let state = Socket::parse(line.as_bytes()).map(|socket| socket.state as u8);
            assert_eq!(state, (1..=12).contains(&number).then_some(number));
        }
    }

    #[test]
    fn other_lines_are_not_sockets() {
        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        let wrong =
            ["", "0:", heading, &LISTENER[..60], &LISTENER.replace("3AAD", "+AAD"), &LISTENER.replace("0100007F", "1007F")];
        for line in wrong {
            assert_eq!(Socket::parse(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Socket::parse(&bytes);
        }

        #[test]
        fn no_line_makes_it_panic(line in "[ 0-9]{0,3}(0: )?([0-9A-F]{0,33}:[0-9A-F]{0,5} ){0,3}[0-9A-F]{0,3} ([0-9A-F:+-]{0,17} ){0,5}[0-9]{0,22}") {
            if let Some(socket) = Socket::parse(line.as_bytes()) {
                let _ = (socket.unsent(), socket.unread(), socket.is_unsent_orphan(), socket.awaits_accept(), socket.is_local());
            }
        }
    }
}
