//! The terminal, where the command has one: its process group is in the foreground as ours would be, so that Ctrl-C, Ctrl-Z and input
//! are its own (credentials(7), tcsetpgrp(3)).

use std::io::{stderr, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, getpgrp, getppid, getsid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

/// The terminal whose foreground we were in.
#[derive(Debug)]
pub(super) struct Terminal(Option<OwnedFd>);

// === impl Terminal ===

impl Terminal {
    /// The terminal of the first standard stream that has us in its foreground. A job in the background has none to hand on.
    pub(super) fn find() -> Self {
        let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
        let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let ours = streams.into_iter().find(|stream| tcgetpgrp(stream).is_ok_and(|group| group == getpgrp()));
        Self(ours.and_then(|stream| stream.try_clone_to_owned().ok()))
    }

    /// One more hold on it, for the command on its way.
    pub(super) fn for_command(&self) -> Option<OwnedFd> {
        self.0.as_ref().and_then(|terminal| terminal.try_clone().ok())
    }

    /// Hands the foreground from process group `from` to `to`; if it is another's by now, it stays there.
    pub(super) fn hand_on(&self, from: Pid, to: Pid) {
        if let Some(terminal) = &self.0
            && tcgetpgrp(terminal).is_ok_and(|group| group == from)
        {
            // SIGTTOU is held back, so that nobody in the background is stopped by this.
            let _ = tcsetpgrp(terminal, to);
        }
    }
}

/// Whether a shell is there that would continue us if we stopped: a parent in our session. Without one a stop is for ever, which is why
/// POSIX has the terminal's stop signals do nothing then (2.4.3, orphaned process groups).
pub(super) fn has_shell() -> bool {
    getppid().is_some_and(|parent| getsid(Some(parent)).is_ok_and(|session| getsid(None) == Ok(session)))
}
