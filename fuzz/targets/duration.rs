//! Durations: what is written is read back.
#![no_main]

use core::time::Duration;

use drain::duration::{display, milliseconds, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(duration) = parse(text)
    {
        assert_eq!(parse(&display(duration)), Ok(duration), "{text}");
        assert_eq!(Duration::from_millis(milliseconds(duration)), duration);
        // Every duration has a digit.
        assert!(text.bytes().any(|byte| byte.is_ascii_digit()), "{text}");
    }
});
