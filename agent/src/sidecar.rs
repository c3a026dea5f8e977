//! The proxy beside the task: what the kernel holds for it, whether it is there, and when it has gone.

use core::net::SocketAddr;
use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use drain::limits::Limits;
use pod::delivery::{Held, held, left_behind};
use pod::pidfd::Process;
use pod::procfs::Procfs;
use pod::proxy::{Proxy, Scope};
use pod::sockets::{Endpoint, Socket};
use pod::table::Table;
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use crate::istio::Form;
use crate::log;
use crate::options::Options;

/// The shortest pause between two readings: the end of a delivery is to be noticed within milliseconds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// The longest: with tens of thousands of sockets a reading takes milliseconds itself.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// At most a tenth of the time is spent on readings; it is the pod's.
const DUTY: u32 = 10;
/// The table is not read in one piece, so that a listener can be missed once.
const UNSEEN_IS_GONE: u32 = 2;
/// What Envoy's process is called, and that of its guardian.
const ENVOY: &str = "envoy";
const PILOT_AGENT: &str = "pilot-agent";

/// The proxy.
#[derive(Debug)]
pub(crate) struct Sidecar {
    proc: Procfs,
    scope: Scope,
    /// `None` where the kernel's tables cannot be read.
    table: Option<Table>,
    sockets: Vec<Socket>,
    proxy: Proxy,
    /// Envoy's process, or pilot-agent's while there is no Envoy.
    process: Option<Process>,
    process_is_envoy: bool,
    /// The process whose `/proc/PID/fd` tells the proxy's sockets, and whether it was readable.
    inodes_of: Option<(i32, bool)>,
    /// Where the proxy has the task's uid, its uid does not tell its sockets.
    task_uid: Option<u32>,
    /// The injector has not put a proxy of the pod's own into it, as far as we were told.
    may_be_ztunnel: bool,
    /// Consecutive readings without a listener of Envoy's, once there was one.
    unseen: Option<u32>,
    reading: Option<Held>,
    /// The last reading after which the proxy still listened.
    last_alive: Option<Held>,
    read_at: Option<Instant>,
    took: Duration,
}

// === impl Sidecar ===

impl Sidecar {
    /// The proxy that `options` describe. Opens what is needed later, so that nothing stands between the task's end and the
    /// signal.
    pub(crate) fn new(options: &Options, task_uid: Option<u32>) -> Self {
        let proc = Procfs::default();
        let table = Table::open();
        if let Err(error) = &table {
            log::line(&format!(
                "the kernel's table of sockets cannot be read ({error}): Envoy alone will say what is undelivered"
            ));
        }
        if options.proxy_pid.is_some_and(|pid| !proc.socket_inodes(pid, &mut Vec::new())) {
            log::line("the proxy's process does not show its sockets: Envoy alone will say what is undelivered");
        }
        let scope = if options.proxy_pid.is_some() { Scope::Process } else { Scope::Pod };
        let signal_ports: Vec<u16> = options.signal.iter().map(SocketAddr::port).collect();
        Self {
            scope,
            table: table.ok(),
            sockets: Vec::new(),
            proxy: Proxy::new(scope, &signal_ports, &[options.admin_port, options.status_port]),
            process: options.proxy_pid.and_then(|pid| Process::open(&proc, pid)),
            process_is_envoy: true,
            inodes_of: options.proxy_pid.map(|pid| (pid, false)),
            task_uid,
            may_be_ztunnel: !matches!(options.form, Some(Form::Classic | Form::Native)),
            unseen: None,
            reading: None,
            last_alive: None,
            read_at: None,
            took: Duration::ZERO,
            proc,
        }
    }

    /// Reads what the kernel holds, now. `None` where that cannot be known.
    pub(crate) fn look(&mut self) -> Option<Held> {
        let (began, before) = (Instant::now(), self.reading);
        self.reading = self.read_table().then(|| held(&self.sockets, &self.proxy));
        // A reading is known to be whole by the next one: while Envoy dies, the table lists its listeners, which come first, and not its
        // connections any more.
        if self.unseen == Some(0) {
            self.last_alive = before;
        }
        self.took = began.elapsed();
        self.read_at = Some(began);
        self.reading
    }

    /// The last reading, or a new one if that is older than a pause.
    pub(crate) fn fresh(&mut self) -> Option<Held> {
        if self.read_at.is_none_or(|at| at.elapsed() >= SHORTEST_PAUSE) { self.look() } else { self.reading }
    }

