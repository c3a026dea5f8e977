//! The main containers, by their processes: when each starts, and when it has ended for good.

use core::time::Duration;

use log::info;
use pod::pidfd::Exit;

use super::main_container::{MainContainer, clause, exit_of};
use super::missed_task::MissedTask;
use super::phase::Phase;
use super::state_dir::{Record, StateDir};
use crate::options::{Options, RestartPolicy};
use crate::os::World;
use crate::os::log::DEFERRED;
use crate::os::world::{Process, Source};

/// The main containers of the pod.
#[derive(Debug)]
pub struct Containers<'a, W: World> {
    pub(super) world: &'a W,
    policy: RestartPolicy,
    state_dir: &'a StateDir,
    pub(super) list: Vec<MainContainer<W::Process>>,
    pub(super) missed: MissedTask<'a, W>,
    /// Why containers that were never seen count as ended.
    pub(super) evidence: Option<String>,
}

// === impl Containers ===

impl<'a, W: World> Containers<'a, W> {
    /// The main containers that `options` name, with what an earlier run of the agent has recorded.
    #[must_use]
    pub fn new(world: &'a W, options: &'a Options, state_dir: &'a StateDir) -> Self {
        let missed = MissedTask::new(world, options);
        let mut containers = Self { world, policy: options.restart_policy, state_dir, list: Vec::new(), missed, evidence: None };
        for (place, name) in options.containers.iter().enumerate() {
            containers.list.push(MainContainer {
                name: name.clone(),
                phase: Phase::Awaited,
                instances: 0,
                ended: None,
                last: None,
            });
            let (phase, instances) = match options.pid {
                Some(pid) => (Some(Phase::of_process(world, pid, None).unwrap_or(Phase::Ended(Exit::Unknown))), 0),
                None => containers.recall(name),
            };
            if let Some(phase) = phase {
                containers.enter(place, phase, instances);
            }
        }
        containers
    }

    /// How it is known that all have ended, as a clause of the verdict.
    #[must_use]
    pub fn evidence(&self) -> &str {
        self.evidence.as_deref().unwrap_or("its process has ended")
    }

    /// The uid of the first one that runs.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.list.iter().find_map(|container| if let Phase::Running { uid, .. } = container.phase { uid } else { None })
    }

    /// Asks again for the exit status of those that were not reaped in time.
    pub fn update_exit_status(&mut self) {
        for container in &mut self.list {
            let status = container.last.as_ref().map(|process| process.exit(Duration::ZERO));
            if let (Phase::Ended(exit @ Exit::Unknown), Some(status)) = (&mut container.phase, status) {
                *exit = status;
            }
        }
    }

    /// The container that the verdict names, and how it has ended: the first that failed, else the first.
    #[must_use]
    pub fn primary(&self) -> (&str, Exit) {
        let exit =
            |container: &MainContainer<W::Process>| if let Phase::Ended(exit) = container.phase { exit } else { Exit::Unknown };
        let failed = self.list.iter().find(|container| !matches!(exit(container), Exit::Code(0)));
        failed.or(self.list.first()).map_or(("", Exit::Unknown), |container| (container.name.as_str(), exit(container)))
    }

    /// The phase of `name` that follows from the records of an earlier run, and how many instances have ended.
    fn recall(&mut self, name: &str) -> (Option<Phase<W::Process>>, u32) {
        match self.state_dir.recall(name) {
            Some(Record::Ended(exit)) => {
                self.evidence = Some("an earlier run of the agent saw its process end".to_owned());
                (Some(Phase::Ended(exit)), 0)
            }
            Some(Record::Between { instances, exit }) => (
                Phase::running(self.world, name, None)
                    .or_else(|| Some(Phase::after(exit, self.policy, instances, self.world.now()))),
                instances,
            ),
            Some(Record::Seen { instances }) => {
                if let Some(running) = Phase::running(self.world, name, None) {
                    return (Some(running), instances);
                }
                // It ended while no agent ran. Kubelet may have restarted it at once, and that instance may have ended too.
                let instances = instances.saturating_add(2);
                (Some(Phase::after(Exit::Unknown, self.policy, instances, self.world.now())), instances)
            }
            None => (None, 0),
        }
    }

    /// Looks at each of them once.
    pub(super) fn look(&mut self) {
        let now = self.world.now();
        for place in 0..self.list.len() {
            let Some(container) = self.list.get(place) else { return };
            let mut instances = container.instances;
            let next = match &container.phase {
                Phase::Ended(_) => None,
                Phase::Running { process, tells, .. } => process.wait(Duration::ZERO).then(|| {
                    let exit = exit_of(process, *tells, self.policy);
                    // The signal to the filter comes first.
                    info!(target: DEFERRED, "{} has ended ({})", container.name, clause(exit));
                    instances = instances.saturating_add(1);
                    Phase::after(exit, self.policy, instances, self.world.now())
                }),
                Phase::Awaited | Phase::Between { .. } => Phase::running(self.world, &container.name, container.ended.as_deref())
                    .or_else(|| container.phase.was_the_last(now, self.world.terminated_at(Source::Kernel).is_some())),
            };
            if let Some(next) = next {
                self.enter(place, next, instances);
            }
        }
    }

    /// Puts the container at `place` into the phase `next`, and records it.
    pub(super) fn enter(&mut self, place: usize, next: Phase<W::Process>, instances: u32) {
        let Some(container) = self.list.get_mut(place) else { return };
        container.instances = instances;
        match &next {
            Phase::Running { process, .. } => {
                container.last = None;
                info!("watching {}, process {}", container.name, process.pid());
                self.state_dir.record(&container.name, Record::Seen { instances });
            }
            Phase::Between { exit, until } => {
                self.state_dir.record(&container.name, Record::Between { instances, exit: *exit });
                match until {
                    None => info!("{} has not ended for good: kubelet restarts it", container.name),
                    Some(until) => info!(
                        "{} has not ended for good: kubelet may restart it within {} s",
                        container.name,
                        until.since(self.world.now()).as_secs()
                    ),
                }
            }
            Phase::Ended(exit) => self.state_dir.record(&container.name, Record::Ended(*exit)),
            Phase::Awaited => {}
        }
        if let Phase::Running { process, instance, .. } = core::mem::replace(&mut container.phase, next) {
            container.last = Some(process);
            container.ended = instance;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::Linux;
    use crate::testing::options;

    #[test]
    fn the_records_of_an_earlier_run_tell_how_long_to_wait_for_a_restart() {
        let folder = std::env::temp_dir().join(format!("exeunt-containers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = options("watch --container never-there --restart-policy OnFailure");
        let world = Linux::new();
        let until = |record| {
            let state_dir = StateDir::new(Some(folder.clone()));
            state_dir.record("never-there", record);
            let containers = Containers::new(&world, &options, &state_dir);
            match containers.list[0].phase {
                Phase::Between { until, .. } => until.map(|until| until.since(world.now())),
                ref other => panic!("{other:?}"),
            }
        };
        let failed = Record::Between { instances: 5, exit: Exit::Code(1) };
        assert_eq!(until(failed), None, "kubelet restarts it");
        // Kubelet's back-off before the fifth restart is 80 s, before the second one 10 s.
        assert!(until(Record::Between { instances: 5, exit: Exit::Unknown }).unwrap() > Duration::from_secs(80));
        let restarted_at_once = until(Record::Seen { instances: 3 }).unwrap();
        assert!(restarted_at_once > Duration::from_secs(80), "another instance started at once and ended too");
        assert!(until(Record::Seen { instances: 0 }).unwrap() > Duration::from_secs(10));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
