//! `watch`: beside the main container, asleep until it has ended.

use core::time::Duration;

use crate::clock::Clock;
use crate::ending::Ending;
use crate::farewell;
use crate::ladder::Patience;
use crate::log;
use crate::options::Options;
use crate::sidecar::Sidecar;
use crate::sys;
use crate::task::Task;

/// The first pause between two looks for the proxy; doubled each time, so that ten of them cover the ten seconds within which kubelet
/// starts the container listed behind the main one.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_secs(5);

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
    let mut sidecar = Sidecar::new(options, task.uid());
    if let Some(pid) = task.pid() {
        log::line(&format!("watching {}, process {pid}", options.container));
    }

    meet(&mut sidecar, &task);
    // One system call for as long as it runs.
    task.wait();
    let clock = Clock::start();
    let began = clock.now();

    let mut ending = Ending::new(options, sidecar, clock, began, task.exit());
    log::line(&format!("{} has ended ({})", options.container, ending.how()));
    let verdict = farewell::see_out(&mut ending, Patience::Endless);
    verdict.publish(&ending);
}

/// Takes hold of the proxy's process while the task runs. A proxy that was seen and is not there when the task ends has gone; of one
/// that was never seen nobody could say whether it is still to come.
fn meet(sidecar: &mut Sidecar, task: &Task) {
    let mut pause = FIRST_LOOK;
    loop {
        sidecar.look();
        if sidecar.is_here() {
            sidecar.find_process();
        }
        if sidecar.has_met_envoy() || pause > LAST_LOOK || task.has_ended_within(pause) {
            return;
        }
        pause *= 2;
    }
}
