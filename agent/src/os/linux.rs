//! The real machine.

use core::net::SocketAddr;
use core::time::Duration;
use std::cell::{OnceCell, RefCell};
use std::io;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process;
use std::thread;
use std::time;

use drain::time::Instant;
use log::warn;
use pod::container::Container;
use pod::pidfd::{self, Exit};
use pod::procfs::{Instance, Procfs};
use pod::sockets::Socket;
use pod::stat::Stat;
use pod::table::Table;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};

use super::creations::{HOSTS, HostsFile};
use super::hop;
use super::http::{self, Head, Problem, Request};
use super::sys;
use super::termination::Termination;
use super::world::{Connection, Creations, Identity, NotSignalled, Process, Source, World};

/// The pause after a failed `poll(2)`, so that a loop does not spin.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// The machine that the agent runs on.
#[derive(Debug)]
pub struct Linux {
    start: time::Instant,
    /// The time from the boot of the node to `start`.
    started: Duration,
    proc: Procfs,
    /// `None` if the kernel's table of sockets cannot be read.
    table: RefCell<Option<Table>>,
    /// Set once SIGTERM is blocked.
    termination: OnceCell<Termination>,
    /// Set once the creations of containers are counted, if they can be.
    hosts: OnceCell<Option<HostsFile>>,
}

// === impl Linux ===

impl Linux {
    /// Opens what is needed later, so that no time is lost between the end of the task and the signal.
    #[must_use]
    pub fn new() -> Self {
        let table = Table::open();
        if let Err(error) = &table {
            warn!("the kernel's table of sockets cannot be read ({error}): only Envoy can tell what is undelivered");
        }
        Self {
            start: time::Instant::now(),
            started: since_boot(),
            proc: Procfs::default(),
            table: RefCell::new(table.ok()),
            termination: OnceCell::new(),
            hosts: OnceCell::new(),
        }
    }

    /// Counts the creations of containers from now on. [`World::creations`] reports them.
    pub fn count_creations(&self) {
        self.hosts.get_or_init(|| HostsFile::watch(Path::new(HOSTS), self.own_age()));
    }

    fn hosts(&self) -> Option<&HostsFile> {
        self.hosts.get()?.as_ref()
    }

    /// Sleeps until one of `processes` has ended, `other` is readable, or SIGTERM comes.
    fn wait_for(&self, processes: &[&pidfd::Process], other: Option<BorrowedFd<'_>>, timeout: Option<Duration>) {
        let termination = self.termination.get().and_then(Termination::fd);
        let fds = termination.into_iter().chain(processes.iter().filter_map(|process| process.fd())).chain(other);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let time = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        if poll(&mut fds, time.as_ref()).is_err() {
            thread::sleep(AFTER_ERROR);
        }
        // The grace period begins now. Without an event there is no question: each system call delays the signal.
        if termination.is_some() && fds.first().is_some_and(|first| !first.revents().is_empty()) {
            let _ = self.terminated_at(Source::Kernel);
        }
    }

    /// Blocks SIGTERM from now on. [`World::terminated_at`] reports it.
    pub fn block_termination(&self) -> &Termination {
        self.termination.get_or_init(Termination::block)
    }

    /// For how long this process runs.
    fn own_age(&self) -> Duration {
        // A tick of `/proc` is a hundredth of a second on every machine.
        let start = self.proc.process(own_pid()).map_or(0, |process| process.start);
        since_boot().saturating_sub(Duration::from_millis(start.saturating_mul(10)))
    }

    /// `/proc`.
    #[must_use]
    pub const fn proc(&self) -> &Procfs {
        &self.proc
    }
}

impl Default for Linux {
    fn default() -> Self {
        Self::new()
    }
}

impl World for Linux {
    type Connection = TcpStream;
    type Process = pidfd::Process;

    fn now(&self) -> Instant {
        Instant::at(self.started + self.start.elapsed())
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn terminated_at(&self, source: Source) -> Option<Instant> {
        let came = self.termination.get()?.came(source)?;
        Some(Instant::at(self.started + came.saturating_duration_since(self.start)))
    }

    fn connect(&self, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        http::connect(to, timeout)
    }

    fn is_refused_here(&self, to: SocketAddr, timeout: Duration) -> bool {
        hop::is_refused_here(to, timeout)
    }

    fn sockets(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let mut table = self.table.try_borrow_mut().map_err(io::Error::other)?;
        table.as_mut().ok_or(io::ErrorKind::Unsupported)?.read(sockets)
    }

    fn processes(&self) -> Vec<Stat> {
        self.proc.processes().collect()
    }

    fn identity(&self, pid: i32) -> Identity {
        Identity { uid: self.proc.uid(pid), network: self.proc.network(pid) }
    }

    fn socket_inodes(&self, pid: i32, inodes: &mut Vec<u64>) -> bool {
        self.proc.socket_inodes(pid, inodes)
    }

    fn open(&self, pid: i32) -> Option<pidfd::Process> {
        pidfd::Process::open(&self.proc, pid)
    }

    fn own_pid(&self) -> i32 {
        own_pid()
    }

    fn instance_of(&self, name: &str, ended: Option<&str>) -> Option<Instance> {
        self.proc.instance_of(name, ended)
    }

    fn container(&self, pid: i32) -> Option<Container> {
        self.proc.container(pid)
    }

    fn wait_any(&self, processes: &[&pidfd::Process], timeout: Option<Duration>) {
        self.wait_for(processes, None, timeout);
    }

    fn wait_start(&self, processes: &[&pidfd::Process], timeout: Option<Duration>) {
        self.wait_for(processes, self.hosts().map(HostsFile::fd), timeout);
    }

    fn creations(&self) -> Option<Creations> {
        self.hosts()?.creations()
    }

    fn last_id(&self) -> Option<i32> {
        self.proc.last_id()
    }

    fn unused_ids(&self, after: i32) -> Option<u32> {
        self.proc.unused_ids(after)
    }
}

impl Connection for TcpStream {
    fn local_end(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }

    fn exchange(self, to: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem> {
        http::exchange_on(self, to, request, body)
    }
}

impl Process for pidfd::Process {
    fn pid(&self) -> i32 {
        Self::pid(self)
    }

    fn wait(&self, timeout: Duration) -> bool {
        Self::wait(self, Some(timeout))
    }

    fn wakes(&self) -> bool {
        self.fd().is_some()
    }

    fn tells(&mut self) -> bool {
        self.fd().is_some_and(|fd| sys::wait_status(fd).is_ok()) || self.watch_status()
    }

    fn exit(&self, patience: Duration) -> Exit {
        if let Some(exit) = self.status() {
            return exit;
        }
        self.wait_reaped(patience);
        let status = self.fd().and_then(|fd| sys::wait_status(fd).ok().flatten());
        status.map_or(Exit::Unknown, Exit::from_wait_status)
    }

    fn signal(&self, number: u8) -> Result<(), NotSignalled> {
        let fd = self.fd().ok_or(NotSignalled::NoPidfd)?;
        let signal = Signal::from_named_raw(number.into()).ok_or(NotSignalled::Other(Errno::INVAL.raw_os_error()))?;
        pidfd_send_signal(fd, signal).map_err(|error| match error {
            Errno::PERM => NotSignalled::NotPermitted,
            other => NotSignalled::Other(other.raw_os_error()),
        })
    }
}

/// The time since the boot of the node.
fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The PID of this process.
#[must_use]
pub fn own_pid() -> i32 {
    process::id().cast_signed()
}
