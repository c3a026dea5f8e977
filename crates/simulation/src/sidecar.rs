//! The proxy as the agent sees it: through the kernel's table, and through its process where that can be told from others.

use core::net::SocketAddr;
use core::time::Duration;

use drain::limits::Limits;
use drain::time::Instant;
use pod::delivery::{Held, held, left_behind};
use pod::proxy::{Proxy, Scope};
use pod::sockets::{Endpoint, Socket};

use crate::options::Options;
use crate::world;

// As the agent's own.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
const UNSEEN_IS_GONE: u32 = 2;

/// What a reading of the table takes.
const READING: Duration = Duration::from_micros(200);

/// The proxy.
#[derive(Debug)]
pub(crate) struct Sidecar {
    proxy: Proxy,
    sockets: Vec<Socket>,
    holds_process: bool,
    unseen: Option<u32>,
    reading: Option<Held>,
    last_alive: Option<Held>,
    read_at: Option<Instant>,
}

// === impl Sidecar ===

impl Sidecar {
    /// A proxy that nobody has looked at.
    pub(crate) fn new(_options: &Options, _task_uid: Option<u32>) -> Self {
        Self {
            proxy: Proxy::new(Scope::Pod, &[15190], &[]),
            sockets: Vec::new(),
            holds_process: false,
            unseen: None,
            reading: None,
            last_alive: None,
            read_at: None,
        }
    }

    pub(crate) fn look(&mut self) -> Option<Held> {
        let before = self.reading;
        self.read_table();
        self.reading = Some(held(&self.sockets, &self.proxy));
        if self.unseen == Some(0) {
            self.last_alive = before;
        }
        self.read_at = Some(world::now());
        self.reading
    }

    pub(crate) fn fresh(&mut self) -> Option<Held> {
        if self.read_at.is_none_or(|at| world::now().since(at) >= PAUSE) { self.look() } else { self.reading }
    }

    pub(crate) const fn reading(&self) -> Option<Held> {
        self.reading
    }

    pub(crate) const fn last_alive(&self) -> Option<Held> {
        self.last_alive
    }

    pub(crate) fn look_behind(&mut self) -> Held {
        self.read_table();
        left_behind(&self.sockets, &self.proxy)
    }

    pub(crate) fn disregard(&mut self, end: SocketAddr) {
        self.proxy.disregard(Endpoint::new(end.ip(), end.port()));
    }

    pub(crate) fn is_known(&self) -> bool {
        self.proxy.is_known()
    }

    pub(crate) const fn pause(&self) -> Duration {
        PAUSE
    }

    pub(crate) fn pause_to_confirm(&self) -> Duration {
        self.pause().min(Limits::SETTLE)
    }

    pub(crate) fn is_here(&self) -> bool {
        self.is_listening()
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.proxy.listener(&self.sockets).is_some()
    }

    pub(crate) const fn is_in_a_pod(&self) -> bool {
        true
    }

    /// All of them have an Envoy.
    pub(crate) const fn is_ztunnel(&self) -> bool {
        false
    }

    pub(crate) const fn has_met_envoy(&self) -> bool {
        self.holds_process
    }

    pub(crate) fn find_process(&mut self) {
        self.holds_process |= world::with(|world| world.shows_envoys_process());
    }

    pub(crate) fn wait(&mut self, timeout: Duration) -> bool {
        if self.holds_process {
            return world::pass_until_envoy_ends(timeout);
        }
        world::pass(timeout);
        self.is_gone()
    }

    pub(crate) fn wait_long(&mut self, pause: Duration) -> bool {
        let began = world::now();
        while world::now().since(began) < pause {
            let left = pause.saturating_sub(world::now().since(began));
            let slice = if self.holds_process { left } else { left.min(LONGEST_PAUSE) };
            if self.wait(slice) {
                return true;
            }
            self.look();
        }
        false
    }

    pub(crate) fn is_gone(&self) -> bool {
        if self.holds_process {
            world::with(|world| !world.envoy_lives())
        } else {
            self.unseen.is_some_and(|unseen| unseen >= UNSEEN_IS_GONE)
        }
    }

    /// As an agent of its own uid.
    pub(crate) fn terminate(&self) -> Result<(), String> {
        Err("skipped: only root and the proxy's own uid may".to_owned())
    }

    pub(crate) fn known_by(&self) -> String {
        "by its listener".to_owned()
    }

    fn read_table(&mut self) {
        world::pass(READING);
        world::with(|world| world.sockets(&mut self.sockets));
        self.proxy.observe(&self.sockets, None);
        match (self.proxy.listens(&self.sockets), &mut self.unseen) {
            (true, unseen) => *unseen = Some(0),
            (false, Some(unseen)) => *unseen = unseen.saturating_add(1),
            (false, None) => {}
        }
    }
}
