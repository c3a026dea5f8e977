//! The program `exeunt-agent`: reads its arguments and its environment, and does what they ask.

use std::env;
use std::process::ExitCode;

use exeunt_agent::command;
use exeunt_agent::os::log;
use pod::bounded;

fn main() -> ExitCode {
    log::install();
    command::run(env::args_os().skip(1).collect(), bounded::variable)
}
