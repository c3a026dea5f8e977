//! The snapshot in Envoy's shared data, perhaps written by another version, and the machine that a worker resumes from it.
#![no_main]

use core::time::Duration;

use drain::limits::Limits;
use drain::machine::{Event, Machine, Snapshot};
use drain::time::Instant;
use exeunt_fuzz::check_refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match Snapshot::parse(data) {
    Ok(snapshot) => {
        let text = snapshot.to_json();
        assert_eq!(Snapshot::parse(text.as_bytes()).as_ref(), Ok(&snapshot), "{text}");
        let limits = Limits::default();
        let age = Duration::from_secs(data.len() as u64);
        let now = Instant::at(Duration::from_secs(1_000_000));
        let mut machine = Machine::resume(limits, &snapshot, age, now);
        assert_eq!(machine.state(), snapshot.state());
        let _ = (machine.status(now), snapshot.status(age, &limits), machine.on(Event::Tick, now));
    }
    Err(mistakes) => check_refusal(&mistakes, data),
});
