//! How a command becomes a program, or what it is when it does not.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::log;

/// It is not there (POSIX, Shell Command Language, 2.8.2).
const NOT_FOUND: u8 = 127;
/// It is there, and cannot be run.
const NOT_EXECUTABLE: u8 = 126;

/// Becomes `command`: same process, no trace of us. The code to end with where that fails.
pub(super) fn replace_us(command: &mut Command) -> u8 {
    let error = command.exec();
    refusal(command, &error)
}

/// Starts `command` as a child. The code to end with where that fails.
pub(super) fn start(command: &mut Command) -> Result<i32, u8> {
    match command.spawn() {
        Ok(child) => Ok(child.id().cast_signed()),
        Err(error) => Err(refusal(command, &error)),
    }
}

/// Says why `command` has not become a program, in a shell's words, and gives a shell's code for it.
fn refusal(command: &Command, error: &io::Error) -> u8 {
    let program = command.get_program().to_string_lossy();
    log::line(&format!("{program} cannot be run: {error}"));
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}
