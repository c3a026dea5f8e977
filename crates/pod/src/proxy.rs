//! Recognizes the proxy's sockets in the table, and what each of them is for.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bounds::Input;
use crate::ports;
use crate::set::Set;
use crate::sockets::{Endpoint, Socket, State};

/// The source addresses of Envoy's connections to the pod's own ports, for inbound requests (Istio,
/// `pilot/pkg/networking/core/listener_inbound.go`).
const INBOUND_SOURCES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)), IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6))];

/// Which sockets are in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of a pod's network namespace: all of them belong to the pod.
    Pod,
    /// Those of a shared host, with sockets of other programs. Only sockets of the proxy, and those that lead to it, count.
    Process,
}

/// What a socket is for the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Closed by its process (the task or the proxy), and not yet acknowledged.
    Orphan,
    /// A connection from one of the pod's processes that the proxy has not accepted yet.
    Waiting,
    /// The same, accepted.
    Captured,
    /// The proxy's connection to one of the pod's own ports, for a remote client.
    ToPod,
    /// The connection of that remote client.
    Inbound,
    /// The proxy's connection to a destination, for one of the pod's processes.
    Upstream,
}

/// Who listens on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The proxy.
    Proxy,
    /// Another process, of this uid.
    Other(u32),
    /// Nobody, or nothing shows who.
    Unknown,
}

/// How the proxy's sockets are recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// Not yet known.
    Unknown,
    /// By uid. In a pod no other container has the proxy's uid, because Istio does not capture the traffic of that uid.
    Uid(u32),
    /// By the inodes in its `/proc/PID/fd`.
    Inodes(Set<u64>),
}

