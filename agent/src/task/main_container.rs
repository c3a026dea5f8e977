//! One main container: its phase, and what is known of its instances.

use core::time::Duration;

use pod::pidfd::Exit;

use super::phase::Phase;
use super::times;
use crate::options::RestartPolicy;
use crate::os::world::Process;

/// One main container.
#[derive(Debug)]
pub(super) struct MainContainer<P> {
    pub(super) name: String,
    pub(super) phase: Phase<P>,
    /// How many instances have ended.
    pub(super) instances: u32,
    /// Kubelet's id of the last instance that has ended: a process that `kubectl exec` started in it can outlive it.
    pub(super) ended: Option<String>,
    /// The process of the last instance that the agent saw end. It is kept because closing its pidfd is a system call, and because the
    /// exit status may come late.
    pub(super) last: Option<P>,
}

/// How `process` has ended, as soon as the kernel tells it.
pub(super) fn exit_of(process: &impl Process, tells: bool, policy: RestartPolicy) -> Exit {
    if !tells {
        return Exit::Unknown;
    }
    let patience: Duration = match policy {
        RestartPolicy::Never => times::REAPING,
        RestartPolicy::OnFailure => times::REAPING_TO_DECIDE,
    };
    process.exit(patience)
}

/// How a process has ended, as a clause of a message.
pub(super) fn clause(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unknown => "exit status unknown".to_owned(),
    }
}
