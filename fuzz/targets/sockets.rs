//! `/proc/net/tcp`, cut into pieces anywhere, and the rule of delivery for the sockets in it.
#![no_main]

use core::ops::ControlFlow;

use exeunt_fuzz::{Pieces, piece_and_rest};
use libfuzzer_sys::fuzz_target;
use pod::bounded::{Line, each_line};
use pod::delivery::{held, left_behind};
use pod::proxy::{Proxy, Scope};
use pod::sockets::Socket;

/// About as long as a line, so it is often too small.
const BUFFER: usize = 256;

fuzz_target!(|data: &[u8]| {
    let Some((piece, text)) = piece_and_rest(data) else { return };
    let mut cut = Vec::new();
    each_line(Pieces::new(text, piece), &mut [0; BUFFER], |line| {
        // A line that fills the buffer is skipped.
        if let Line::Whole(line) = line {
            cut.extend(Socket::parse(line));
        }
        ControlFlow::Continue(())
    })
    .expect("no read fails");
    let lines = text.split(|byte| *byte == b'\n').filter(|line| line.len() < BUFFER);
    assert_eq!(cut, lines.filter_map(Socket::parse).collect::<Vec<_>>(), "in pieces of {piece}");

    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&cut, None);
    let (all, left) = (held(&cut, &proxy), left_behind(&cut, &proxy));
    assert!(all.bytes == 0 || all.connections > 0, "bytes of no connection");
    assert!(left.connections <= all.connections && left.bytes <= all.bytes);
    // All sockets belong to the proxy, by their inodes.
    let mut proxy = Proxy::new(Scope::Process, &[15190], &[]);
    let inodes: Vec<u64> = cut.iter().map(|socket| socket.inode).collect();
    proxy.observe(&cut, Some(&inodes));
    let all = held(&cut, &proxy);
    assert!(all.bytes == 0 || all.connections > 0, "bytes of no connection");
});
