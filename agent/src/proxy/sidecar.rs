//! The proxy beside the task: what the kernel holds for it, its state, and its end.

use core::fmt;
use core::mem::replace;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use drain::config::SIGNAL_PORT;
use drain::limits::Limits;
use drain::time::Instant;
use log::warn;
use pod::delivery::{Held, held, left_behind};
use pod::pidfd::Exit;
use pod::proxy::{Listener, Proxy, Scope};
use pod::sockets::{Endpoint, Socket};

use super::state::{Known, State};
use super::telemetry::Telemetry;
use super::times;
use crate::options::{Form, Options};
use crate::os::World;
use crate::os::linux::own_pid;
use crate::os::world::{NotSignalled, Process, SIGTERM};

/// Addresses for documentation (RFC 5737 and RFC 3849), which no machine has.
const NOWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 190)), SIGNAL_PORT),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0xc000, 0x2be)), SIGNAL_PORT),
];
/// A pause is this many times longer than a reading, because the processor time is the pod's.
const PAUSES_PER_READING: u32 = 10;
/// The table is not read atomically, so one reading may miss a listener.
const UNSEEN_IS_GONE: u32 = 2;
/// The name of Envoy's process, and of its parent.
const ENVOY: &str = "envoy";
const PILOT_AGENT: &str = "pilot-agent";

/// Why pilot-agent did not get SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSignal {
    /// Its process cannot be told from others.
    Ambiguous,
    /// Its process has just ended.
    Ended,
    /// The kernel did not send it.
    NotSent(NotSignalled),
}

/// The proxy in the world `W`.
#[derive(Debug)]
pub struct Sidecar<'w, W: World> {
    world: &'w W,
    scope: Scope,
    sockets: Vec<Socket>,
    proxy: Proxy,
    state: State<W::Process>,
    /// The process whose `/proc/PID/fd` lists the sockets of the proxy, and whether the agent could read it.
    inodes_of: Option<(i32, bool)>,
    /// If the proxy has the uid of the task, its uid does not identify its sockets.
    task_uid: Option<u32>,
    /// Whether the pod can be in an ambient mesh, as far as the options tell.
    may_be_ztunnel: bool,
    /// Whether an earlier run of the agent has seen the proxy: if it is not there now, it has ended.
    seen_before: bool,
    /// When the agent saw its process end last, and that process. Kubelet may have started it again.
    ended_at: Option<Instant>,
    last: Option<W::Process>,
    /// Processes of an earlier proxy: pilot-agent ends a moment after its Envoy.
    earlier: Vec<i32>,
    /// Readings in a row without a listener of Envoy, after one with a listener.
    unseen: Option<u32>,
    reading: Option<Held>,
    /// The last reading after which the proxy still listened.
    last_alive: Option<Held>,
    read_at: Option<Instant>,
    /// How long the last reading took.
    took: Duration,
    /// What Envoy buffers, from the end of the task on.
    telemetry: Option<Telemetry>,
}

// === impl Sidecar ===

impl<'w, W: World> Sidecar<'w, W> {
    /// The proxy that `options` describe, not yet looked at. `task_uid` is the uid of the task, if it is known.
    pub fn new(world: &'w W, options: &Options, task_uid: Option<u32>) -> Self {
        if options.proxy_pid.is_some_and(|pid| !world.socket_inodes(pid, &mut Vec::new())) {
            warn!("the sockets of the proxy's process cannot be read: only Envoy can tell what is undelivered");
        }
        let signal_ports: Vec<u16> = options.signal.iter().map(SocketAddr::port).collect();
        let scope = if options.proxy_pid.is_some() { Scope::Process } else { Scope::Pod };
        let given = options.proxy_pid.and_then(|pid| world.open(pid));
        Self {
            world,
            scope,
            sockets: Vec::new(),
            proxy: Proxy::new(scope, &signal_ports, &[options.admin_port, options.status_port]),
            state: given.map_or(State::NotYet, |process| State::Running(Known::Envoy(process))),
            inodes_of: options.proxy_pid.map(|pid| (pid, false)),
            task_uid,
            may_be_ztunnel: !matches!(options.form.form, Form::Classic | Form::Native),
            seen_before: false,
            ended_at: None,
            last: None,
            earlier: Vec::new(),
            unseen: None,
            reading: None,
            last_alive: None,
            read_at: None,
            took: Duration::ZERO,
            telemetry: None,
        }
    }

