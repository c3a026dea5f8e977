//! What is printed. Interface: [`safe`] for every text that the project has not written itself, [`Table`] for rows, [`print_object`] for
//! `-o json` and `-o yaml`, [`print`] for text, [`complain`] and [`progress`] for stderr, [`age`] for times,
//! [`screen`] for what the terminal can show, and [`Exit`].
//!
//! Colours are only on a terminal, and only where `NO_COLOR` does not forbid them.

mod exit;
mod format;
mod safe;
pub mod screen;
mod table;
mod time;

pub use exit::{Exit, Failure, HELP as EXIT_HELP};
pub use format::{Format, object_text, print_object};
pub use safe::{safe, safe_value};
pub use table::{Row, Table, Tint};
pub use time::age;

use std::io::Write as _;

/// Prints `text` to stdout. A reader that has gone (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints one line to stderr that says what is wrong.
pub fn complain(line: &str) {
    let _ = writeln!(anstream::stderr(), "kubectl exeunt: {}", safe(line));
}

/// Prints one line to stderr that a person must read, whoever looks on.
pub fn warn(line: &str) {
    let _ = writeln!(anstream::stderr(), "{}", safe(line));
}

/// Prints one line to stderr that says what is going on, if a person looks on.
pub fn progress(line: &str) {
    if anstream::stderr().is_terminal() {
        let _ = writeln!(anstream::stderr(), "{}", safe(line));
    }
}
