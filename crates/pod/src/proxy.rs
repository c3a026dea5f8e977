//! Which sockets are the proxy's, and which of those are its listeners.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ports;
use crate::sockets::{Endpoint, Socket, State};

/// From where Envoy connects to the pod's own ports, for an inbound request (Istio,
/// `pilot/pkg/networking/core/listener_inbound.go`).
const INBOUND_SOURCES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)), IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6))];

/// Whose sockets are in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A pod's network namespace: everything in it is the pod's.
    Pod,
    /// A shared host: other programs' sockets are in the table, too. Then only what is known to be the proxy's or to lead to it
    /// counts.
    Process,
}

/// What a socket is to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Closed by its process, the task's or the proxy's, and not yet acknowledged.
    Orphan,
    /// A connection of the pod's own processes that waits to be accepted by the proxy.
    Waiting,
    /// Such a connection, accepted.
    Captured,
    /// The proxy's connection to one of the pod's own ports, on behalf of a remote client.
    ToPod,
    /// Such a remote client's connection.
    Inbound,
    /// The proxy's connection to a destination, on behalf of one of the pod's own processes.
    Upstream,
}

/// How the proxy's sockets are told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// Not at all yet.
    Unknown,
    /// By uid: the proxy's is its own in a pod, since Istio captures the traffic of every other.
    Uid(u32),
    /// By the inodes in its `/proc/PID/fd`. Few enough to be looked through, here and below: a tree is 10 KB of a small program.
    Inodes(Vec<u64>),
}

/// The proxy of one pod, as far as its sockets have shown it.
#[derive(Clone, Debug)]
pub struct Proxy {
    scope: Scope,
    owner: Owner,
    /// Whether it is ztunnel; `None` while no listener was seen. Not asked again: a dying Envoy closes its listeners in any order.
    ztunnel: Option<bool>,
    signal_ports: Vec<u16>,
    /// [`ports::CONTROL`] and whatever takes their place.
    control: Vec<u16>,
    /// Every outbound listener ever seen: a listener may be closed before the connections it has accepted.
    outbound: Vec<Endpoint>,
    /// Our own ends of connections that lead through the proxy, as long as they are in the table.
    ours: Vec<Endpoint>,
    /// The proxy's connections, as long as they are in the table: on a shared host they are recognised by it once they are
    /// orphans.
    connections: Vec<(Endpoint, Endpoint)>,
    /// The far ends of the connections that it has captured, which are the pod's own processes', as long as they are in the table: what
    /// such an end has not sent when the proxy has gone is lost.
    captured: Vec<Endpoint>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy of which nothing is known but where it listens for signals and for commands.
    #[must_use]
    pub fn new(scope: Scope, signal_ports: &[u16], control_ports: &[u16]) -> Self {
        let control = [&ports::CONTROL[..], signal_ports, control_ports].concat();
        Self {
            scope,
            owner: Owner::Unknown,
            ztunnel: None,
            signal_ports: signal_ports.to_vec(),
            control,
            outbound: Vec::new(),
            ours: Vec::new(),
            connections: Vec::new(),
            captured: Vec::new(),
        }
    }

    /// The connection whose local end is `end` is our own. Where a signal goes to an address that is captured and nobody answers
    /// there, the proxy holds it until its own connect times out, and it must not count as the task's.
    pub fn disregard(&mut self, end: Endpoint) {
        self.ours.push(end);
    }

    /// Learns from `sockets`, the whole table of now. `inodes` are those of the proxy's `/proc/PID/fd` where they can be read:
    /// needed on a shared host and where the task has the proxy's uid.
    pub fn observe(&mut self, sockets: &[Socket], inodes: Option<&[u64]>) {
        match (inodes, &mut self.owner) {
            // The table and the list were read one after the other; a socket that was in either list is the proxy's.
            (Some(fresh), Owner::Inodes(known)) => {
                let still_there = sockets.iter().map(|socket| socket.inode).filter(|inode| known.contains(inode));
                *known = still_there.chain(fresh.iter().copied()).collect();
            }
            (Some(fresh), Owner::Unknown | Owner::Uid(_)) => self.owner = Owner::Inodes(fresh.to_vec()),
            (None, Owner::Unknown) if self.scope == Scope::Pod => {
                if let Some(uid) = self.listener(sockets).map(|socket| socket.uid) {
                    self.owner = Owner::Uid(uid);
                }
            }
            (None, Owner::Unknown | Owner::Uid(_) | Owner::Inodes(_)) => {}
        }
        if self.ztunnel.is_none() && self.listener(sockets).is_some() {
            self.ztunnel = Some(self.scope == Scope::Pod && self.listens_as_ztunnel(sockets));
        }
        for socket in sockets.iter().filter(|socket| socket.state == State::Listen) {
            // ztunnel is root, and so may be whoever else listens in the pod.
            let elsewhere = self.is_ztunnel() && socket.local.port != ports::OUTBOUND;
            let outbound =
                self.owns(socket) && !self.is_control_port(socket.local.port) && !is_inbound(socket.local.port) && !elsewhere;
            if outbound && !self.outbound.contains(&socket.local) {
                self.outbound.push(socket.local);
            }
        }
        self.ours.retain(|end| sockets.iter().any(|socket| socket.local == *end || socket.remote == *end));
        self.remember_captured(sockets);
        if self.scope == Scope::Process {
            self.remember(sockets);
        }
    }

