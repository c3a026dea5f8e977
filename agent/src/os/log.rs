//! The log: lines on stderr, one for each step. Never on stdout, which belongs to the task.
//!
//! The rest of the agent writes with the macros of the crate `log`. Lines with the target [`DEFERRED`] wait for the next line: a line
//! of its own would be a system call between the end of the task and the signal.

use core::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

/// The target of lines that wait for the next one.
pub const DEFERRED: &str = "deferred";

/// What is not written yet.
static PENDING: Mutex<Pending> = Mutex::new(Pending { lines: String::new(), waits: false });

struct Logger;

#[derive(Debug)]
struct Pending {
    lines: String,
    /// Whether all lines wait for [`release`].
    waits: bool,
}

/// Makes this the log of the process. Until [`set_level`] it writes `info` and above.
pub fn install() {
    // An error means that there is a logger already, as in a test.
    let _ = log::set_logger(&Logger);
    set_level(LevelFilter::Info);
}

/// Writes `level` and above from now on.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Keeps all lines in memory from now on.
pub fn hold() {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner).waits = true;
}

/// Writes the lines that [`hold`] has kept, and no longer keeps them.
pub fn release() {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    pending.waits = false;
    pending.write();
}

/// Writes `text` as it is, whatever the level.
pub fn raw(text: &str) {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    pending.lines.push_str(text);
    if !pending.waits {
        pending.write();
    }
}

// === impl Logger ===

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail.
        let _ = writeln!(pending.lines, "exeunt-agent: {}", record.args());
        if record.target() != DEFERRED && !pending.waits {
            pending.write();
        }
    }

    fn flush(&self) {
        raw("");
    }
}

// === impl Pending ===

impl Pending {
    /// Writes all lines in one system call, so that lines of other containers cannot come between their parts.
    fn write(&mut self) {
        // There is no other place to report an error of stderr.
        let _ = std::io::stderr().write_all(self.lines.as_bytes());
        self.lines.clear();
    }
}
