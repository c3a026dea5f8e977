//! Whether the records of an earlier run of the agent still hold. They outlive a restart of the agent, for which they are made, and also
//! the restart of all containers of the pod in the same sandbox (`RestartAllContainers`), after which they are wrong: the task runs again,
//! and so does the proxy.
//!
//! Kubelet gives each instance of a container an id, and the records name it. So what runs now shows which restart it was. If neither the
//! proxy nor a main container of the records runs, nothing shows it yet, and a main container may still start.

use core::time::Duration;

use drain::time::Instant;
use log::{info, warn};

use super::state_dir::{Event, NO_INSTANCE, StateDir};
use super::times;
use crate::options::{Options, PROXY};
use crate::os::World;
use crate::os::world::Source;
use crate::proxy::Sidecar;

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
        if since.is_none() && (!options.is_native() || is_proxy_here(world, options)) {
            since = Some(now);
        }
        if since.is_some_and(|since| now.since(since) >= options.restarts.wait) || world.terminated_at(Source::Kernel).is_some() {
            return true;
        }
        world.wait_start(&[], Some(pause));
        if since.is_none() {
            pause = (pause * 2).min(times::LONGEST_LOOK);
        }
    }
}

/// Whether an earlier run of the agent has completed the shutdown. The record alone does not tell it: a process with the agent's user can write
/// one. So it counts only beside the record of a task that has ended, and while no proxy runs.
pub fn is_done<W: World>(world: &W, options: &Options, state_dir: &StateDir) -> bool {
    if !state_dir.is_done() {
        return false;
    }
    let has_ended = |name: &String| state_dir.recall(name).is_some_and(|history| matches!(history.last.event, Event::Ended(_)));
    let mut sidecar = Sidecar::new(world, options, None);
    // The table is not read atomically, so one reading may miss a listener.
    let runs = sidecar.is_here() || sidecar.is_here();
    let why = match (state_dir.containers().iter().any(has_ended), runs) {
        (true, false) => return true,
        (false, _) => "no task has ended",
        (true, true) => "the proxy runs",
    };
    warn!("the state folder says that the shutdown is complete, but {why}: looking again");
    false
}

/// Whether there is a proxy. Its container can be hidden from the agent; then its listeners show it.
fn is_proxy_here<W: World>(world: &W, options: &Options) -> bool {
    world.instance_of(PROXY, None).is_some() || Sidecar::new(world, options, None).is_here()
}