    /// Whether its sockets can be told from others. Before that, nothing follows from their absence.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.owner != Owner::Unknown
    }

    /// Whether it is ztunnel, which carries the pod's traffic in an ambient mesh: the node's own, in the pod by its sockets alone.
    #[must_use]
    pub fn is_ztunnel(&self) -> bool {
        self.ztunnel == Some(true)
    }

    /// The socket by which the proxy is known in a pod: one of [`ports::OF_ENVOY`], or the signal's.
    #[must_use]
    pub fn listener<'a>(&self, sockets: &'a [Socket]) -> Option<&'a Socket> {
        let ports = ports::OF_ENVOY.iter().chain(&self.signal_ports);
        let on = |port| sockets.iter().find(move |socket| socket.state == State::Listen && socket.local.port == port);
        ports.copied().find_map(on)
    }

    /// Whether Envoy still listens anywhere. pilot-agent has the same uid and does not count.
    #[must_use]
    pub fn listens(&self, sockets: &[Socket]) -> bool {
        let mut listeners = sockets.iter().filter(|socket| socket.state == State::Listen);
        listeners.any(|socket| self.owns(socket) && !ports::OF_PILOT_AGENT.contains(&socket.local.port))
    }

    /// What `socket` is to the proxy; `None` for a listener, for control traffic, and for what is none of its business.
    pub(crate) fn role(&self, socket: &Socket) -> Option<Role> {
        if socket.state == State::Listen || self.is_control(socket) || self.ours.contains(&socket.remote) {
            None
        } else if socket.is_unsent_orphan() {
            self.claims_orphan(socket).then_some(Role::Orphan)
        } else if socket.awaits_accept() {
            self.is_outbound(socket.local).then_some(Role::Waiting)
        } else if !self.owns(socket) {
            None
        } else if self.is_outbound(socket.local) {
            Some(Role::Captured)
        } else if is_inbound(socket.local.port) {
            Some(Role::Inbound)
        } else if INBOUND_SOURCES.contains(&socket.local.ip) {
            Some(Role::ToPod)
        } else {
            Some(Role::Upstream)
        }
    }

    /// Whether what `socket` has still to send is for the proxy, whoever it was written for: capture does not show in its remote end.
    pub(crate) fn is_sent_to(&self, socket: &Socket) -> bool {
        self.captured.contains(&socket.local) || socket.is_local() && self.is_outbound(socket.remote)
    }

    /// ztunnel opens these two in every pod's network, before the pod's containers start (istio/ztunnel, `src/config.rs`). An Envoy that
    /// has them has its admin interface, its health and its metrics listener before: they are in its bootstrap.
    fn listens_as_ztunnel(&self, sockets: &[Socket]) -> bool {
        let on = |port: u16| sockets.iter().any(|socket| socket.state == State::Listen && socket.local.port == port);
        on(ports::OUTBOUND) && on(ports::HBONE) && !self.control.iter().any(|port| *port != ports::DNS && on(*port))
    }

    fn owns(&self, socket: &Socket) -> bool {
        socket.inode != 0
            && match &self.owner {
                Owner::Unknown => false,
                Owner::Uid(uid) => socket.uid == *uid,
                Owner::Inodes(inodes) => inodes.contains(&socket.inode),
            }
    }

    /// Whether an orphan is the task's or the proxy's. In a pod there is no other; its uid tells nothing, older kernels make it
    /// 0.
    fn claims_orphan(&self, socket: &Socket) -> bool {
        match self.scope {
            Scope::Pod => true,
            Scope::Process => {
                let to_the_proxy = socket.is_local() && self.is_outbound(socket.remote);
                to_the_proxy || self.connections.contains(&(socket.local, socket.remote))
            }
        }
    }

    /// Probes, metrics, commands, configuration and our own signals: none carries a byte of the task's.
    fn is_control(&self, socket: &Socket) -> bool {
        // A port that is listened on is never given to an outgoing connection, so a local one can only be the listener's. A
        // remote one means ours only on this machine: elsewhere anybody may listen on 15000.
        self.is_control_port(socket.local.port)
            || socket.is_local() && self.is_control_port(socket.remote.port)
            || ports::ISTIOD.contains(&socket.remote.port)
            || self.signal_ports.contains(&socket.remote.port)
    }

    fn is_control_port(&self, port: u16) -> bool {
        self.control.contains(&port)
    }

    fn is_outbound(&self, end: Endpoint) -> bool {
        self.outbound.iter().any(|listener| listener.port == end.port && (listener.ip == end.ip || listener.ip.is_unspecified()))
    }

    fn remember_captured(&mut self, sockets: &[Socket]) {
        self.captured.retain(|end| sockets.iter().any(|socket| socket.local == *end));
        for socket in sockets {
            let captured = matches!(self.role(socket), Some(Role::Captured | Role::Waiting));
            if captured && !self.captured.contains(&socket.remote) {
                self.captured.push(socket.remote);
            }
        }
    }

    fn remember(&mut self, sockets: &[Socket]) {
        let ends = |socket: &Socket| (socket.local, socket.remote);
        let still_there = sockets.iter().filter(|socket| {
            let orphan = socket.inode == 0 && self.connections.contains(&ends(socket));
            orphan || self.owns(socket) && socket.state != State::Listen
        });
        self.connections = still_there.map(ends).collect();
    }
}

/// Whether connections that come from elsewhere are redirected to this port.
const fn is_inbound(port: u16) -> bool {
    matches!(port, ports::INBOUND | ports::HBONE)
}
