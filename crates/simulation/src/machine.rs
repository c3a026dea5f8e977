//! The simulated machine, as the agent asks it.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use agent::os::World;
use agent::os::http::{Head, Problem, Request};
use agent::os::world::{Connection, Identity, NotTerminated, Process, Source};
use drain::time::Instant;
use pod::sockets::Socket;
use pod::stat::Stat;

use crate::flow::PROXY_UID;
use crate::world::{self, Service};

/// What a reading of the socket table takes.
const READING: Duration = Duration::from_micros(200);
/// What a connect takes.
const CONNECT: Duration = Duration::from_micros(50);
/// The PID of Envoy.
const ENVOY: i32 = 20;

/// The machine of this thread's world.
#[derive(Debug)]
pub(crate) struct Machine;

/// A connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line;

/// The process of Envoy.
#[derive(Debug)]
pub(crate) struct Envoy;

// === impl Machine ===

impl World for Machine {
    type Connection = Line;
    type Process = Envoy;

    fn now(&self) -> Instant {
        world::now()
    }

    fn sleep(&self, time: Duration) {
        world::pass(time);
    }

    fn terminated_at(&self, _: Source) -> Option<Instant> {
        world::with(|world| world.terminated_at().filter(|at| *at <= world.now()))
    }

    fn connect(&self, to: SocketAddr, timeout: Duration) -> io::Result<Line> {
        world::pass(CONNECT.min(timeout));
        if world::with(|world| world.accepts(to)) { Ok(Line) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }

    fn sockets(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        world::pass(READING);
        world::with(|world| world.sockets(sockets));
        Ok(())
    }

    fn processes(&self) -> Vec<Stat> {
        let envoy = Stat { pid: ENVOY, comm: "envoy".to_owned(), state: b'S', parent: 1, start: 1 };
        if world::with(|world| world.shows_envoys_process()) { vec![envoy] } else { Vec::new() }
    }

    fn identity(&self, pid: i32) -> Identity {
        Identity { uid: (pid == ENVOY).then_some(PROXY_UID), network: None }
    }

    fn socket_inodes(&self, _: i32, _: &mut Vec<u64>) -> bool {
        // The agent has its own uid.
        false
    }

    fn open(&self, pid: i32) -> Option<Envoy> {
        (pid == ENVOY && world::with(|world| world.shows_envoys_process())).then_some(Envoy)
    }
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

// === impl Envoy ===

impl Process for Envoy {
    fn pid(&self) -> i32 {
        ENVOY
    }

    fn wait(&self, timeout: Duration) -> bool {
        world::pass_until_envoy_ends(timeout)
    }

    fn terminate(&self) -> Result<(), NotTerminated> {
        // As for an agent with its own uid.
        Err(NotTerminated::NotPermitted)
    }
}
