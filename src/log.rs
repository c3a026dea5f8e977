//! The log of the filter, which is Envoy's. A signal brings text from outside, for example the name of a container, so every line is made
//! [`Printable`].

use std::fmt::{Arguments, Write};
use std::panic;

use drain::printable::{Printable, of_panic};
use log::{Level, LevelFilter, Log, Metadata, Record};
use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

struct Logger;

/// Makes this the log of the virtual machine, and logs place and message of a panic as `critical`. Envoy applies the level of its `wasm`
/// logger, which can change at any time, so nothing is left out here.
pub(crate) fn install() {
    // An error means that it was installed already.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Trace);
    panic::set_hook(Box::new(|panic| {
        write(LogLevel::Critical, format_args!("{}", of_panic(panic)));
    }));
}

fn write(level: LogLevel, what: Arguments<'_>) {
    let mut line = String::new();
    // Writing to a String cannot fail, and there is no other place to report an error of the log.
    let _ = Printable(&mut line).write_fmt(what);
    let _ = hostcalls::log(level, &line);
}

// === impl Logger ===

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        write(level, *record.args());
    }

    fn flush(&self) {}
}
