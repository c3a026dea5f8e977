//! `/proc/PID/stat`, `status`, `cmdline` and `/proc/loadavg`. A process chooses its name and its arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pod::stat::{arguments, exit_status, last_id, parse, uid};

fuzz_target!(|data: &[u8]| {
    if let Some(stat) = parse(data) {
        let zeros = "0 ".repeat(17);
        let text = format!("{} ({}) {} {} {zeros}{}", stat.pid, stat.comm, char::from(stat.state), stat.parent, stat.start);
        // A state is one ASCII letter; another byte would be two bytes of text.
        if stat.state.is_ascii_alphabetic() {
            assert_eq!(parse(text.as_bytes()), Some(stat), "{text}");
        }
    }
    if let Some(uid_read) = uid(data) {
        assert_eq!(uid(format!("Uid:\t{uid_read}\t0\t0\t0\n").as_bytes()), Some(uid_read));
    }
    if let Some(status) = exit_status(data) {
        let name = data.rsplitn(2, |byte| *byte == b')').nth(1).expect("the name ends there");
        let zeros = "0 ".repeat(48);
        let text = [name, format!(") Z {zeros}{status}").as_bytes()].concat();
        assert_eq!(exit_status(&text), Some(status));
    }
    if let Some(id) = last_id(data) {
        assert_eq!(last_id(format!("0.1 0.1 0.1 1/9 {id}\n").as_bytes()), Some(id));
    }
    let words = arguments(data);
    assert!(words.len() <= data.len());
    // A byte that is not UTF-8 becomes three bytes.
    assert!(words.iter().map(String::len).sum::<usize>() <= 3 * data.len());
});
