//! One datagram of the kernel's answer to a `sock_diag` request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pod::diag::{Progress, messages};

/// A header, and the description of a socket.
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
