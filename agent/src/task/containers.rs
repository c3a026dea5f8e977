//! The main containers, by their processes: when each starts, and when it has ended for good.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use log::info;
use pod::pidfd::{Exit, Process};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::missed_task::{Judgement, MissedTask};
use super::restart::{self, Next};
use super::state_dir::{Record, StateDir};
use super::times;
use crate::options::{Options, RestartPolicy};
use crate::os::Linux;
use crate::os::log::DEFERRED;
use crate::os::sys;
use crate::os::termination::Termination;

/// The phase of a main container.
#[derive(Debug)]
enum Phase {
    /// It was never seen.
    Awaited,
    /// Its first process runs. `instance` is kubelet's id of the instance, `tells` whether the kernel will tell the exit status.
    Running { process: Process, instance: Option<String>, uid: Option<u32>, tells: bool },
    /// An instance has ended, and kubelet can start another. If none has started by `until`, this was the last one; without `until`,
    /// another one will start.
    Between { exit: Exit, until: Option<Instant> },
    /// It has ended for good.
    Ended(Exit),
}

/// One main container.
#[derive(Debug)]
struct MainContainer {
    name: String,
    phase: Phase,
    /// How many instances have ended.
    instances: u32,
    /// Kubelet's id of the last instance that has ended: a process that `kubectl exec` started in it can outlive it.
    ended: Option<String>,
    /// The process of the last instance that the agent saw end. It is kept because closing its pidfd is a system call, and because the
    /// exit status may come late.
    last: Option<Process>,
}

/// The main containers of the pod.
#[derive(Debug)]
pub struct Containers<'a> {
    world: &'a Linux,
    termination: &'a Termination,
    policy: RestartPolicy,
    state_dir: &'a StateDir,
    list: Vec<MainContainer>,
    missed: MissedTask<'a>,
    /// Why containers that were never seen count as ended.
    evidence: Option<String>,
}

/// The result of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// All have ended for good.
    Ended,
    /// All run.
    Running,
    /// The given time is over.
    TimeUp,
    /// The agent can leave: SIGTERM came before all were seen (the pod is deleted), or leaving loses nothing.
    Leave,
}

// === impl Containers ===

impl<'a> Containers<'a> {
    /// The main containers that `options` name, with what an earlier run of the agent has recorded.
    #[must_use]
    pub fn new(world: &'a Linux, termination: &'a Termination, options: &'a Options, state_dir: &'a StateDir) -> Self {
        let missed = MissedTask::new(world, options);
        let mut containers =
            Self { world, termination, policy: options.restart_policy, state_dir, list: Vec::new(), missed, evidence: None };
        for (place, name) in options.containers.iter().enumerate() {
            containers.list.push(MainContainer {
                name: name.clone(),
                phase: Phase::Awaited,
                instances: 0,
                ended: None,
                last: None,
            });
            let (phase, instances) = match options.pid {
                Some(pid) => (Some(containers.open(pid, None).unwrap_or(Phase::Ended(Exit::Unknown))), 0),
                None => containers.recall(name),
            };
            if let Some(phase) = phase {
                containers.enter(place, phase, instances);
            }
        }
        containers
    }

