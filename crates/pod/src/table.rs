//! Reads the kernel's table of TCP sockets as a stream through one small buffer, without an allocation for each socket.

use core::ops::ControlFlow;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::bounded::{Line, each_line, from_start, open};
use crate::bounds::Input;
use crate::diag::Diag;
use crate::sockets::{Socket, State};

/// Larger than what the kernel returns at once: 4 KiB of a file (`fs/seq_file.c`), less than 8 KiB of a dump (`NLMSG_GOODSIZE`).
const BUFFER: usize = 8 * 1024;

/// The TCP sockets of this network namespace.
#[derive(Debug)]
pub struct Table {
    source: Source,
    /// Empty until the first reading, because an agent runs in every pod and waits most of the time.
    buffer: Vec<u8>,
}

/// Where the sockets are read. It stays open, so a reading takes two or three system calls and resolves no path.
#[derive(Debug)]
enum Source {
    /// Netlink, if the kernel answers.
    Diag(Diag),
    /// `/proc/net/tcp` and `/proc/net/tcp6`. They are on every kernel, but slower; see [`crate::diag`].
    Files(Vec<File>),
}

// === impl Table ===

impl Table {
    /// The table of the current network namespace, from the fastest source.
    ///
    /// This reads the table once, because the kernel may have to load a module for the first reading. Later every millisecond counts.
    ///
    /// # Errors
    /// If the kernel does not answer netlink and the files in `/proc/net` cannot be opened.
    pub fn open() -> io::Result<Self> {
        let diag = Diag::open().and_then(|diag| diag.read(&mut [0; BUFFER], |_| {}).map(|()| diag));
        match diag {
            Ok(diag) => Ok(Self { source: Source::Diag(diag), buffer: Vec::new() }),
            Err(_) => Self::open_files(Path::new("/proc")),
        }
    }

    /// The table under `proc`, usually `/proc`. If IPv6 is disabled, there is no second file.
    ///
    /// # Errors
    /// If one of the files exists and cannot be opened, or if there is no `net/tcp`.
    pub fn open_files(proc: &Path) -> io::Result<Self> {
        let mut files = vec![open(&proc.join("net/tcp"))?];
        match open(&proc.join("net/tcp6")) {
            Ok(file) => files.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { source: Source::Files(files), buffer: Vec::new() })
    }

    /// Replaces `sockets` by the current ones, without those in TIME-WAIT: there may be thousands, and they hold no data.
    ///
    /// # Errors
    /// If the files cannot be read, or if there are too many sockets. After an error from netlink, this and every later reading use the
    /// files.
    pub fn read(&mut self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        self.buffer.resize(BUFFER, 0);
        if let Source::Diag(diag) = &self.source {
            let mut all = AtMost::new(sockets);
            if diag.read(&mut self.buffer, |socket| all.add(socket)).is_ok() {
                return all.finish();
            }
            self.source = Self::open_files(Path::new("/proc"))?.source;
        }
        let mut all = AtMost::new(sockets);
        if let Source::Files(files) = &self.source {
            for file in files {
                each_line(from_start(file), &mut self.buffer, |line| {
                    // No socket has a longer line.
                    if let Line::Whole(line) = line {
                        Socket::parse(line)
                            .filter(|socket| socket.state != State::TimeWait)
                            .into_iter()
                            .for_each(|it| all.add(it));
                    }
                    ControlFlow::Continue(())
                })?;
            }
        }
        all.finish()
    }
}

/// The sockets of one reading, as many as the agent has memory for.
struct AtMost<'a> {
    sockets: &'a mut Vec<Socket>,
    is_cut: bool,
}

// === impl AtMost ===

impl<'a> AtMost<'a> {
    /// Begins a new reading in `sockets`.
    fn new(sockets: &'a mut Vec<Socket>) -> Self {
        sockets.clear();
        Self { sockets, is_cut: false }
    }

    fn add(&mut self, socket: Socket) {
        if self.sockets.len() < Input::Sockets.most() {
            self.sockets.push(socket);
        } else {
            self.is_cut = true;
        }
    }

    /// A part of the table would show less data than the kernel holds, so it is none.
    fn finish(self) -> io::Result<()> {
        if self.is_cut {
            Input::Sockets.tell();
            self.sockets.clear();
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::sockets::Endpoint;

    #[test]
    fn the_sockets_of_this_machine_are_found_in_both_sources() {
        let listener = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"five!").unwrap();
        for mut table in [Table::open().unwrap(), Table::open_files(Path::new("/proc")).unwrap()] {
            let mut sockets = Vec::new();
            // Twice: the second reading must begin at the start again.
            for _ in 0..2 {
                table.read(&mut sockets).unwrap();
                let found = |ours: &dyn Fn(&Socket) -> bool| sockets.iter().filter(|socket| ours(socket)).count();
                assert_eq!(
                    found(&|socket| socket.local.port == address.port() && socket.state == State::Listen && socket.inode > 0),
                    1
                );
                assert_eq!(
                    found(&|socket| socket.local.port == address.port() && socket.awaits_accept() && socket.unread() == 5),
                    1
                );
                assert_eq!(found(&|socket| socket.remote == Endpoint::new(address.ip(), address.port()) && socket.inode > 0), 1);
            }
        }
    }

    #[test]
    fn more_sockets_than_the_agent_has_memory_for_are_no_reading() {
        let proc = std::env::temp_dir().join(format!("exeunt-sockets-{}", std::process::id()));
        std::fs::create_dir_all(proc.join("net")).unwrap();
        let line =
            "0: 0100007F:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 4711 1 0 100 0 0 10 0\n";
        let mut sockets = Vec::new();
        for (count, is_ok) in [(Input::Sockets.most(), true), (Input::Sockets.most() + 1, false)] {
            std::fs::write(proc.join("net/tcp"), line.repeat(count)).unwrap();
            let mut table = Table::open_files(&proc).unwrap();
            assert_eq!(table.read(&mut sockets).is_ok(), is_ok, "{count} sockets");
            assert_eq!(sockets.len(), if is_ok { count } else { 0 });
        }
        std::fs::remove_dir_all(proc).unwrap();
    }

    #[test]
    fn a_line_that_no_socket_has_is_skipped() {
        let proc = std::env::temp_dir().join(format!("exeunt-long-line-{}", std::process::id()));
        std::fs::create_dir_all(proc.join("net")).unwrap();
        let line = "0: 0100007F:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 4711 1";
        std::fs::write(proc.join("net/tcp"), format!("{line} {}\n{line}\n", "0 ".repeat(BUFFER))).unwrap();
        let mut sockets = Vec::new();
        Table::open_files(&proc).unwrap().read(&mut sockets).unwrap();
        assert_eq!(sockets.len(), 1);
        std::fs::remove_dir_all(proc).unwrap();
    }
}
