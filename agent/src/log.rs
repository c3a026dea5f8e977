//! Lines on stderr, one per step. Never on stdout: that belongs to whoever calls.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// The lines that wait for something worth telling; `None` where every line is.
static HELD_BACK: Mutex<Option<String>> = Mutex::new(None);

/// Writes one line, in one system call: other containers' lines cannot come between its parts.
pub(crate) fn line(text: &str) {
    let line = format!("exeunt-agent: {text}\n");
    match &mut *HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(lines) => lines.push_str(&line),
        None => write(&line),
    }
}

/// Holds back the lines from now on: stderr is another's, and all may be well.
pub(crate) fn hold_back() {
    *HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner) = Some(String::new());
}

/// Tells what was held back.
pub(crate) fn tell() {
    let lines = HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner).take();
    write(&lines.unwrap_or_default());
}

fn write(text: &str) {
    // With nobody to read, there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
