//! The start of the command.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use log::error;

/// The exit code if there is no such program (POSIX, Shell Command Language, 2.8.2).
const NOT_FOUND: u8 = 127;
/// The exit code if the program cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// From sysexits(3): no program was named. The options say so.
const EX_USAGE: u8 = 64;

/// Replaces this process by `command`. Returns the exit code if that fails.
pub(super) fn replace_process(command: &mut Command) -> u8 {
    let error = command.exec();
    refusal(command, &error)
}

/// Starts `command` as a child, and returns its PID.
///
/// # Errors
/// The exit code.
pub(super) fn start(command: &mut Command) -> Result<i32, u8> {
    match command.spawn() {
        Ok(child) => Ok(child.id().cast_signed()),
        Err(error) => Err(refusal(command, &error)),
    }
}

/// Reports why `command` was not started, and returns the exit code that a shell would have.
fn refusal(command: &Command, error: &io::Error) -> u8 {
    let program = command.get_program().to_string_lossy();
    if program.is_empty() {
        return EX_USAGE;
    }
    error!("{program} cannot be executed: {error}");
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}