    /// The same, after a look at the sockets.
    pub fn seen_now(world: &'w W, options: &Options) -> Self {
        let mut sidecar = Self::new(world, options, None);
        sidecar.look();
        sidecar
    }

    /// The same, if `seen` by an earlier run of the agent.
    #[must_use]
    pub const fn seen_before(mut self, seen: bool) -> Self {
        self.seen_before = seen;
        self
    }

    /// The task runs with the uid `uid`, if that is known.
    pub fn set_task_uid(&mut self, uid: Option<u32>) {
        self.task_uid = uid.or(self.task_uid);
    }

    /// The same, but the processes that `other` still has are not those of this proxy.
    #[must_use]
    pub fn instead_of(mut self, other: &Self) -> Self {
        self.earlier = [ENVOY, PILOT_AGENT].iter().flat_map(|name| other.candidates(name)).collect();
        self
    }

    /// The state, as it was last seen.
    pub const fn state(&self) -> &State<W::Process> {
        &self.state
    }

    /// Whether the proxy is ztunnel, on the node, or was.
    pub fn is_ztunnel(&self) -> bool {
        self.may_be_ztunnel && self.proxy.is_ztunnel()
    }

    /// Reads what the kernel holds now. `None` if that cannot be known.
    pub fn look(&mut self) -> Option<Held> {
        let (start, before) = (self.world.now(), self.reading);
        self.reading = self.read_table().then(|| held(&self.sockets, &self.proxy));
        self.took = self.world.now().since(start);
        let buffers = self.buffers();
        self.reading = self.reading.map(|held| Held { buffers, ..held });
        // The next reading shows whether a reading was complete: while Envoy ends, the table still lists its listeners, which come first,
        // but no longer its connections.
        if self.unseen == Some(0) {
            self.last_alive = before;
        }
        self.read_at = Some(start);
        self.reading
    }

    /// The task has ended: from now on a reading is not idle while Envoy may buffer telemetry of the task. `options` are those of the agent.
    pub fn await_telemetry(&mut self, options: &Options) {
        self.telemetry = Some(Telemetry::new(options));
        // The first report takes the reading that there is.
        let buffers = self.buffers();
        self.reading = self.reading.map(|held| Held { buffers, ..held });
    }

    /// The task still runs, or runs again.
    pub fn telemetry_fills_again(&mut self) {
        self.telemetry.as_mut().map(Telemetry::fills_again).unwrap_or_default();
    }

    /// How long the proxy's buffers of telemetry were waited for. `None` if it has none, or they were not waited for until now.
    pub fn telemetry_took(&self) -> Option<Duration> {
        self.telemetry.as_ref().and_then(Telemetry::waited)
    }

    /// The last reading, or a new one if that is older than a pause.
    pub fn fresh(&mut self) -> Option<Held> {
        if self.read_at.is_none_or(|at| self.world.now().since(at) >= times::SHORTEST_READING_PAUSE) {
            self.look()
        } else {
            self.reading
        }
    }

    /// The last reading.
    pub const fn reading(&self) -> Option<Held> {
        self.reading
    }

    /// When the last reading was taken.
    pub fn read_at(&self) -> Instant {
        self.read_at.unwrap_or_default()
    }

    /// The last reading after which the proxy still listened: what its end can have destroyed.
    pub const fn last_alive(&self) -> Option<Held> {
        self.last_alive
    }

    /// What the kernel still has to send for the proxy and the task, after the end of the proxy.
    pub fn look_behind(&mut self) -> Held {
        if self.read_table() { left_behind(&self.sockets, &self.proxy) } else { Held::default() }
    }

    /// Ignores the connection with this local end: it is the agent's own.
    pub fn disregard(&mut self, end: SocketAddr) {
        self.proxy.disregard(Endpoint::new(end.ip(), end.port()));
    }

    /// Who accepts the pod's connections to `at`, by the last reading.
    pub fn who_listens(&self, at: SocketAddr) -> Listener {
        self.proxy.who_listens(&self.sockets, Endpoint::new(at.ip(), at.port()))
    }

    /// Whether the last reading can tell the sockets of the proxy from others.
    pub fn is_known(&self) -> bool {
        self.proxy.is_known()
    }

