//! The agent of exeunt: sees a pod's main container end, and has the Istio proxy beside it leave once everything is delivered.
//!
//! The law of this program: one thread, no timer while the main container runs, no rights; and whatever goes wrong, the pod ends.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it cannot go on")
)]

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

mod clock;
mod complete;
mod ending;
mod exec;
mod explain;
mod farewell;
mod http;
mod istio;
mod ladder;
mod late;
mod linger;
mod log;
mod mains;
mod memory;
mod options;
mod readiness;
mod refusal;
mod report;
mod rung;
mod sidecar;
mod sys;
mod termination;
mod verdict;
mod wait;
mod watch;

use crate::options::{Invocation, Refusal, Verb};

// From sysexits(3).
const EX_USAGE: u8 = 64;
const EX_UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments == ["--explain"] {
        arguments.extend(explain::arguments_of_the_agent());
    }
    match Invocation::parse(arguments, |name| env::var(name).ok()) {
        Ok(Invocation::Help(verb)) => print(&options::help(verb)),
        Ok(Invocation::Version) => print(&format!("exeunt-agent {}\n", drain::VERSION)),
        Ok(Invocation::Explain(options)) => print(&explain::plan(&options)),
        Ok(Invocation::Run(options)) => match options.verb {
            Verb::Watch => watch::run(&options),
            Verb::Exec => return ExitCode::from(exec::run(&options)),
            Verb::Wait if wait::run(&options) => {}
            Verb::Complete if complete::run(&options) => {}
            Verb::Wait | Verb::Complete => return ExitCode::from(EX_UNAVAILABLE),
        },
        Err(refusal @ Refusal { verb: Verb::Watch, explain: false, .. }) => watch::refuse(&refusal),
        Err(Refusal { mistakes, .. }) => {
            for mistake in mistakes {
                log::line(&mistake.to_string());
            }
            return ExitCode::from(EX_USAGE);
        }
    }
    ExitCode::SUCCESS
}

/// Answers on stdout, for which alone it is.
fn print(text: &str) {
    // With nobody to read, there is nobody to tell.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
