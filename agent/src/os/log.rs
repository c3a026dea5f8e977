//! What the agent prints: the log, lines on stderr, one for each step; the verdict, a line on stderr; and on stdout the answer to a question,
//! never anything else, because stdout belongs to the task. All of it is made [`Printable`] here, and nothing else in the agent prints.
//!
//! The rest of the agent writes with the macros of the crate `log`. Lines with the target [`DEFERRED`] wait for the next line: a line
//! of its own would be a system call between the end of the task and the signal.

use core::fmt::{self, Write as _};
use std::io::Write as _;
use std::panic;
use std::sync::{Mutex, PoisonError};

use drain::printable::{Printable, of_panic};
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
    panic::set_hook(Box::new(|panic| {
        // Not to the lines that wait: a panic can come while they are locked.
        let mut line = String::new();
        add(&mut line, format_args!("exeunt-agent: {}", of_panic(panic)));
        to_stderr(&line);
    }));
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

/// Writes the line `text`, whatever the level.
pub fn line(text: &str) {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    add(&mut pending.lines, format_args!("{text}"));
    if !pending.waits {
        pending.write();
    }
}

/// Writes the lines of `text` to stdout, which only an answer to a question may use.
#[allow(clippy::disallowed_methods, reason = "this is the place where the agent prints")]
pub fn answer(text: &str) {
    let mut lines = String::new();
    for line in text.lines() {
        add(&mut lines, format_args!("{line}"));
    }
    // Write errors are ignored: the reader is gone.
    let _ = std::io::stdout().write_all(lines.as_bytes());
}

/// Adds the line `what` to `lines`. It stays one line, whatever is in it.
fn add(lines: &mut String, what: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = Printable(lines).write_fmt(what);
    lines.push('\n');
}

#[allow(clippy::disallowed_methods, reason = "this is the place where the agent prints")]
fn to_stderr(lines: &str) {
    // There is no other place to report an error of stderr.
    let _ = std::io::stderr().write_all(lines.as_bytes());
}

// === impl Logger ===

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut pending.lines, format_args!("exeunt-agent: {}", record.args()));
        if record.target() != DEFERRED && !pending.waits {
            pending.write();
        }
    }

    fn flush(&self) {
        PENDING.lock().unwrap_or_else(PoisonError::into_inner).write();
    }
}

// === impl Pending ===

impl Pending {
    /// Writes all lines in one system call, so that lines of other containers cannot come between their parts.
    fn write(&mut self) {
        to_stderr(&self.lines);
        self.lines.clear();
    }
}
