//! Whether the records of an earlier run of the agent still hold. They outlive a restart of the agent, for which they are made, and also
//! the restart of all containers of the pod in the same sandbox (`RestartAllContainers`), after which they are wrong: the task runs again,
//! and so does the proxy.
//!
//! Kubelet gives each instance of a container an id, and the records name it. So what runs now shows which restart it was. If neither the
//! proxy nor a main container of the records runs, nothing shows it yet, and a main container may still start.

use core::time::Duration;

use drain::time::Instant;
use log::info;

use super::state_dir::{Event, StateDir};
use super::times;
use crate::options::{Options, PROXY};
use crate::os::World;
use crate::os::world::Source;

/// What runs now tells of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// They hold: only the agent was restarted, or there are none.
    Holds,
    /// Kubelet has restarted all containers.
    Void,
    /// Nothing of what they name runs, and nothing else does.
    Doubtful,
}

/// Waits until it is clear whether the records hold, and removes them if they do not. Returns whether they hold. Without a proxy there is
/// nothing to lose, so a native sidecar, which keeps no pod, waits without a limit; otherwise kubelet has the time of a restart.
pub fn holds<W: World>(world: &W, options: &Options, state_dir: &StateDir) -> bool {
    let (mut since, mut pause): (Option<Instant>, Duration) = (None, times::LOOK);
    loop {
        match judge(world, state_dir) {
            Verdict::Holds => return true,
            Verdict::Void => {
                info!("kubelet has restarted all containers: what an earlier run of the agent has recorded is void");
                state_dir.forget();
                return false;
            }
            Verdict::Doubtful => {}
        }
        let now = world.now();
        if since.is_none() && (!options.is_native() || world.instance_of(PROXY, None).is_some()) {
            since = Some(now);
        }
        if since.is_some_and(|since| now.since(since) >= options.restarts.wait) || world.terminated_at(Source::Kernel).is_some() {
            return true;
        }
        world.wait_any(&[], Some(pause));
        if since.is_none() {
            pause = (pause * 2).min(times::LONGEST_LOOK);
        }
    }
}

fn judge<W: World>(world: &W, state_dir: &StateDir) -> Verdict {
    let now = |name: &str| world.instance_of(name, None).map(|instance| instance.id);
    let histories: Vec<_> =
        state_dir.containers().into_iter().filter_map(|name| Some((state_dir.recall(&name)?.last, name))).collect();
    if histories.is_empty() {
        return Verdict::Holds;
    }
    let is_proxy_the_same = state_dir.proxy().is_some_and(|known| Some(known) == now(PROXY));
    let mut verdict = if is_proxy_the_same { Verdict::Holds } else { Verdict::Doubtful };
    for (record, name) in histories {
        let Some(running) = now(&name) else { continue };
        if Some(&running) == record.instance.as_ref() {
            return Verdict::Holds;
        }
        // What has ended for good is never started alone.
        if matches!(record.event, Event::Ended(_)) || !is_proxy_the_same {
            verdict = Verdict::Void;
        }
    }
    verdict
}
