//! The simulated machine, as the agent asks it.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use agent::os::World;
use agent::os::http::{Head, Problem, Request};
use agent::os::world::{Connection, Creations, Identity, NotSignalled, Process, Source};
use drain::time::Instant;
use pod::container::Container;
use pod::pidfd::Exit;
use pod::procfs::Instance;
use pod::sockets::Socket;
use pod::stat::Stat;

use crate::flow::PROXY_UID;
use crate::world::{self, Reach, Service, Until};

/// What a reading of the socket table takes.
const READING: Duration = Duration::from_micros(200);
/// What a connect takes.
const CONNECT: Duration = Duration::from_micros(50);
/// The user of the task.
const TASK_UID: u32 = 1000;

/// The machine of this thread's world.
#[derive(Debug)]
pub(crate) struct Machine;

/// A connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line;

/// A process of the proxy, by its PID.
#[derive(Debug)]
pub(crate) struct Handle(i32);

// === impl Machine ===

impl World for Machine {
    type Connection = Line;
    type Process = Handle;

    fn now(&self) -> Instant {
        world::now()
    }

    fn sleep(&self, time: Duration) {
        world::pass(time);
    }

    fn terminated_at(&self, source: Source) -> Option<Instant> {
        world::with(|world| world.terminated_at(source))
    }

    fn connect(&self, to: SocketAddr, timeout: Duration) -> io::Result<Line> {
        world::pass(CONNECT.min(timeout));
        match world::with(|world| world.reach(to)) {
            Reach::Accepted => Ok(Line),
            Reach::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
            Reach::Nobody => {
                world::pass(timeout.saturating_sub(CONNECT));
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn sockets(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        world::pass(READING);
        world::with(|world| world.sockets(sockets));
        Ok(())
    }

    fn processes(&self) -> Vec<Stat> {
        world::with(|world| world.processes())
    }

    fn identity(&self, pid: i32) -> Identity {
        let uid = world::with(|world| match (world.is_proxys(pid), world.runs(pid)) {
            (true, _) => Some(PROXY_UID),
            (false, true) => Some(TASK_UID),
            (false, false) => None,
        });
        Identity { uid, network: None }
    }

    fn socket_inodes(&self, _: i32, _: &mut Vec<u64>) -> bool {
        // The agent has its own uid.
        false
    }

    fn open(&self, pid: i32) -> Option<Handle> {
        world::with(|world| {
            let exists = world.shows(pid);
            exists.then(|| {
                world.on_open(pid);
                Handle(pid)
            })
        })
    }

    fn own_pid(&self) -> i32 {
        world::with(|world| world.own_pid())
    }

    fn instance_of(&self, name: &str, ended: Option<&str>) -> Option<Instance> {
        world::with(|world| world.instance_of(name, ended))
    }

    fn container(&self, pid: i32) -> Option<Container> {
        world::with(|world| world.container(pid))
    }

    fn creations(&self) -> Option<Creations> {
        world::with(|world| world.creations())
    }

    fn last_id(&self) -> Option<i32> {
        world::with(|world| world.last_id())
    }

    fn unused_ids(&self, after: i32) -> Option<u32> {
        world::with(|world| world.unused_ids(after))
    }

    fn wait_start(&self, processes: &[&Handle], timeout: Option<Duration>) {
        wait(processes, timeout, self.creations());
    }

    fn wait_any(&self, processes: &[&Handle], timeout: Option<Duration>) {
        wait(processes, timeout, None);
    }
}

/// Sleeps until one of `processes` has ended, SIGTERM has come and the agent does not know it, or there are other creations than these.
fn wait(processes: &[&Handle], timeout: Option<Duration>, creations: Option<Creations>) {
    let processes: &[i32] = &processes.iter().map(|process| process.0).collect::<Vec<_>>();
    world::pass_until(timeout.unwrap_or(Duration::MAX), Until::SomethingHappens { processes, creations });
    // SIGTERM has perhaps ended the sleep.
    world::with(|world| world.terminated_at(Source::Kernel));
}

// === impl Line ===

impl Connection for Line {
    fn local_end(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], 60_000)))
    }

    fn exchange(self, to: SocketAddr, request: &Request<'_>, body: &mut dyn FnMut(&[u8])) -> Result<Head, Problem> {
        let (there, back) = world::with(|world| (world.latency(), world.latency()));
        world::pass(there);
        match world::with(|world| world.serve(to, request)) {
            Service::Answered { status, is_filters, text } => {
                world::pass(back);
                // The body comes in small pieces.
                text.as_bytes().chunks(7).for_each(body);
                Ok(Head { status, is_filters })
            }
            Service::Broken => Err(Problem::NoAnswer(io::ErrorKind::ConnectionReset)),
            Service::Silence => {
                world::pass(request.timeout);
                Err(Problem::NoAnswer(io::ErrorKind::TimedOut))
            }
        }
    }
}

// === impl Handle ===

impl Process for Handle {
    fn pid(&self) -> i32 {
        self.0
    }

    fn wait(&self, timeout: Duration) -> bool {
        world::pass_until(timeout, Until::ProcessEnds(&[self.0]));
        !world::with(|world| world.runs(self.0))
    }

    fn wakes(&self) -> bool {
        true
    }

    fn tells(&mut self) -> bool {
        world::with(|world| world.tells())
    }

    fn exit(&self, _: Duration) -> Exit {
        world::with(|world| world.exit_of(self.0))
    }

    fn signal(&self, _: u8) -> Result<(), NotSignalled> {
        world::with(|world| world.terminate(self.0))
    }
}
