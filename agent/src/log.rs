//! Lines on stderr, one per step. Never on stdout: that belongs to whoever calls.

use std::io::Write;

/// Writes one line, in one system call: other containers' lines cannot come between its parts.
pub(crate) fn line(text: &str) {
    let line = format!("exeunt-agent: {text}\n");
    // With nobody to read, there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