    /// How long to wait between two readings. While only the clock can flush the proxy's buffers, there is nothing to see.
    pub fn pause(&self) -> Duration {
        if self.is_unasked() {
            return Duration::ZERO;
        }
        let waits = self.telemetry.as_ref().map_or(Duration::ZERO, |telemetry| telemetry.sleeps(self.world.now()));
        (self.took * PAUSES_PER_READING).max(waits).clamp(times::SHORTEST_READING_PAUSE, times::LONGEST_READING_PAUSE)
    }

    /// How long to wait for the reading that confirms an idle one.
    pub fn pause_to_confirm(&self) -> Duration {
        self.pause().min(Limits::SETTLE)
    }

    /// Looks at the sockets and, if none is the proxy's, at the processes.
    pub fn find(&mut self) {
        if !self.process_has_ended() {
            self.look();
        }
        if !self.is_listening() {
            self.find_by_process();
        }
    }

    /// Whether the proxy runs, or is ztunnel, after a look at sockets and processes.
    pub fn is_here(&mut self) -> bool {
        self.find();
        matches!(self.state, State::Running(_) | State::Ztunnel)
    }

    /// Whether its processes run, and it has never had a listener.
    pub fn is_starting(&self) -> bool {
        let is_new = self.scope == Scope::Pod && self.unseen.is_none() && !self.is_listening();
        is_new && matches!(self.state, State::Running(_))
    }

    /// How the proxy is known, as a clause of the verdict.
    pub fn known_by(&self) -> String {
        let running = |name| self.candidates(name).first().map(|pid| format!("by its process {name}, {pid}"));
        match (self.scope, self.proxy.listener(&self.sockets)) {
            (Scope::Process, _) => "by its process, which was given".to_owned(),
            (Scope::Pod, Some(listener)) => format!("by its listener on port {}", listener.local.port),
            (Scope::Pod, None) if matches!(self.state, State::Gone) => "by its process, while the task ran".to_owned(),
            (Scope::Pod, None) => running(ENVOY).or_else(|| running(PILOT_AGENT)).unwrap_or_else(|| "by nothing".to_owned()),
        }
    }

    /// Whether the network namespace is a pod's, and not that of a shared host.
    pub fn is_in_a_pod(&self) -> bool {
        self.scope == Scope::Pod
    }

    /// Whether Istio redirects the connections of this pod to a proxy that does not listen. If it redirects only some of them, the answer can
    /// be no.
    pub fn is_captured(&self) -> bool {
        self.is_in_a_pod() && NOWHERE.into_iter().any(|to| self.world.is_refused_here(to, times::CONNECT))
    }

    /// When the agent saw the process of the proxy end last. `None` if it saw no end. The proxy may have been started again.
    pub const fn ended_at(&self) -> Option<Instant> {
        self.ended_at
    }

    /// How the last process of the proxy has ended, as far as the kernel tells it.
    pub fn exit(&self) -> Exit {
        self.last.as_ref().map_or(Exit::Unknown, |process| process.exit(Duration::ZERO))
    }

    /// Whether the agent has a handle of Envoy's own process.
    pub const fn has_envoy(&self) -> bool {
        self.state.envoy().is_some()
    }

    /// The proxy has responded, so it runs. From now on, readings without a listener mean its end, even if none was read before: a proxy
    /// can accept the call to quit while it starts.
    pub fn confirm(&mut self) {
        if matches!(self.state, State::NotYet) {
            self.state = State::Running(Known::Listeners);
        }
        if self.scope == Scope::Pod {
            self.unseen.get_or_insert(0);
        }
    }

    /// Gets a handle of the process of a proxy that runs, so that its end is seen at once. Without a handle, the end of its listeners is its end.
    pub fn hold_process(&mut self) {
        if self.scope == Scope::Process || self.has_envoy() || !matches!(self.state, State::Running(_)) {
            return;
        }
        let envoy = self.by_name(ENVOY).or_else(|| self.by_listener());
        let known = match (envoy, self.state.process()) {
            (Some(pid), _) => self.world.open(pid).map(Known::Envoy),
            (None, Some(_)) => return,
            (None, None) => self.by_name(PILOT_AGENT).and_then(|pid| self.world.open(pid)).map(Known::PilotAgent),
        };
        self.state = State::Running(known.unwrap_or(Known::Listeners));
    }

