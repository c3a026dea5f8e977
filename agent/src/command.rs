//! The verbs of the command line.

use std::ffi::OsString;
use std::process::ExitCode;

use log::{LevelFilter, error, warn};

mod company;
mod complete;
mod explain;
mod others;
mod preflight;
mod wait;
pub mod watch;

use crate::exec;
use crate::options::{self, Invocation, LogLevel, Options, Verb};
use crate::os::log::{answer, set_level};

// From sysexits(3).
const EX_USAGE: u8 = 64;
const EX_UNAVAILABLE: u8 = 69;
const EX_TEMPFAIL: u8 = 75;

/// Does what `arguments`, without the name of the program, and the environment ask for. `variable` looks up a variable.
pub fn run(mut arguments: Vec<OsString>, variable: impl Fn(&str) -> Option<String>) -> ExitCode {
    if arguments == ["--explain"] {
        arguments.extend(explain::arguments_of_running_agent());
    }
    match Invocation::parse(arguments, variable) {
        Ok(Invocation::Help(verb)) => answer(&options::help(verb)),
        Ok(Invocation::Version) => answer(&format!("exeunt-agent {}\n", drain::VERSION)),
        Ok(Invocation::Explain(options)) => answer(&explain::plan(&options)),
        Ok(Invocation::Run(options)) => return run_verb(&options),
        Err(mistakes) => {
            for mistake in mistakes {
                error!("{mistake}");
            }
            return ExitCode::from(EX_USAGE);
        }
    }
    ExitCode::SUCCESS
}

fn run_verb(options: &Options) -> ExitCode {
    set_level(match options.log {
        LogLevel::Trouble => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
    });
    for warning in &options.warnings {
        warn!("{warning}");
    }
    match options.verb {
        Verb::Watch => {
            watch::run(options);
            ExitCode::SUCCESS
        }
        Verb::Exec => ExitCode::from(exec::run(options)),
        Verb::Wait => wait::run(options),
        Verb::Complete => complete::run(options),
    }
}
