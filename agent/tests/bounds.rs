//! Whatever others make endless, the agent reads a part of it and keeps little memory. The tests of this file measure the memory of their
//! process, so there is one process and one test at a time for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it cannot go on")]
#![allow(clippy::disallowed_methods, reason = "a test reads only its own files")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use exeunt_agent::os::Linux;
use exeunt_agent::proxy::metadata;
use exeunt_agent::task::StateDir;
use pod::bounded;
use pod::bounds::Input;
use pod::procfs::Procfs;
use pod::sockets::Socket;
use pod::table::Table;

/// Far more than the agent may hold: it has 16 MiB. The file has holes only, so it takes no space.
const ENDLESS: u64 = 128 << 20;
/// What the readers may hold at most. The largest holds a response of 1 MiB, in a buffer that has grown to twice as much.
const MOST: u64 = 4 << 20;

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

#[test]
fn nothing_endless_fills_the_memory_of_the_agent() {
    let folder = Folder(std::env::temp_dir().join(format!("exeunt-endless-{}", std::process::id())));
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
        let start = Instant::now();
        let answer = metadata::ask(&world, server(head), Duration::from_secs(2), |_| true);
        check(head, answer.is_none_or(|answer| answer.regular().is_empty()));
        assert!(start.elapsed() < Duration::from_secs(10), "{head}: it reads for ever");
    }
}
