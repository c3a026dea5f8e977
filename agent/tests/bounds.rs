//! Whatever others make endless, the agent reads a part of it and keeps little memory. The test measures the memory of its process, so it is
//! alone in its file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it cannot go on")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a test reads only its own files")]

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use exeunt_agent::os::Linux;
use exeunt_agent::proxy::metadata;
use exeunt_agent::task::StateDir;
use pod::bounded;
use pod::bounds::Input;
use pod::delivery::held;
use pod::procfs::Procfs;
use pod::proxy::{Proxy, Scope};
use pod::sockets::Socket;
use pod::stat::Stat;
use pod::table::Table;

/// Far more than the agent may hold: it has 16 MiB. The file has holes only, so it takes no space.
const ENDLESS: u64 = 48 << 20;
/// What the readers may hold at most. The largest holds a response of 1 MiB, in a buffer that has grown to twice as much.
const MOST: u64 = 4 << 20;
/// What the largest lists may take together. With the 1.5 MiB that an agent has at its start, it stays below its limit of 16 MiB.
const MOST_LISTS: u64 = 12 << 20;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes `file`, and the folders above it, without an end.
fn endless(file: &Path) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    File::create(file).unwrap().set_len(ENDLESS).unwrap();
}

/// The most memory that this process has had so far, in bytes (`proc_pid_status(5)`).
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A server that answers with `head`, and then sends for ever.
fn server(head: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let length = stream.read(&mut [0; 1_000]).unwrap();
        assert!(length > 0);
        stream.write_all(head.as_bytes()).unwrap();
        let piece = vec![b'x'; 64 << 10];
        let mut sent = 0;
        // The agent may hang up before.
        while sent < ENDLESS && stream.write_all(&piece).is_ok() {
            sent += piece.len() as u64;
        }
    });
    port
}

/// Makes as many sockets and processes in `proc` as the agent reads, and a few more processes. Keeps nothing of it in memory.
fn fill(proc: &Path) {
    fs::create_dir_all(proc.join("net")).unwrap();
    let mut table = BufWriter::new(File::create(proc.join("net/tcp")).unwrap());
    writeln!(table, "0: 00000000:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 7").unwrap();
    for at in 1..Input::Sockets.most() {
        let end = (at >> 14, 1 + (at & 0x3fff));
        let rest = "01 00000000:00000001 00:00000000 00000000  1337        0";
        writeln!(table, "0: 0100007F:3A99 {:08X}:{:04X} {rest} {}", end.0, end.1, at + 8).unwrap();
    }
    table.into_inner().unwrap();
    let stat = proc.join("stat");
    fs::write(&stat, format!("7 (fifteen-letters) S 1 {}900 0 0\n", "0 ".repeat(17))).unwrap();
    for pid in 1..Input::Processes.most() + 100 {
        let folder = proc.join(pid.to_string());
        fs::create_dir(&folder).unwrap();
        fs::hard_link(&stat, folder.join("stat")).unwrap();
    }
}

/// Forgets the most memory that this process has had so far (Linux, `Documentation/filesystems/proc.rst`, `clear_refs`).
fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[test]
fn nothing_endless_fills_the_memory_of_the_agent() {
    // In memory, where it exists: the processes alone are 33,000 folders.
    let memory = Some(PathBuf::from("/dev/shm")).filter(|folder| folder.is_dir());
    let place = memory.unwrap_or_else(std::env::temp_dir);
    let folder = Folder(place.join(format!("exeunt-endless-{}", std::process::id())));
    for file in ["31/stat", "31/status", "31/cmdline", "31/mountinfo", "31/task/31/mountinfo", "loadavg", "net/tcp", "net/tcp6"] {
        endless(&folder.0.join("proc").join(file));
    }
    for file in ["main-base", "proxy", "sandbox"] {
        endless(&folder.0.join("state").join(file));
    }
    let proc = Procfs::at(folder.0.join("proc"));
    let state = folder.0.join("state");
    let world = Linux::new();
    let mut sockets: Vec<Socket> = Vec::new();

    let mut before = peak();
    let mut check = |what: &str, reads_nothing: bool| {
        let now = peak();
        assert!(now - before <= MOST, "{what}: {} more bytes of memory", now - before);
        assert!(reads_nothing, "{what}: zeros tell something");
        before = now;
    };
    check("the state of a process", proc.process(31).is_none() && proc.processes().next().is_none());
    check("its user", proc.uid(31).is_none());
    check("its arguments", proc.arguments(31).is_none());
    check("its mounts", proc.container(31).is_none());
    check("the last id", proc.last_id().is_none() && proc.unused_ids(1).is_none());
    let table = Table::open_files(proc.root()).and_then(|mut table| table.read(&mut sockets));
    check("the sockets", table.is_ok() && sockets.is_empty());
    let state_dir = StateDir::new(Some(state.clone()));
    check("the records of a container", state_dir.recall("base").is_none() && state_dir.containers().is_empty());
    endless(&state.join("proxy"));
    check("the record of the proxy", state_dir.proxy().is_none());
    check("a file like that of kubelet", bounded::whole(&state.join("main-base"), Input::Hosts).is_none());
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nx: "] {
        let answer = metadata::ask(&world, server(head), Duration::from_secs(2), |_| true);
        check(head, answer.is_none_or(|answer| answer.regular().is_empty()));
    }
    let full = folder.0.join("full");
    fill(&full);
    reset_peak();
    let (proc, start) = (Procfs::at(&full), peak());
    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    let mut table = Table::open_files(&full).unwrap();
    for _ in 0..2 {
        table.read(&mut sockets).unwrap();
        proxy.observe(&sockets, None);
    }
    // Some have a port of the proxy's own.
    assert!(usize::try_from(held(&sockets, &proxy).connections).unwrap() > Input::Sockets.most() - 100);
    let processes: Vec<Stat> = proc.processes().collect();
    // Two of the entries are no processes.
    assert!((Input::Processes.most() - 2..=Input::Processes.most()).contains(&processes.len()), "{}", processes.len());
    let lists = peak() - start;
    assert!(lists <= MOST_LISTS, "{lists} bytes");
    println!("{lists} bytes for the largest lists");
}
