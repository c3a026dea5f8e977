//! The exit codes.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well: nothing is stuck.
    Fine,
    /// Something is stuck, or a rule applies.
    Stuck,
    /// A mistake in the command line: an option, a file or a name.
    Usage,
    /// The cluster cannot be reached, or refuses.
    Unavailable,
    /// Not now: the pod may not be ended yet.
    NotNow,
}

/// Why a command failed: one line, and how to exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, and what to do.
    pub line: String,
    /// The exit code.
    pub exit: Exit,
}

/// The table of exit codes in the help of every command.
pub const HELP: &str = "\
Exit codes: 0 nothing is stuck; 1 something is stuck, or a rule applies; 2 a wrong option, file or name; 69 the cluster cannot be reached \
or refuses; 75 not now";

// === impl Exit ===

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Stuck => 1,
            Self::Usage => 2,
            Self::Unavailable => 69,
            Self::NotNow => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

// === impl Failure ===

impl Failure {
    /// A mistake in the command line.
    #[must_use]
    pub fn usage(line: impl Into<String>) -> Self {
        Self { line: line.into(), exit: Exit::Usage }
    }
}
