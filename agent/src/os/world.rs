//! What the agent asks of the machine it runs on.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use drain::time::Instant;
use pod::container::Container;
use pod::pidfd::Exit;
use pod::procfs::Instance;
use pod::sockets::Socket;
use pod::stat::Stat;

use super::http::{Head, Problem, Request};

/// The machine: the real one is [`super::Linux`], and the simulation has one in virtual time.
pub trait World: fmt::Debug {
    /// A TCP connection.
    type Connection: Connection;
    /// A handle of a process.
    type Process: Process;

    /// The time now, since the boot of the node: the same clock for every process of the pod.
    fn now(&self) -> Instant;

    /// Sleeps for `time`.
    fn sleep(&self, time: Duration);

    /// When SIGTERM came last; `None` if it has not.
    fn terminated_at(&self, source: Source) -> Option<Instant>;

    /// Connects to `to` within `timeout`.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    fn connect(&self, to: SocketAddr, timeout: Duration) -> io::Result<Self::Connection>;

    /// Whether the pod itself refuses a connection to `to`, an address that no machine has, within `timeout`. A firewall that refuses it
    /// elsewhere does not count.
    fn is_refused_here(&self, to: SocketAddr, timeout: Duration) -> bool {
        self.connect(to, timeout).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Replaces `sockets` with the TCP sockets of the network namespace, except those in TIME-WAIT.
    ///
    /// # Errors
    /// Where the kernel's table cannot be read.
    fn sockets(&self, sockets: &mut Vec<Socket>) -> io::Result<()>;

    /// The processes of the PID namespace.
    fn processes(&self) -> Vec<Stat>;

    /// Who `pid` is.
    fn identity(&self, pid: i32) -> Identity;

    /// Adds the inodes of the sockets of `pid` to `inodes`. `false` if the agent may not read them.
    fn socket_inodes(&self, pid: i32, inodes: &mut Vec<u64>) -> bool;

    /// A handle of the process `pid`; `None` if there is no such process.
    fn open(&self, pid: i32) -> Option<Self::Process>;

    /// The PID of the agent itself.
    fn own_pid(&self) -> i32;

    /// The newest instance of the container `name`, but not the one whose id is `ended`.
    fn instance_of(&self, name: &str, ended: Option<&str>) -> Option<Instance>;

    /// The container that `pid` runs in; `None` if it cannot be known.
    fn container(&self, pid: i32) -> Option<Container>;

    /// Sleeps until one of `processes` has ended, or SIGTERM comes, at most for `timeout`; with `None`, without a limit.
    /// It can also end before.
    fn wait_any(&self, processes: &[&Self::Process], timeout: Option<Duration>);

    /// As [`Self::wait_any`]; kubelet's creation of a container ends it, too.
    fn wait_start(&self, processes: &[&Self::Process], timeout: Option<Duration>) {
        self.wait_any(processes, timeout);
    }

    /// The containers that kubelet has created in the pod since the agent's own process started. `None` if nothing tells them.
    fn creations(&self) -> Option<Creations> {
        None
    }

    /// The id that was given last to a process or thread of the PID namespace. `None` if the kernel does not tell it.
    fn last_id(&self) -> Option<i32> {
        None
    }

    /// How many ids above `after` were given to processes and threads that are gone. `None` if the kernel does not tell the last id.
    fn unused_ids(&self, _after: i32) -> Option<u32> {
        None
    }
}

/// How many containers kubelet has created. A container whose image is missing is not among them; one that the runtime has refused is, and once
/// more for each time that kubelet has tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creations {
    /// The number.
    pub count: u32,
    /// Whether it is exact. Else there were more, before the agent could count.
    pub is_exact: bool,
}

/// How to find out whether SIGTERM has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Ask the kernel: one system call.
    Kernel,
    /// Use the last answer of the kernel: no system call, for the moments before the signal to the filter.
    LastAnswer,
}

/// The user and the network namespace of a process, as far as the agent may read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The real uid.
    pub uid: Option<u32>,
    /// The name of the network namespace.
    pub network: Option<PathBuf>,
}

/// A TCP connection. It serves one request.
pub trait Connection {
    /// The address of this end.
    fn local_end(&self) -> Option<SocketAddr>;

    /// Sends `request` to `to`, the other end, and passes the body of the response to `body`, piece by piece.
    ///
    /// # Errors
    /// Where there is no usable response in time.
    fn exchange(self, to: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem>;
}

/// A handle of one process. A PID can be given to another process, a handle cannot.
pub trait Process: fmt::Debug {
    /// Its PID.
    fn pid(&self) -> i32;

    /// Waits until the process has ended, at most for `timeout`. Returns whether it has ended.
    fn wait(&self, timeout: Duration) -> bool;

    /// Whether its end wakes [`World::wait_any`]. Without a pidfd it does not, and the process must be looked at.
    fn wakes(&self) -> bool;

    /// Whether the kernel will tell the exit status, as far as is known. It must be asked while the process runs.
    fn tells(&mut self) -> bool;

    /// How it has ended. Waits for its reaping, after which the kernel knows that, at most for `patience`.
    fn exit(&self, patience: Duration) -> Exit;

    /// Sends the signal with this number.
    ///
    /// # Errors
    /// Where it was not sent.
    fn signal(&self, number: u8) -> Result<(), NotSignalled>;
}

/// SIGTERM, on every architecture of Linux.
pub const SIGTERM: u8 = 15;

/// Why a signal was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSignalled {
    /// The kernel has no pidfd, and a PID alone can belong to another process by now.
    NoPidfd,
    /// The agent has neither the uid of the process nor root.
    NotPermitted,
    /// Another error, by its number.
    Other(i32),
}

impl fmt::Display for NotSignalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPidfd => f.write_str("skipped: the kernel has no pidfd, and a PID alone can belong to another process"),
            Self::NotPermitted => f.write_str("skipped: only root and the uid of its process may send it"),
            Self::Other(number) => write!(f, "failed: {}", io::Error::from_raw_os_error(*number)),
        }
    }
}