    /// Sleeps until all have ended for good, at most for `limit`. While all run, that is one system call.
    pub fn wait(&mut self, limit: Option<Duration>) -> Waited {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            self.look();
            if self.list.iter().all(|container| matches!(container.phase, Phase::Ended(_))) {
                return Waited::Ended;
            }
            if self.list.iter().any(|container| matches!(container.phase, Phase::Awaited)) && self.termination.has_come() {
                return Waited::Leave;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimeUp;
            }
            self.sleep([left, self.pause()].into_iter().flatten().min());
        }
    }

    /// Waits until each was seen, or counts as ended.
    pub fn wait_seen(&mut self) -> Waited {
        loop {
            match self.wait(Some(Duration::ZERO)) {
                Waited::TimeUp => {}
                Waited::Leave => {
                    info!("SIGTERM before {} was seen; leaving", self.missing());
                    return Waited::Leave;
                }
                other @ (Waited::Ended | Waited::Running) => return other,
            }
            let missing = self.missing();
            if missing.is_empty() {
                return Waited::Running;
            }
            match self.missed.judge(&missing) {
                Judgement::Wait => self.sleep(Some(times::LOOK)),
                Judgement::Ended(evidence) => self.count_as_ended(evidence),
                Judgement::Leave(_) => return Waited::Leave,
            }
        }
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
            let status = container.last.as_ref().and_then(|process| sys::wait_status(process.fd()?).ok().flatten());
            if let (Phase::Ended(exit @ Exit::Unknown), Some(status)) = (&mut container.phase, status) {
                *exit = Exit::from_wait_status(status);
            }
        }
    }

    /// The container that the verdict names, and how it has ended: the first that failed, else the first.
    #[must_use]
    pub fn primary(&self) -> (&str, Exit) {
        let exit = |container: &MainContainer| if let Phase::Ended(exit) = container.phase { exit } else { Exit::Unknown };
        let failed = self.list.iter().find(|container| !matches!(exit(container), Exit::Code(0)));
        failed.or(self.list.first()).map_or(("", Exit::Unknown), |container| (container.name.as_str(), exit(container)))
    }

    /// The phase of `name` that follows from the records of an earlier run, and how many instances have ended.
    fn recall(&mut self, name: &str) -> (Option<Phase>, u32) {
        match self.state_dir.recall(name) {
            Some(Record::Ended(exit)) => {
                self.evidence = Some("an earlier run of the agent saw its process end".to_owned());
                (Some(Phase::Ended(exit)), 0)
            }
            Some(Record::Between { instances, exit }) => {
                (self.find(name, None).or_else(|| Some(Phase::after(exit, self.policy, instances))), instances)
            }
            Some(Record::Seen { instances }) => {
                if let Some(running) = self.find(name, None) {
                    return (Some(running), instances);
                }
                // It ended while no agent ran. Kubelet may have restarted it at once, and that instance may have ended too.
                let instances = instances.saturating_add(2);
                (Some(Phase::after(Exit::Unknown, self.policy, instances)), instances)
            }
            None => (None, 0),
        }
    }

    /// Looks at each of them once.
    fn look(&mut self) {
        let now = Instant::now();
        for place in 0..self.list.len() {
            let Some(container) = self.list.get(place) else { return };
            let mut instances = container.instances;
            let next = match &container.phase {
                Phase::Ended(_) => None,
                Phase::Running { process, tells, .. } => process.wait(Some(Duration::ZERO)).then(|| {
                    let exit = exit_of(process, *tells, self.policy);
                    // The signal to the filter comes first.
                    info!(target: DEFERRED, "{} has ended ({})", container.name, clause(exit));
                    instances = instances.saturating_add(1);
                    Phase::after(exit, self.policy, instances)
                }),
                Phase::Awaited | Phase::Between { .. } => self
                    .find(&container.name, container.ended.as_deref())
                    .or_else(|| container.phase.was_the_last(now, self.termination.has_come())),
            };
            if let Some(next) = next {
                self.enter(place, next, instances);
            }
        }
    }

    /// Puts the container at `place` into the phase `next`, and records it.
    fn enter(&mut self, place: usize, next: Phase, instances: u32) {
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
                        until.saturating_duration_since(Instant::now()).as_secs()
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

    /// The newest instance of the container `name`, if it is not the one that has `ended`.
    fn find(&self, name: &str, ended: Option<&str>) -> Option<Phase> {
        let instance = self.world.proc().instance_of(name, ended)?;
        self.open(instance.root.pid, Some(instance.id))
    }

    fn open(&self, pid: i32, instance: Option<String>) -> Option<Phase> {
        let process = Process::open(self.world.proc(), pid)?;
        let tells = process.fd().is_some_and(|fd| sys::wait_status(fd).is_ok());
        Some(Phase::Running { instance, uid: self.world.proc().uid(pid), tells, process })
    }

    /// How long to sleep before the next look. `None` if all run.
    fn pause(&self) -> Option<Duration> {
        let pauses = self.list.iter().map(|container| match &container.phase {
            Phase::Awaited | Phase::Between { .. } => Some(times::LOOK),
            Phase::Running { process, .. } if process.fd().is_none() => Some(times::LOOK_WITHOUT_PIDFD),
            Phase::Running { .. } | Phase::Ended(_) => None,
        });
        pauses.flatten().min()
    }

    /// Sleeps until one of those that run has ended, at most for `timeout`.
    fn sleep(&self, timeout: Option<Duration>) {
        log::logger().flush();
        let termination = self.termination.fd();
        let mut fds: Vec<PollFd<'_>> = termination.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        for container in &self.list {
            if let Phase::Running { process, .. } = &container.phase
                && let Some(fd) = process.fd()
            {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        let time = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        if poll(&mut fds, time.as_ref()).is_err() {
            // After an error the loop must not spin.
            sleep(times::LOOK);
        }
        // The grace period begins now. Without an event there is no question: each system call delays the signal.
        if termination.is_some() && fds.first().is_some_and(|first| !first.revents().is_empty()) {
            let _ = self.termination.has_come();
        }
    }

    /// The names of those that were never seen.
    fn missing(&self) -> String {
        let missing = self.list.iter().filter(|container| matches!(container.phase, Phase::Awaited));
        missing.map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn count_as_ended(&mut self, evidence: String) {
        self.evidence = Some(evidence);
        for place in 0..self.list.len() {
            if self.list.get(place).is_some_and(|container| matches!(container.phase, Phase::Awaited)) {
                self.enter(place, Phase::Ended(Exit::Unknown), 0);
            }
        }
    }
}

// === impl Phase ===

impl Phase {
    /// The phase after the end, by `exit`, of the last of `instances`.
    fn after(exit: Exit, policy: RestartPolicy, instances: u32) -> Self {
        match restart::after(exit, policy, instances) {
            Next::Nothing => Self::Ended(exit),
            Next::Restart => Self::Between { exit, until: None },
            Next::RestartWithin(time) => Self::Between { exit, until: Some(Instant::now() + time) },
        }
    }

    /// The phase if no other instance starts: the time for one is over, or kubelet ends the pod (it is deleted, or the Job has failed
    /// often enough) and restarts nothing.
    fn was_the_last(&self, now: Instant, is_asked_to_leave: bool) -> Option<Self> {
        match self {
            Self::Between { exit, until } if is_asked_to_leave || until.is_some_and(|until| now >= until) => {
                Some(Self::Ended(*exit))
            }
            Self::Between { .. } | Self::Awaited | Self::Running { .. } | Self::Ended(_) => None,
        }
    }
}

fn exit_of(process: &Process, tells: bool, policy: RestartPolicy) -> Exit {
    if !tells {
        return Exit::Unknown;
    }
    process.wait_reaped(match policy {
        RestartPolicy::Never => times::REAPING,
        RestartPolicy::OnFailure => times::REAPING_TO_DECIDE,
    });
    let status = process.fd().and_then(|fd| sys::wait_status(fd).ok().flatten());
    status.map_or(Exit::Unknown, Exit::from_wait_status)
}

/// How a process has ended, as a clause of a message.
fn clause(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unknown => "exit status unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;

    #[test]
    fn a_failed_container_has_ended_for_good_once_kubelet_ends_the_pod() {
        let now = Instant::now();
        let failed = Phase::after(Exit::Code(1), RestartPolicy::OnFailure, 3);
        assert!(failed.was_the_last(now + Duration::from_hours(1), false).is_none(), "kubelet restarts it");
        assert!(matches!(failed.was_the_last(now, true), Some(Phase::Ended(Exit::Code(1)))));
        assert!(Phase::Awaited.was_the_last(now, true).is_none(), "a task that was never seen has not ended");
    }

    #[test]
    fn an_unknown_end_is_the_last_after_the_back_off_and_not_before() {
        let unknown = Phase::after(Exit::Unknown, RestartPolicy::OnFailure, 1);
        let Phase::Between { until: Some(until), .. } = unknown else { panic!("{unknown:?}") };
        assert!(until > Instant::now());
        assert!(unknown.was_the_last(Instant::now(), false).is_none());
        assert!(matches!(unknown.was_the_last(until, false), Some(Phase::Ended(Exit::Unknown))));
    }

    #[test]
    fn the_records_of_an_earlier_run_tell_how_long_to_wait_for_a_restart() {
        let folder = std::env::temp_dir().join(format!("exeunt-containers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = options("watch --container never-there --restart-policy OnFailure");
        let (world, termination) = (Linux::new(), Termination::block());
        let until = |record| {
            let state_dir = StateDir::new(Some(folder.clone()));
            state_dir.record("never-there", record);
            let containers = Containers::new(&world, &termination, &options, &state_dir);
            match containers.list[0].phase {
                Phase::Between { until, .. } => until.map(|until| until.saturating_duration_since(Instant::now())),
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