    /// Sends SIGTERM to pilot-agent, through a handle, so that it reaches no other process.
    ///
    /// # Errors
    /// Where it was not sent.
    pub fn terminate(&self) -> Result<(), NoSignal> {
        let pid = self.pilot_agent().ok_or(NoSignal::Ambiguous)?;
        let process = self.world.open(pid).ok_or(NoSignal::Ended)?;
        process.signal(SIGTERM).map_err(NoSignal::NotSent)
    }

    /// Waits for the end of the proxy, at most for `timeout`. Returns whether it has ended.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let Some(process) = self.state.process() else {
            self.world.sleep(timeout);
            return self.has_ended();
        };
        if process.wait(timeout) {
            self.on_process_end();
        }
        matches!(self.state, State::Gone)
    }

    /// Waits for the end of the proxy, at most for `pause`. Asks `may_wait` every second, and stops if it is false. Reads the table if
    /// the agent has no handle of the process. Returns whether the proxy has ended.
    pub fn wait_long(&mut self, pause: Duration, may_wait: impl Fn() -> bool) -> bool {
        let end = self.world.now() + pause;
        let mut asked: Option<Instant> = None;
        loop {
            let now = self.world.now();
            if asked.is_none_or(|asked| now.since(asked) >= times::ASK) {
                if !may_wait() {
                    return false;
                }
                asked = Some(now);
            }
            let left = end.since(now).min(if self.state.process().is_some() { times::ASK } else { times::LONGEST_READING_PAUSE });
            if left.is_zero() {
                return false;
            }
            if self.wait(left) {
                return true;
            }
            self.find();
        }
    }

    /// Whether the proxy has ended: by its process, or else by the last readings.
    pub fn has_ended(&mut self) -> bool {
        self.process_has_ended();
        matches!(self.state, State::Gone)
    }

    /// Whether the process of the proxy has just ended. If so, the state is new, and so is the reading.
    pub fn process_has_ended(&mut self) -> bool {
        let ended = self.state.process().is_some_and(|process| process.wait(Duration::ZERO));
        if ended {
            self.on_process_end();
        }
        ended
    }

    /// The process of the proxy has ended, and with it the proxy, unless kubelet has restarted it: the kernel closes the sockets of a
    /// process before it reports its end, so a listener is that of a new process.
    fn on_process_end(&mut self) {
        if let State::Running(Known::PilotAgent(process) | Known::Envoy(process)) = replace(&mut self.state, State::Gone) {
            self.last = Some(process);
        }
        self.ended_at = Some(self.world.now());
        if self.scope == Scope::Pod && self.inodes_of.take().is_some() {
            self.proxy.forget_inodes();
        }
        for _ in 0..UNSEEN_IS_GONE {
            self.look();
            if self.is_listening() {
                self.hold_process();
                return;
            }
        }
    }

    /// Whether the next reading begins with a question to Envoy, and all else waits for that.
    pub fn is_unasked(&self) -> bool {
        self.telemetry.as_ref().is_some_and(Telemetry::is_unasked)
    }

    /// How many loggers and tracers of the proxy may still buffer something, by the last reading and by what Envoy tells.
    fn buffers(&mut self) -> u32 {
        let Some(mut telemetry) = self.telemetry.take() else { return 0 };
        let is_delivered = self.reading.is_some_and(|held| held.is_idle());
        let runs = matches!(self.state, State::Running(_));
        let may_be_envoy = |at: SocketAddr| !matches!(self.who_listens(at), Listener::Other(_));
        let buffers = if runs { telemetry.buffers(self.world, is_delivered, &may_be_envoy) } else { 0 };
        self.telemetry = Some(telemetry);
        buffers
    }

    /// Whether the last reading has a listener of the proxy.
    fn is_listening(&self) -> bool {
        self.scope == Scope::Pod && self.proxy.listener(&self.sockets).is_some()
    }

    /// The state by the processes, where no listener tells it.
    fn find_by_process(&mut self) {
        if self.state.process().is_some() {
            return;
        }
        let runs = self.scope == Scope::Pod && [ENVOY, PILOT_AGENT].iter().any(|name| !self.candidates(name).is_empty());
        self.state = match (&self.state, runs) {
            // Its listeners tell when these have ended.
            (State::Gone | State::Ztunnel, _) => return,
            (State::Running(_), false) if self.unseen.is_some() => return,
            (State::NotYet | State::Running(_), true) => State::Running(Known::Listeners),
            (State::NotYet, false) if !self.seen_before => State::NotYet,
            (State::NotYet | State::Running(_), false) => State::Gone,
        };
    }

    fn read_table(&mut self) -> bool {
        if self.world.sockets(&mut self.sockets).is_err() {
            return false;
        }
        let inodes = self.inodes();
        if self.scope == Scope::Process && inodes.is_none() {
            return false;
        }
        self.proxy.observe(&self.sockets, inodes.as_deref());
        self.unseen = match (self.proxy.listens(&self.sockets), self.unseen) {
            (true, _) => Some(0),
            (false, unseen) => unseen.map(|unseen| unseen.saturating_add(1)),
        };
        self.state_by_listeners();
        true
    }

    /// Updates the state by the listeners of the last reading.
    fn state_by_listeners(&mut self) {
        let unseen = self.scope == Scope::Pod && self.unseen.is_some_and(|unseen| unseen >= UNSEEN_IS_GONE);
        match &self.state {
            // Envoy can crash and start again while the task runs.
            State::NotYet | State::Running(Known::Listeners) | State::Gone | State::Ztunnel if self.is_listening() => {
                self.state = if self.is_ztunnel() { State::Ztunnel } else { State::Running(Known::Listeners) };
            }
            State::NotYet | State::Running(Known::Listeners) | State::Ztunnel if unseen => self.state = State::Gone,
            State::NotYet | State::Running(_) | State::Gone | State::Ztunnel => {}
        }
    }

    /// The inodes of the sockets of the proxy, where they are needed and can be read. Read after the table, so that they include what the
    /// proxy has accepted in between.
    fn inodes(&mut self) -> Option<Vec<u64>> {
        if self.inodes_of.is_none() && !self.proxy.is_known() {
            let listener = self.proxy.listener(&self.sockets)?;
            if self.task_uid == Some(listener.uid) {
                self.inodes_of = self.by_listener().map(|pid| (pid, false));
            }
        }
        let (pid, readable) = self.inodes_of.as_mut()?;
        let mut inodes = Vec::new();
        *readable |= self.world.socket_inodes(*pid, &mut inodes);
        // If it was readable once and is no longer, the process has ended and has no sockets.
        readable.then_some(inodes)
    }

    /// The process of pilot-agent: the parent of Envoy, or in a pod without an Envoy the only one of this name.
    fn pilot_agent(&self) -> Option<i32> {
        let Some(envoy) = self.state.envoy() else {
            return self.by_name(PILOT_AGENT).filter(|_| self.scope == Scope::Pod);
        };
        let processes = self.world.processes();
        let process = |pid| processes.iter().find(|process| process.pid == pid);
        let parent = process(process(envoy.pid())?.parent)?;
        (parent.comm == PILOT_AGENT).then_some(parent.pid)
    }

    /// The process of this name that can be the proxy's, if there is only one.
    fn by_name(&self, name: &str) -> Option<i32> {
        match *self.candidates(name) {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The processes of this name that can be the proxy's.
    fn candidates(&self, name: &str) -> Vec<i32> {
        let mut processes = self.world.processes();
        processes.retain(|process| process.comm == name && process.state != b'Z' && !self.earlier.contains(&process.pid));
        if processes.is_empty() {
            return Vec::new();
        }
        let uid = self.proxy.listener(&self.sockets).map(|listener| listener.uid);
        let own_network = self.world.identity(own_pid()).network;
        let pids = processes.into_iter().map(|process| process.pid);
        pids.filter(|pid| {
            let identity = self.world.identity(*pid);
            uid.is_none_or(|uid| identity.uid == Some(uid))
                // The agent cannot read the network of other uids. A pod has only one.
                && (identity.network.is_none() || own_network.is_none() || identity.network == own_network)
        })
        .collect()
    }

    /// The process that owns the listener of the proxy. Only root and the uid of the proxy can find it.
    fn by_listener(&self) -> Option<i32> {
        let inode = self.proxy.listener(&self.sockets)?.inode;
        let mut inodes = Vec::new();
        self.world.processes().into_iter().map(|process| process.pid).find(|pid| {
            inodes.clear();
            self.world.socket_inodes(*pid, &mut inodes) && inodes.contains(&inode)
        })
    }
}

// === impl NoSignal ===

impl fmt::Display for NoSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous => f.write_str("skipped: its process cannot be told from others"),
            Self::Ended => f.write_str("skipped: it has just ended"),
            Self::NotSent(why) => why.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
