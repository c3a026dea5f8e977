//! The real machine.

use core::net::SocketAddr;
use core::time::Duration;
use std::cell::{OnceCell, RefCell};
use std::io;
use std::net::TcpStream;
use std::process;
use std::thread;
use std::time;

use drain::time::Instant;
use log::warn;
use pod::pidfd;
use pod::procfs::Procfs;
use pod::sockets::Socket;
use pod::stat::Stat;
use pod::table::Table;
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};

use super::http::{self, Head, Problem, Request};
use super::termination::Termination;
use super::world::{Connection, Identity, NotTerminated, Process, Source, World};

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
        }
    }

    /// Blocks SIGTERM from now on. [`World::terminated_at`] reports it.
    pub fn block_termination(&self) -> &Termination {
        self.termination.get_or_init(Termination::block)
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

    fn terminate(&self) -> Result<(), NotTerminated> {
        let fd = self.fd().ok_or(NotTerminated::NoPidfd)?;
        pidfd_send_signal(fd, Signal::TERM).map_err(|error| match error {
            Errno::PERM => NotTerminated::NotPermitted,
            other => NotTerminated::Other(other.raw_os_error()),
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