/// The proxy of one pod, as its sockets show it.
#[derive(Clone, Debug)]
pub struct Proxy {
    scope: Scope,
    owner: Owner,
    /// Whether it is ztunnel; `None` before the first listener was seen. What is an Envoy stays one, because an Envoy that shuts down closes its
    /// listeners in any order.
    ztunnel: Option<bool>,
    signal_ports: Vec<u16>,
    /// [`ports::CONTROL`], the signal ports, and configured replacements.
    control: Vec<u16>,
    /// Every outbound listener that was ever seen: a listener may close before the connections that it has accepted.
    outbound: Vec<Endpoint>,
    /// The agent's own ends of connections that go through the proxy, as long as they are in the table.
    ours: Vec<Endpoint>,
    /// The proxy's connections, as long as they are in the table. On a shared host this recognizes them once they are orphans.
    connections: Set<(Endpoint, Endpoint)>,
    /// The other ends of the captured connections, which belong to the pod's processes, as long as they are in the table. Data that such an
    /// end has not sent when the proxy ends is lost.
    captured: Set<Endpoint>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy whose signal ports and control ports are known, and nothing else.
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
            connections: Set::default(),
            captured: Set::default(),
        }
    }

    /// The connection with the local end `end` is the agent's own, and does not count as the task's. If the agent sends a signal to a
    /// captured address where nothing answers, the proxy holds that connection until its own connect times out.
    pub fn disregard(&mut self, end: Endpoint) {
        self.ours.push(end);
    }

    /// Updates the proxy from `sockets`, the whole table. `inodes` are those in the proxy's `/proc/PID/fd`, if they can be read. They are
    /// needed on a shared host, and if the task has the proxy's uid.
    pub fn observe(&mut self, sockets: &[Socket], inodes: Option<&[u64]>) {
        match (inodes, &mut self.owner) {
            // The table and the inodes were read one after the other. A socket that is in the old or the new list belongs to the proxy.
            (Some(fresh), Owner::Inodes(known)) => {
                let still_there = sockets.iter().map(|socket| socket.inode).filter(|inode| known.contains(inode));
                *known = still_there.chain(fresh.iter().copied()).collect();
            }
            (Some(fresh), Owner::Unknown | Owner::Uid(_)) => self.owner = Owner::Inodes(fresh.iter().copied().collect()),
            // Again with each reading: before Envoy has its listeners, another process of the pod can take one of its ports.
            (None, Owner::Unknown | Owner::Uid(_)) if self.scope == Scope::Pod => {
                if let Some(uid) = self.listener(sockets).map(|socket| socket.uid) {
                    self.owner = Owner::Uid(uid);
                }
            }
            (None, Owner::Unknown | Owner::Uid(_) | Owner::Inodes(_)) => {}
        }
        if self.ztunnel.is_none() && self.listener(sockets).is_some() {
            self.ztunnel = Some(self.scope == Scope::Pod && self.listens_as_ztunnel(sockets));
        } else if self.is_ztunnel() && self.control_listeners(sockets).any(|listener| self.owns(listener)) {
            // Another process of the pod had opened the ports of ztunnel before Envoy started.
            self.ztunnel = Some(false);
        }
        for socket in sockets.iter().filter(|socket| socket.state == State::Listen) {
            // ztunnel is root, and other listeners of the pod may be root, too.
            let elsewhere = self.is_ztunnel() && socket.local.port != ports::OUTBOUND;
            let outbound =
                self.owns(socket) && !self.is_control_port(socket.local.port) && !is_inbound(socket.local.port) && !elsewhere;
            if outbound && !self.outbound.contains(&socket.local) {
                if self.outbound.len() == Input::Listeners.most() {
                    Input::Listeners.tell();
                    break;
                }
                self.outbound.push(socket.local);
            }
        }
        self.ours.retain(|end| sockets.iter().any(|socket| socket.local == *end || socket.remote == *end));
        self.remember_captured(sockets);
        if self.scope == Scope::Process {
            self.remember(sockets);
        }
    }

    /// The process whose inodes were read has ended. The proxy may have been started again, with other inodes.
    pub fn forget_inodes(&mut self) {
        self.owner = Owner::Unknown;
    }

    /// Whether the proxy's sockets can be recognized. Before that, their absence means nothing.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.owner != Owner::Unknown
    }

    /// Whether it is ztunnel, which carries the pod's traffic in an ambient mesh. ztunnel belongs to the node; only its sockets are in the
    /// pod.
    #[must_use]
    pub fn is_ztunnel(&self) -> bool {
        self.ztunnel == Some(true)
    }

    /// The listener that shows the proxy in a pod: one of [`ports::OF_ENVOY`]. Not the signal listener, whose port is free for every process
    /// where the pod has no filter.
    #[must_use]
    pub fn listener<'a>(&self, sockets: &'a [Socket]) -> Option<&'a Socket> {
        ports::OF_ENVOY.into_iter().find_map(|port| listeners_on(sockets, port).next())
    }

    /// Who accepts the pod's connections to `at`. Istio redirects those that leave the pod to the outbound listener.
    #[must_use]
    pub fn who_listens(&self, sockets: &[Socket], at: Endpoint) -> Listener {
        let exact = listeners_on(sockets, at.port).find(|socket| socket.local.ip == at.ip);
        let other = || {
            if at.ip.is_loopback() {
                listeners_on(sockets, at.port).find(|socket| socket.local.ip.is_unspecified())
            } else {
                listeners_on(sockets, ports::OUTBOUND).next()
            }
        };
        match exact.or_else(other) {
            Some(listener) if self.owns(listener) => Listener::Proxy,
            Some(listener) if self.is_known() => Listener::Other(listener.uid),
            Some(_) | None => Listener::Unknown,
        }
    }

    /// Whether Envoy still has a listener. Those of pilot-agent, which has the same uid, do not count.
    #[must_use]
    pub fn listens(&self, sockets: &[Socket]) -> bool {
        let mut listeners = sockets.iter().filter(|socket| socket.state == State::Listen);
        listeners.any(|socket| self.owns(socket) && !ports::OF_PILOT_AGENT.contains(&socket.local.port))
    }

    /// What `socket` is for the proxy; `None` for listeners, for control traffic, and for all other sockets.
    pub(crate) fn role(&self, socket: &Socket) -> Option<Role> {
        if socket.state == State::Listen || self.is_control(socket) || self.ours.contains(&socket.remote) {
            None
        } else if socket.is_unsent_orphan() {
            self.is_its_orphan(socket).then_some(Role::Orphan)
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

    /// Whether the proxy receives what `socket` still has to send. The remote end does not show whether a connection is captured.
    pub(crate) fn is_sent_to(&self, socket: &Socket) -> bool {
        self.captured.contains(&socket.local) || socket.is_local() && self.is_outbound(socket.remote)
    }

    /// ztunnel opens these two ports in the network of every pod before the pod's containers start (istio/ztunnel, `src/config.rs`). An Envoy
    /// opens its admin interface and its health and metrics listeners first, because they are in its bootstrap.
    fn listens_as_ztunnel(&self, sockets: &[Socket]) -> bool {
        let on = |port| listeners_on(sockets, port).next().is_some();
        on(ports::OUTBOUND) && on(ports::HBONE) && self.control_listeners(sockets).next().is_none()
    }

    /// The listeners on control ports. ztunnel has only that for DNS, which is left out.
    fn control_listeners<'a>(&'a self, sockets: &'a [Socket]) -> impl Iterator<Item = &'a Socket> {
        self.control.iter().filter(|port| **port != ports::DNS).flat_map(|port| listeners_on(sockets, *port))
    }

    fn owns(&self, socket: &Socket) -> bool {
        socket.inode != 0
            && match &self.owner {
                Owner::Unknown => false,
                Owner::Uid(uid) => socket.uid == *uid,
                Owner::Inodes(inodes) => inodes.contains(&socket.inode),
            }
    }

    /// Whether an orphan belongs to the task or to the proxy. In a pod every orphan does. The uid does not help: older kernels show 0.
    fn is_its_orphan(&self, socket: &Socket) -> bool {
        match self.scope {
            Scope::Pod => true,
            Scope::Process => {
                let to_the_proxy = socket.is_local() && self.is_outbound(socket.remote);
                to_the_proxy || self.connections.contains(&(socket.local, socket.remote))
            }
        }
    }

    /// Whether it is a probe, metrics, a command, configuration or a signal: none of these carries data of the task.
    fn is_control(&self, socket: &Socket) -> bool {
        // The kernel gives no port with a listener to an outgoing connection, so a local control port belongs to the listener. A remote
        // one is a control port only on this machine: elsewhere any program may listen on 15000.
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
        let still_there = sockets.iter().map(|socket| socket.local).filter(|end| self.captured.contains(end));
        let is_captured = |socket: &&Socket| matches!(self.role(socket), Some(Role::Captured | Role::Waiting));
        let fresh = sockets.iter().filter(is_captured).map(|socket| socket.remote);
        self.captured = still_there.chain(fresh).collect();
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

/// The listeners on `port`, on any address.
fn listeners_on(sockets: &[Socket], port: u16) -> impl Iterator<Item = &Socket> {
    sockets.iter().filter(move |socket| socket.state == State::Listen && socket.local.port == port)
}

/// Whether connections from outside are redirected to this port.
const fn is_inbound(port: u16) -> bool {
    matches!(port, ports::INBOUND | ports::HBONE)
}
