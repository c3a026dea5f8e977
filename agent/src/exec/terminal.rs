//! The terminal, if there is one: the process group of the command is in the foreground, so that it gets Ctrl-C, Ctrl-Z and input
//! (credentials(7), tcsetpgrp(3)).

use std::io::{stderr, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, getpgrp, getppid, getsid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

/// The terminal in whose foreground the agent was started.
#[derive(Debug)]
pub(super) struct Terminal(Option<OwnedFd>);

// === impl Terminal ===

impl Terminal {
    /// The terminal of the first standard stream with the agent in its foreground. A background job has none to give.
    #[allow(clippy::disallowed_methods, reason = "nothing is printed")]
    pub(super) fn find() -> Self {
        let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
        let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let ours = streams.into_iter().find(|stream| tcgetpgrp(stream).is_ok_and(|group| group == getpgrp()));
        Self(ours.and_then(|stream| stream.try_clone_to_owned().ok()))
    }

    /// Another file descriptor of it, for the child before it executes the command.
    pub(super) fn for_command(&self) -> Option<OwnedFd> {
        self.0.as_ref().and_then(|terminal| terminal.try_clone().ok())
    }

    /// Gives the foreground to the process group `to`, if `from` has it.
    pub(super) fn give(&self, from: Pid, to: Pid) {
        if let Some(terminal) = &self.0
            && tcgetpgrp(terminal).is_ok_and(|group| group == from)
        {
            // SIGTTOU, which this call raises from the background, is blocked.
            let _ = tcsetpgrp(terminal, to);
        }
    }
}

/// Whether there is a shell that would continue this process if it stopped: a parent in the same session. Without one, a stop would last
/// for ever; so POSIX ignores the stop signals of the terminal then (2.4.3, orphaned process groups).
pub(super) fn has_shell() -> bool {
    getppid().is_some_and(|parent| getsid(Some(parent)).is_ok_and(|session| getsid(None) == Ok(session)))
}
