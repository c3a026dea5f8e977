//! Reads the kernel's table of TCP sockets as a stream through one small buffer, without an allocation for each socket.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

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
        let mut files = vec![File::open(proc.join("net/tcp"))?];
        match File::open(proc.join("net/tcp6")) {
            Ok(file) => files.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { source: Source::Files(files), buffer: Vec::new() })
    }

    /// Replaces `sockets` by the current ones, without those in TIME-WAIT: there may be thousands, and they hold no data.
    ///
    /// # Errors
    /// If the files cannot be read. After an error from netlink, this and every later reading use the files.
    pub fn read(&mut self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        self.buffer.resize(BUFFER, 0);
        if let Source::Diag(diag) = &self.source {
            sockets.clear();
            if diag.read(&mut self.buffer, |socket| sockets.push(socket)).is_ok() {
                return Ok(());
            }
            self.source = Self::open_files(Path::new("/proc"))?.source;
        }
        sockets.clear();
        if let Source::Files(files) = &self.source {
            for file in files {
                each_line(
                    |into, offset| file.read_at(into, offset),
                    &mut self.buffer,
                    |line| {
                        sockets.extend(Socket::parse(line).filter(|socket| socket.state != State::TimeWait));
                    },
                )?;
            }
        }
        Ok(())
    }
}

/// Calls `each` with every line. A line that is longer than `buffer` is skipped.
///
/// `read` fills a buffer with the bytes from an offset on, and returns how many; zero is the end.
pub fn each_line(
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let (mut offset, mut held, mut overlong) = (0, 0, false);
    loop {
        let length = match read(buffer.get_mut(held..).unwrap_or_default(), offset) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if length == 0 {
            break;
        }
        offset += u64::try_from(length).unwrap_or(u64::MAX);
        let filled = held + length;
        let mut start = 0;
        while let Some((line, next)) = line_at(buffer.get(..filled).unwrap_or_default(), start) {
            if !overlong {
                each(line);
            }
            overlong = false;
            start = next;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
        if held == buffer.len() {
            overlong = true;
            held = 0;
        }
    }
    if held > 0 && !overlong {
        each(buffer.get(..held).unwrap_or_default());
    }
    Ok(())
}

/// The line that begins at `start`, and the start of the next one; `None` if the line is not complete.
fn line_at(bytes: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(start..)?;
    let length = rest.iter().position(|byte| *byte == b'\n')?;
    Some((rest.get(..length)?, start + length + 1))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;
    use crate::sockets::Endpoint;

    /// The lines of `text`, read in pieces of at most `piece` bytes through a buffer of `size`.
    fn lines(text: &[u8], piece: usize, size: usize) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let read = |into: &mut [u8], offset: u64| {
            let rest = text.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let length = rest.len().min(piece).min(into.len());
            into[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        };
        each_line(read, &mut vec![0; size], |line| lines.push(line.to_vec())).unwrap();
        lines
    }

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
    fn a_line_longer_than_the_buffer_is_skipped() {
        assert_eq!(lines(b"one\nlonger than ten\ntwo\n", 3, 10), [b"one".to_vec(), b"two".to_vec()]);
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_makes_no_difference(text in "([a-c]{0,9}\n){0,20}[a-c]{0,9}", piece in 1usize..30) {
            let mut whole: Vec<Vec<u8>> = text.split('\n').map(|line| line.as_bytes().to_vec()).collect();
            whole.pop_if(|last| last.is_empty());
            prop_assert_eq!(lines(text.as_bytes(), piece, 10), whole);
        }
    }
}
