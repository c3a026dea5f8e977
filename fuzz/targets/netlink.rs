//! The kernel's answer to a `sock_diag` request, one datagram of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pod::diag::{Progress, messages};

/// A header, and a socket as the kernel describes it.
const SHORTEST: usize = 16 + 72;

fuzz_target!(|data: &[u8]| {
    let mut sockets = Vec::new();
    let progress = messages(data, &mut |socket| sockets.push(socket));
    assert!(sockets.len() <= data.len() / SHORTEST, "{} sockets in {} bytes", sockets.len(), data.len());
    assert!(progress != Progress::More || data.is_empty() || data.len() >= 16);
    for socket in sockets {
        assert!(socket.unsent() <= u64::from(socket.tx_queue) && socket.unread() <= u64::from(socket.rx_queue));
    }
});
