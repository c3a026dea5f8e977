//! The filter's answer, as the agent reads it.
#![no_main]

use drain::wire::Status;
use exeunt_fuzz::check_refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match Status::parse(data) {
    Ok(status) => {
        let text = status.to_json();
        assert_eq!(Status::parse(text.as_bytes()).as_ref(), Ok(&status), "{text}");
        // What a newer filter adds is ignored and takes no memory; the rest are the names of the fields and numbers.
        assert!(text.len() <= 6 * data.len() + 512);
    }
    Err(mistake) => check_refusal(&[mistake], data),
});
