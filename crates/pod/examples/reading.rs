//! Measures what one reading of the kernel's socket table costs the agent beside thousands of idle connections. `./build.sh bench` runs it.
//!
//! usage: `reading CONNECTIONS READINGS`. Prints the milliseconds of processor time that each reading takes, one a line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement stops where something is wrong")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads what it has started, and prints figures"
)]

use core::time::Duration;
use std::env;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};

use pod::delivery::held;
use pod::ports;
use pod::proxy::{Proxy, Scope};
use pod::table::Table;

/// A process may open 20,000 files, so no process holds more ends than this.
const MOST: usize = 4_000;

/// A process that holds the ends of connections until its standard input ends.
struct Holder(Child, Option<ChildStdin>);

impl Drop for Holder {
    fn drop(&mut self) {
        self.1 = None;
        let _ = self.0.wait();
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [verb, address, count] if verb == "hold" => hold(address.parse().unwrap(), count.parse().unwrap()),
        [connections, readings] => measure(connections.parse().unwrap(), readings.parse().unwrap()),
        _ => panic!("usage: reading CONNECTIONS READINGS"),
    }
}

/// Opens `count` connections to `address`, says so, and holds them until the standard input ends.
fn hold(address: SocketAddr, count: usize) {
    let connections: Vec<TcpStream> = (0..count).map(|_| TcpStream::connect(address).unwrap()).collect();
    println!("holds");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(connections);
}

fn measure(connections: usize, readings: usize) {
    // This listener makes the process look like a proxy: it has the captured end of each connection.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports::OUTBOUND)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut holders = Vec::new();
    let mut accepted = Vec::new();
    for first in (0..connections).step_by(MOST) {
        let count = MOST.min(connections - first);
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["hold", &address.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        accepted.extend((0..count).map(|_| listener.accept().unwrap().0));
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        let stdin = child.stdin.take();
        holders.push(Holder(child, stdin));
    }
    let mut proxy = Proxy::new(Scope::Pod, &[], &[]);
    let (mut table, mut sockets) = (Table::open().unwrap(), Vec::new());
    for _ in 0..readings {
        let start = processor_time();
        table.read(&mut sockets).unwrap();
        proxy.observe(&sockets, None);
        let held = held(&sockets, &proxy);
        let took = processor_time().saturating_sub(start);
        println!("{:.3}", took.as_secs_f64() * 1_000.0);
        // On a machine that is not a pod, there are sockets of others.
        assert!(usize::try_from(held.downstream).unwrap() >= connections, "{held:?}");
    }
}

/// The processor time of this process so far (Linux, `Documentation/scheduler/sched-stats.rst`). Unlike the time that has
/// passed, it is the same on a busy machine.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
