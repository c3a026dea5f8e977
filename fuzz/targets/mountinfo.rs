//! `/proc/PID/mountinfo`: whatever a container has mounted, its name is one that Kubernetes allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pod::container::parse;

fuzz_target!(|data: &[u8]| {
    let Some(container) = parse(data) else { return };
    assert!((1..=63).contains(&container.name.len()));
    assert!(container.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    assert!(container.instance.len() == 8 && container.instance.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let line = format!("1 2 0:3 /pods/u/containers/{}/{} /x rw - ext4 d rw", container.name, container.instance);
    assert_eq!(parse(line.as_bytes()), Some(container));
});