    /// The last reading.
    pub(crate) const fn reading(&self) -> Option<Held> {
        self.reading
    }

    /// The last reading after which the proxy still listened: what its end may have destroyed.
    pub(crate) const fn last_alive(&self) -> Option<Held> {
        self.last_alive
    }

    /// What the kernel has still to send for the proxy and the task, now that the proxy has gone.
    pub(crate) fn look_behind(&mut self) -> Held {
        if self.read_table() { left_behind(&self.sockets, &self.proxy) } else { Held::default() }
    }

    /// The connection with this local end is our own.
    pub(crate) fn disregard(&mut self, end: SocketAddr) {
        self.proxy.disregard(Endpoint::new(end.ip(), end.port()));
    }

    /// Whether the last reading can tell the proxy's sockets from others.
    pub(crate) fn is_known(&self) -> bool {
        self.proxy.is_known()
    }

    /// How long to wait between two readings.
    pub(crate) fn pause(&self) -> Duration {
        (self.took * DUTY).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    /// How long to wait for the reading that confirms a quiet one.
    pub(crate) fn pause_to_confirm(&self) -> Duration {
        self.pause().min(Limits::SETTLE)
    }

    /// Whether there is a proxy, by its listeners or by its process.
    pub(crate) fn is_here(&self) -> bool {
        match self.scope {
            Scope::Process => !self.is_gone(),
            Scope::Pod => {
                let any = |name| self.candidates(name).next().is_some();
                self.proxy.listener(&self.sockets).is_some() || any(ENVOY) || any(PILOT_AGENT)
            }
        }
    }

    /// By what the proxy is known, as a clause.
    pub(crate) fn known_by(&self) -> String {
        let running = |name| self.candidates(name).next().map(|pid| format!("by its process {name}, {pid}"));
        match (self.scope, self.proxy.listener(&self.sockets)) {
            (Scope::Process, _) => "by its process, which was given".to_owned(),
            (Scope::Pod, Some(listener)) => format!("by its listener on port {}", listener.local.port),
            (Scope::Pod, None) => running(ENVOY).or_else(|| running(PILOT_AGENT)).unwrap_or_else(|| "by nothing".to_owned()),
        }
    }

    /// Whether a pod's proxy still listens, by the last reading.
    pub(crate) fn is_listening(&self) -> bool {
        self.scope == Scope::Pod && self.proxy.listener(&self.sockets).is_some()
    }

    /// Whether everything in this network namespace is the pod's.
    pub(crate) fn is_in_a_pod(&self) -> bool {
        self.scope == Scope::Pod
    }

    /// Whether the proxy is ztunnel, on the node: there is nothing to end and nobody to ask.
    pub(crate) fn is_ztunnel(&self) -> bool {
        self.may_be_ztunnel && self.proxy.is_ztunnel()
    }

    /// Whether Envoy's own process is held.
    pub(crate) const fn has_met_envoy(&self) -> bool {
        self.process.is_some() && self.process_is_envoy
    }

    /// Takes hold of the proxy's process, so that its end is seen at once. Without that its end is the end of its listeners.
    pub(crate) fn find_process(&mut self) {
        if self.scope == Scope::Process || self.has_met_envoy() || self.is_ztunnel() {
            return;
        }
        let envoy = self.by_name(ENVOY).or_else(|| self.by_listener());
        let (pid, is_envoy) = match (envoy, &self.process) {
            (Some(pid), _) => (Some(pid), true),
            (None, Some(_)) => return,
            (None, None) => (self.by_name(PILOT_AGENT), false),
        };
        self.process = pid.and_then(|pid| Process::open(&self.proc, pid));
        self.process_is_envoy = is_envoy;
    }

    /// Sends SIGTERM to pilot-agent; else, why not. By its pidfd, so that it can hit no other.
    pub(crate) fn terminate(&self) -> Result<(), String> {
        let pid = self.pilot_agent().ok_or("skipped: it is not to be told from others")?;
        let process = Process::open(&self.proc, pid).ok_or("skipped: it has just ended")?;
        let fd = process.fd().ok_or("skipped: the kernel has no pidfd, and a pid alone may be another's")?;
        pidfd_send_signal(fd, Signal::TERM).map_err(|error| match error {
            Errno::PERM => "skipped: only root and the proxy's own uid may".to_owned(),
            other => format!("failed: {other}"),
        })
    }

    /// Waits for the proxy's end, at most for `timeout`. Whether it has gone.
    pub(crate) fn wait(&mut self, timeout: Duration) -> bool {
        if let Some(process) = &self.process {
            return process.wait(Some(timeout));
        }
        sleep(timeout);
        self.is_gone()
    }

    /// Waits for the proxy's end, at most for `pause`, reading the table where nothing else tells of it. Whether it has gone.
    pub(crate) fn wait_long(&mut self, pause: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < pause {
            let left = pause.saturating_sub(began.elapsed());
            let slice = if self.process.is_some() { left } else { left.min(LONGEST_PAUSE) };
            if self.wait(slice) {
                return true;
            }
            self.look();
        }
        false
    }

    /// Whether the proxy has gone, by its process or, where that is not known, by the last readings.
    pub(crate) fn is_gone(&self) -> bool {
        match (&self.process, self.scope) {
            (Some(process), _) => process.wait(Some(Duration::ZERO)),
            (None, Scope::Process) => true,
            (None, Scope::Pod) => self.unseen.is_some_and(|unseen| unseen >= UNSEEN_IS_GONE),
        }
    }

    fn read_table(&mut self) -> bool {
        let Some(table) = &mut self.table else { return false };
        if table.read(&mut self.sockets).is_err() {
            return false;
        }
        let inodes = self.inodes();
        if self.scope == Scope::Process && inodes.is_none() {
            return false;
        }
        self.proxy.observe(&self.sockets, inodes.as_deref());
        match (self.proxy.listens(&self.sockets), &mut self.unseen) {
            (true, unseen) => *unseen = Some(0),
            (false, Some(unseen)) => *unseen = unseen.saturating_add(1),
            (false, None) => {}
        }
        true
    }

    /// The inodes of the proxy's sockets, where they are needed and can be read. Read after the table, so that what was accepted
    /// in between is among them.
    fn inodes(&mut self) -> Option<Vec<u64>> {
        if self.inodes_of.is_none() && !self.proxy.is_known() {
            let listener = self.proxy.listener(&self.sockets)?;
            if self.task_uid == Some(listener.uid) {
                self.inodes_of = self.by_listener().map(|pid| (pid, false));
            }
        }
        let (pid, readable) = self.inodes_of.as_mut()?;
        let mut inodes = Vec::new();
        *readable |= self.proc.socket_inodes(*pid, &mut inodes);
        // Once readable and now no more: the process has gone, and holds none.
        readable.then_some(inodes)
    }

    /// pilot-agent's process: Envoy's parent, or in a pod without an Envoy the only one of that name.
    fn pilot_agent(&self) -> Option<i32> {
        let Some(envoy) = self.process.as_ref().filter(|_| self.process_is_envoy) else {
            return self.by_name(PILOT_AGENT).filter(|_| self.scope == Scope::Pod);
        };
        let parent = self.proc.process(self.proc.process(envoy.pid())?.parent)?;
        (parent.comm == PILOT_AGENT).then_some(parent.pid)
    }

    /// The one process of this name that may be the proxy's.
    fn by_name(&self, name: &'static str) -> Option<i32> {
        let mut candidates = self.candidates(name);
        let first = candidates.next()?;
        candidates.next().is_none().then_some(first)
    }

    /// The processes of this name that may be the proxy's.
    fn candidates(&self, name: &'static str) -> impl Iterator<Item = i32> {
        let uid = self.proxy.listener(&self.sockets).map(|listener| listener.uid);
        let ours = self.proc.network(std::process::id().cast_signed());
        let alive = self.proc.processes().filter(move |process| process.comm == name && process.state != b'Z');
        alive.map(|process| process.pid).filter(move |pid| {
            let network = self.proc.network(*pid);
            uid.is_none_or(|uid| self.proc.uid(*pid) == Some(uid))
                // Of other uids it cannot be read; in a pod there is but one.
                && (network.is_none() || ours.is_none() || network == ours)
        })
    }

    /// The process that holds the proxy's listener. Only root, or the proxy's own uid, can see that.
    fn by_listener(&self) -> Option<i32> {
        let inode = self.proxy.listener(&self.sockets)?.inode;
        let mut inodes = Vec::new();
        self.proc.processes().map(|process| process.pid).find(|pid| {
            inodes.clear();
            self.proc.socket_inodes(*pid, &mut inodes) && inodes.contains(&inode)
        })
    }
}
