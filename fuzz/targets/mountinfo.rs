//! `/proc/PID/mountinfo`, cut into pieces anywhere: whatever a container has mounted, its name is one that Kubernetes allows.
#![no_main]

use exeunt_fuzz::{Pieces, piece_and_rest};
use libfuzzer_sys::fuzz_target;
use pod::container::find;

fuzz_target!(|data: &[u8]| {
    let Some((piece, text)) = piece_and_rest(data) else { return };
    let found = find(text).expect("no read fails");
    assert_eq!(found, find(Pieces::new(text, piece)).expect("no read fails"), "in pieces of {piece}");
    let Some(container) = found else { return };
    assert!((1..=63).contains(&container.name.len()));
    assert!(container.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    assert!(container.instance.len() == 8 && container.instance.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let line = format!("1 2 0:3 /pods/u/containers/{}/{} /x rw - ext4 d rw", container.name, container.instance);
    // What follows the line that names the container changes nothing.
    assert_eq!(find([line.as_bytes(), b"\n", text].concat().as_slice()).expect("no read fails"), Some(container));
});
