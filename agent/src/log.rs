//! Lines on stderr, one per step. Never on stdout: that belongs to whoever calls.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What is not written yet.
static UNTOLD: Mutex<Untold> = Mutex::new(Untold { lines: String::new(), holds_back: false });

#[derive(Debug)]
struct Untold {
    lines: String,
    /// Whether the lines wait for something worth telling.
    holds_back: bool,
}

/// Writes one line, in one system call: other containers' lines cannot come between its parts.
pub(crate) fn line(text: &str) {
    raw(&format!("exeunt-agent: {text}\n"));
}

/// The same together with the next line: what comes in between cannot wait.
pub(crate) fn later(text: &str) {
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    untold.lines.extend(["exeunt-agent: ", text, "\n"]);
}

/// Writes `lines` as they are.
pub(crate) fn raw(lines: &str) {
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    untold.lines.push_str(lines);
    if !untold.holds_back {
        untold.write();
    }
}

/// Writes what was left for later.
pub(crate) fn flush() {
    raw("");
}

/// Holds back the lines from now on: stderr is another's, and all may be well.
pub(crate) fn hold_back() {
    UNTOLD.lock().unwrap_or_else(PoisonError::into_inner).holds_back = true;
}

/// Tells what was held back.
pub(crate) fn tell() {
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    untold.holds_back = false;
    untold.write();
}

// === impl Untold ===

impl Untold {
    fn write(&mut self) {
        // With nobody to read, there is nobody to tell.
        let _ = std::io::stderr().write_all(self.lines.as_bytes());
        self.lines.clear();
    }
}