fn judge<W: World>(world: &W, state_dir: &StateDir) -> Verdict {
    let now = |name: &str| world.instance_of(name, None).map(|instance| instance.id);
    let histories: Vec<_> =
        state_dir.containers().into_iter().filter_map(|name| Some((state_dir.recall(&name)?.last, name))).collect();
    if histories.is_empty() {
        return Verdict::Holds;
    }
    let known = state_dir.proxy().filter(|known| known != NO_INSTANCE);
    let is_proxy_the_same = known.is_some() && known == now(PROXY);
    let mut verdict = if is_proxy_the_same { Verdict::Holds } else { Verdict::Doubtful };
    for (record, name) in histories {
        let Some(running) = now(&name) else { continue };
        if Some(&running) == record.instance.as_ref() {
            return Verdict::Holds;
        }
        // What has ended for good is never started alone. Without a record of the proxy nothing tells whether that was restarted.
        if matches!(record.event, Event::Ended(_)) || known.is_some() && !is_proxy_the_same {
            verdict = Verdict::Void;
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use pod::pidfd::Exit;

    use super::*;
    use crate::task::state_dir::Record;
    use crate::testing::{Script, options};

    /// A state of an earlier run: it has seen the instance `aa` of the proxy and `11` of the container `main`.
    struct Earlier(StateDir, std::path::PathBuf);

    impl Drop for Earlier {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.1);
        }
    }

    fn earlier(event: Event) -> Earlier {
        let name = format!("exeunt-memory-{}-{:?}", std::process::id(), std::thread::current().id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let state_dir = StateDir::new(Some(folder.clone()));
        state_dir.record("main", &Record { instances: 1, instance: Some("11".to_owned()), event });
        state_dir.record_proxy(Some("aa"));
        Earlier(state_dir, folder)
    }

    /// A pod in which these instances run from these times on.
    fn pod(instances: &[(&'static str, &'static str, u64)]) -> Script {
        let mut world = Script::default();
        for ((name, instance, start), pid) in instances.iter().zip(20..) {
            world.processes.push((pid, name, *start..u64::MAX));
            world.roots.push((pid, name, instance, Exit::Code(0)));
        }
        world
    }

    const EVENTS: [Event; 3] = [Event::Seen, Event::Between(Exit::Code(88)), Event::Ended(Exit::Code(0))];

    #[test]
    fn records_hold_at_once_while_the_proxy_or_a_main_container_is_the_same() {
        for event in EVENTS {
            for instances in
                [&[("istio-proxy", "aa", 0)][..], &[("main", "11", 0)], &[("main", "11", 0), ("istio-proxy", "bb", 0)]]
            {
                let (earlier, world) = (earlier(event), pod(instances));
                assert!(holds(&world, &options("watch --placement native"), &earlier.0), "{event:?}, {instances:?}");
                assert_eq!(world.elapsed(), 0);
            }
        }
    }

    #[test]
    fn without_a_record_of_the_proxy_a_restart_of_the_task_voids_nothing() {
        let world = pod(&[("main", "22", 0), ("istio-proxy", "aa", 0)]);
        for forget in [true, false] {
            let earlier = earlier(Event::Between(Exit::Code(1)));
            std::fs::remove_file(earlier.1.join("proxy")).unwrap();
            if !forget {
                StateDir::new(Some(earlier.1.clone())).record_proxy(None);
            }
            assert!(holds(&world, &options("watch --restart-wait 3s"), &earlier.0));
            assert!(earlier.0.recall("main").is_some());
        }
        let ended = earlier(Event::Ended(Exit::Code(0)));
        std::fs::remove_file(ended.1.join("proxy")).unwrap();
        assert!(!holds(&world, &options("watch"), &ended.0), "what has ended for good is never started alone");
    }

    #[test]
    fn a_main_container_that_was_restarted_alone_keeps_its_records() {
        let world = pod(&[("main", "22", 0), ("istio-proxy", "aa", 0)]);
        for event in [Event::Seen, Event::Between(Exit::Code(1))] {
            let earlier = earlier(event);
            assert!(holds(&world, &options("watch"), &earlier.0), "{event:?}");
            assert!(earlier.0.recall("main").is_some());
        }
    }

    #[test]
    fn records_are_void_once_a_main_container_runs_beside_another_proxy() {
        for (event, proxy) in EVENTS.into_iter().zip([3_000, 5_000, 9_000]) {
            let (earlier, world) = (earlier(event), pod(&[("main", "22", 5_000), ("istio-proxy", "bb", proxy)]));
            earlier.0.record_done();
            assert!(!holds(&world, &options("watch --placement native"), &earlier.0), "{event:?}");
            assert!(world.elapsed() <= 6_000, "{}", world.elapsed());
            assert!(earlier.0.containers().is_empty() && !earlier.0.has_seen_proxy() && !earlier.0.is_done());
        }
    }

    #[test]
    fn where_nothing_shows_it_kubelet_has_the_time_of_a_restart() {
        let earlier = earlier(Event::Ended(Exit::Code(0)));
        let waited = |world: &Script, line: &str| {
            assert!(holds(world, &options(line), &earlier.0));
            world.elapsed()
        };
        assert_eq!(waited(&pod(&[]), "watch --placement regular --restart-wait 3s"), 3_000);
        let proxy = waited(&pod(&[("istio-proxy", "bb", 60_000)]), "watch --placement native");
        assert!((70_000..71_500).contains(&proxy), "{proxy}: a native agent waits for a proxy that it could end");
        let hidden = Script { listeners: vec![(pod::ports::OUTBOUND, 60_000..u64::MAX)], ..pod(&[]) };
        let proxy = waited(&hidden, "watch --placement native");
        assert!((70_000..71_500).contains(&proxy), "{proxy}: its listeners show a proxy whose process cannot be seen");
        let deleted = Script { sigterm: Some(90_000), ..pod(&[]) };
        assert_eq!(waited(&deleted, "watch --placement native"), 90_000);
    }

    #[test]
    fn a_record_that_all_is_done_counts_only_while_no_proxy_runs_and_after_the_end_of_a_task() {
        const ENDED: Event = Event::Ended(Exit::Code(0));
        let listener = || Script { listeners: vec![(pod::ports::OUTBOUND, 0..u64::MAX)], ..pod(&[]) };
        for (event, world, expected) in [
            (ENDED, pod(&[]), true),
            (ENDED, pod(&[("envoy", "aa", 0)]), false),
            (ENDED, pod(&[("pilot-agent", "aa", 0)]), false),
            (ENDED, listener(), false),
            (Event::Seen, pod(&[]), false),
        ] {
            let earlier = earlier(event);
            assert!(!is_done(&world, &options("watch"), &earlier.0), "nothing was recorded");
            earlier.0.record_done();
            assert_eq!(is_done(&world, &options("watch"), &earlier.0), expected, "{event:?}, {world:?}");
        }
    }

    #[test]
    fn without_records_there_is_nothing_to_doubt() {
        let world = pod(&[]);
        assert!(holds(&world, &options("watch"), &StateDir::new(None)));
        assert_eq!(world.elapsed(), 0);
    }
}
