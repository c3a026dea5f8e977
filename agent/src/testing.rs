//! For unit tests: a machine whose time passes only while the agent waits, and whose proxy follows a script.

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::Range;
use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::rc::Rc;

use drain::config::SIGNAL_PORT;
use drain::time::Instant;
use pod::container::Container;
use pod::pidfd::Exit;
use pod::ports;
use pod::procfs::Instance;
use pod::sockets::{Endpoint, Socket, State};
use pod::stat::Stat;

use crate::options::{Invocation, Options};
use crate::os::World;
use crate::os::http::{Head, Problem, Request};
use crate::os::linux::own_pid;
use crate::os::world::{Connection, Creations, Identity, NotSignalled, Process, Source};

/// The uid of the proxy.
const UID: u32 = 1337;

/// The options of the command line `line`.
pub(crate) fn options(line: &str) -> Options {
    match Invocation::parse(line.split_whitespace().map(OsString::from), |_| None) {
        Ok(Invocation::Run(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

/// The machine. All times are in milliseconds; time 0 is its start.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// The time, which the handles of processes share.
    pub(crate) now: Rc<Cell<u64>>,
    /// The ports of the proxy, and when each has a listener.
    pub(crate) listeners: Vec<(u16, Range<u64>)>,
    /// The processes: PID, name, and when each runs.
    pub(crate) processes: Vec<(i32, &'static str, Range<u64>)>,
    /// The first processes of containers: PID, name of the container, kubelet's id of the instance, and how it ends.
    pub(crate) roots: Vec<(i32, &'static str, &'static str, Exit)>,
    /// The users of processes that are not [`UID`].
    pub(crate) uids: Vec<(i32, u32)>,
    /// How long after their end they are reaped.
    pub(crate) reaping: u64,
    /// Whether Istio captures the traffic of the pod. But to the filter no connection is made: one to loopback or a captured one is refused, the
    /// others time out.
    pub(crate) is_captured: bool,
    /// When SIGTERM comes.
    pub(crate) sigterm: Option<u64>,
    /// The agent's own process, if it is in the pod.
    pub(crate) own: Option<i32>,
    /// When kubelet creates a container, if that is told.
    pub(crate) creations: Option<Vec<u64>>,
    /// The last process id, from a time on.
    pub(crate) last_ids: Vec<(u64, i32)>,
    /// How many ids the starts of containers have used up.
    pub(crate) unused_ids: Option<u32>,
    /// How long after the event that wakes it the agent is scheduled.
    pub(crate) scheduled_after: u64,
    /// What the filter answers, if there is one. Empty: Envoy answers in its place, because it has none.
    pub(crate) filter: Option<String>,
    /// What Envoy's admin interface answers: to which paths, by their beginning, when, and what. It refuses all others with 404. If this is empty,
    /// there is no admin interface.
    pub(crate) admin: Vec<(&'static str, Range<u64>, String)>,
    /// The questions to it, each with its time.
    pub(crate) asked: Rc<RefCell<Vec<(u64, String)>>>,
}

/// A handle of a process.
#[derive(Debug)]
pub(crate) struct Handle {
    now: Rc<Cell<u64>>,
    pid: i32,
    end: u64,
    exit: Exit,
    reaped: u64,
}

/// A connection to one that answers.
#[derive(Debug)]
pub(crate) enum Answering {
    /// The filter, with its answer.
    Filter(String),
    /// Envoy's admin interface at a time, with its answers, and where to note the question.
    Admin(u64, Vec<(&'static str, Range<u64>, String)>, Rc<RefCell<Vec<(u64, String)>>>),
}

// === impl Script ===

impl Script {
    /// Lets the time pass until `at`.
    pub(crate) fn pass_until(&self, at: u64) {
        self.now.set(self.now.get().max(at));
    }

    /// The milliseconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        self.now.get()
    }
}

impl World for Script {
    type Connection = Answering;
    type Process = Handle;

    fn now(&self) -> Instant {
        Instant::at(Duration::from_millis(self.now.get()))
    }

    fn sleep(&self, time: Duration) {
        self.now.set(self.now.get() + milliseconds(time));
    }

    fn terminated_at(&self, _: Source) -> Option<Instant> {
        self.sigterm.filter(|at| *at <= self.now.get()).map(|at| Instant::at(Duration::from_millis(at)))
    }

    fn connect(&self, to: SocketAddr, timeout: Duration) -> io::Result<Answering> {
        if let Some(answer) = self.filter.as_ref().filter(|_| to == SocketAddr::from(([127, 0, 0, 1], SIGNAL_PORT))) {
            return Ok(Answering::Filter(answer.clone()));
        }
        if !self.admin.is_empty() && to == SocketAddr::from(([127, 0, 0, 1], ports::ADMIN)) {
            return Ok(Answering::Admin(self.now.get(), self.admin.clone(), Rc::clone(&self.asked)));
        }
        if self.is_captured || to.ip().is_loopback() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.sleep(timeout);
        Err(io::ErrorKind::TimedOut.into())
    }

    fn sockets(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let listener = |port: u16| Socket {
            local: Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
            remote: Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            state: State::Listen,
            tx_queue: 0,
            rx_queue: 0,
            uid: UID,
            inode: port.into(),
        };
        sockets.clear();
        sockets.extend(self.listeners.iter().filter(|(_, when)| when.contains(&self.now.get())).map(|(port, _)| listener(*port)));
        Ok(())
    }

    fn processes(&self) -> Vec<Stat> {
        let running = self.processes.iter().filter(|(.., when)| when.contains(&self.now.get()));
        let stat = |(pid, name, when): &(i32, &str, Range<u64>)| {
            let parent = i32::from(!self.roots.iter().any(|(root, ..)| root == pid));
            Stat { pid: *pid, comm: (*name).to_owned(), state: b'S', parent, start: when.start / 10 }
        };
        running.map(stat).collect()
    }

    fn identity(&self, pid: i32) -> Identity {
        let uid = self.uids.iter().find(|(known, _)| *known == pid).map_or(UID, |(_, uid)| *uid);
        Identity { uid: Some(uid), network: None }
    }

    fn socket_inodes(&self, _: i32, _: &mut Vec<u64>) -> bool {
        false
    }

    fn open(&self, pid: i32) -> Option<Handle> {
        let (.., when) = self.processes.iter().find(|(known, _, when)| *known == pid && when.contains(&self.now.get()))?;
        let exit = self.roots.iter().find(|(root, ..)| *root == pid).map_or(Exit::Unknown, |(.., exit)| *exit);
        Some(Handle { now: Rc::clone(&self.now), pid, end: when.end, exit, reaped: when.end.saturating_add(self.reaping) })
    }

    fn own_pid(&self) -> i32 {
        self.own.unwrap_or_else(own_pid)
    }

    fn creations(&self) -> Option<Creations> {
        let count = self.creations.as_ref()?.iter().filter(|at| **at <= self.now.get()).count();
        Some(Creations { count: count.try_into().unwrap(), is_exact: true })
    }

    fn unused_ids(&self, _: i32) -> Option<u32> {
        self.unused_ids
    }

    fn last_id(&self) -> Option<i32> {
        self.last_ids.iter().filter(|(at, _)| *at <= self.now.get()).map(|(_, id)| *id).max()
    }

    fn instance_of(&self, name: &str, ended: Option<&str>) -> Option<Instance> {
        let instance = |root: Stat| {
            let container = self.container(root.pid).filter(|it| it.name == name && Some(it.instance.as_str()) != ended)?;
            Some(Instance { id: container.instance, root })
        };
        self.processes().into_iter().filter_map(instance).max_by_key(|instance| instance.root.start)
    }

    fn container(&self, pid: i32) -> Option<Container> {
        let (_, name, instance, _) = self.roots.iter().find(|(root, ..)| *root == pid)?;
        Some(Container { name: (*name).to_owned(), instance: (*instance).to_owned() })
    }

    fn wait_any(&self, processes: &[&Handle], timeout: Option<Duration>) {
        let ends = processes.iter().map(|process| process.end);
        let until = timeout.map_or(u64::MAX, |timeout| self.now.get().saturating_add(milliseconds(timeout)));
        let woken = ends.chain(self.sigterm.filter(|at| *at > self.now.get())).min().filter(|at| *at < until);
        self.pass_until(woken.map_or(until, |at| at + self.scheduled_after));
    }
}

impl Process for Handle {
    fn pid(&self) -> i32 {
        self.pid
    }

    fn wait(&self, timeout: Duration) -> bool {
        let until = self.now.get().saturating_add(milliseconds(timeout));
        self.now.set(until.min(self.end).max(self.now.get()));
        self.now.get() >= self.end
    }

    fn wakes(&self) -> bool {
        true
    }

    fn tells(&mut self) -> bool {
        self.exit != Exit::Unknown
    }

    fn exit(&self, patience: Duration) -> Exit {
        let until = self.now.get().saturating_add(milliseconds(patience));
        self.now.set(until.min(self.reaped).max(self.now.get()));
        if self.now.get() >= self.reaped { self.exit } else { Exit::Unknown }
    }

    fn signal(&self, _: u8) -> Result<(), NotSignalled> {
        Err(NotSignalled::NotPermitted)
    }
}

impl Connection for Answering {
    fn local_end(&self) -> Option<SocketAddr> {
        None
    }

    fn exchange(self, _: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem> {
        let (answer, is_filters) = match self {
            Self::Filter(answer) => {
                let is_filters = !answer.is_empty();
                (is_filters.then_some(answer), is_filters)
            }
            Self::Admin(now, answers, asked) => {
                asked.borrow_mut().push((now, format!("{} {}", request.method, request.path)));
                let mut fitting =
                    answers.into_iter().filter(|(path, when, _)| request.path.starts_with(path) && when.contains(&now));
                (fitting.next().map(|(.., answer)| answer), false)
            }
        };
        let status = if answer.is_some() { 200 } else { 404 };
        body(answer.unwrap_or_default().as_bytes());
        Ok(Head { status, is_filters })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
