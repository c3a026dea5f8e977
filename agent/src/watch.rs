//! `watch`: beside the main container, asleep until it has ended.

use crate::clock::Clock;
use crate::ending::Ending;
use crate::farewell;
use crate::ladder::Patience;
use crate::log;
use crate::options::Options;
use crate::sidecar::Sidecar;
use crate::sys;
use crate::task::Task;

/// Watches the main container, and sees the proxy out once it has ended. Never fails: nobody could do anything about it, and a
/// pod whose agent fails has failed.
pub(crate) fn run(options: &Options) {
    sys::ignore_interrupt();

    // Until the main container is there, SIGTERM means that the pod is deleted; from then on, that kubelet has seen it end.
    sys::note_termination();
    let Some(task) = Task::find(options) else {
        log::line(&format!("asked to leave before there was a container {}", options.container));
        return;
    };
    sys::ignore_termination();
    let sidecar = Sidecar::new(options, task.uid());
    if let Some(pid) = task.pid() {
        log::line(&format!("watching {}, process {pid}", options.container));
    }

    // One system call for as long as it runs.
    task.wait();
    let clock = Clock::start();
    let began = clock.now();

    let mut ending = Ending::new(options, sidecar, clock, began, task.exit());
    log::line(&format!("{} has ended ({})", options.container, ending.how()));
    let verdict = farewell::see_out(&mut ending, Patience::Endless);
    verdict.publish(&ending);
}
