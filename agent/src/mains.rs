//! The main containers: when each is there, and when it has ended for good.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use pod::pidfd::{Exit, Process};
use pod::procfs::Procfs;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::late::{Judgement, Late};
use crate::log;
use crate::memory::{Memory, Trace};
use crate::options::{Options, RestartPolicy};
use crate::sys;
use crate::termination::Termination;

/// Until a main container is there, how often it is looked for: even `true` is there for 40 ms.
const LOOK: Duration = Duration::from_millis(10);
/// Without pidfd: how often `/proc` is asked whether a process is still there.
const LOOK_WITHOUT_PIDFD: Duration = Duration::from_millis(100);
/// The runtime reaps the process within 2 ms; only then does the kernel tell its status. On a busy node it takes longer, which is not worth
/// waiting for where the status is only told.
const REAPING: Duration = Duration::from_millis(20);
/// Where what follows depends on it: an unknown status costs kubelet's back-off, ten seconds and more.
const REAPING_TO_DECIDE: Duration = Duration::from_secs(1);
/// Kubelet's back-off before a second restart, doubled before each further one up to [`MAX_BACK_OFF`]; the first comes at once
/// (kubernetes, `pkg/kubelet/kubelet.go`, `backOffPeriod` and `MaxContainerBackOff`).
const BACK_OFF: Duration = Duration::from_secs(10);
const MAX_BACK_OFF: Duration = Duration::from_mins(5);
/// How much later than its back-off a container may come: kubelet looks every ten seconds.
const LATENESS: Duration = Duration::from_secs(10);

/// Where a main container stands.
#[derive(Debug)]
enum Phase {
    /// It was never seen.
    Awaited,
    /// Its first process is there. `tells`: whether the kernel will tell its exit status.
    Running { process: Process, uid: Option<u32>, tells: bool },
    /// An instance has ended so that kubelet may start another one. If none has come by `until`, it was the last; without `until`,
    /// another one is sure to come.
    Between { exit: Exit, until: Option<Instant> },
    /// It has ended for good.
    Ended(Exit),
}

/// One main container.
#[derive(Debug)]
struct Main {
    name: String,
    phase: Phase,
    /// How many instances have ended.
    instances: u32,
    /// The process of the last one that has ended while we looked. To close its pidfd is a system call, too, and its status may come late.
    last: Option<Process>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Mains<'a> {
    proc: Procfs,
    termination: &'a Termination,
    policy: RestartPolicy,
    memory: &'a Memory,
    list: Vec<Main>,
    /// Judges those that do not appear.
    late: Late<'a>,
    /// By which evidence they were taken as over.
    evidence: Option<String>,
}

/// What became of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// All have ended for good.
    Ended,
    /// All that there are run.
    Running,
    /// The time given was up.
    TimeUp,
    /// We were asked to leave while one was never seen (the pod is deleted), or nothing is lost if we do.
    Leave,
}

// === impl Mains ===

impl<'a> Mains<'a> {
    /// Those that `options` name, with what is remembered of them.
    pub(crate) fn new(options: &'a Options, memory: &'a Memory, termination: &'a Termination) -> Self {
        let (proc, late) = (Procfs::default(), Late::new(options));
        let mut mains =
            Self { policy: options.restart_policy, list: Vec::new(), late, evidence: None, memory, proc, termination };
        for (place, name) in options.containers.iter().enumerate() {
            mains.list.push(Main { name: name.clone(), phase: Phase::Awaited, instances: 0, last: None });
            let open =
                |pid| Process::open(&mains.proc, pid).map_or(Phase::Ended(Exit::Unknown), |process| mains.running(process));
            let (instances, begins) = match (options.pid, mains.memory.recall(name)) {
                (Some(pid), _) => (0, Some(open(pid))),
                (None, Some(Trace::Ended(exit))) => {
                    mains.evidence = Some("an earlier run of the agent saw its process end".to_owned());
                    (0, Some(Phase::Ended(exit)))
                }
                (None, Some(Trace::Between { instances, exit })) => {
                    (instances, mains.find(name).or_else(|| Some(Phase::after(exit, mains.policy, instances))))
                }
                (None, Some(Trace::Seen { instances })) => {
                    let running = mains.find(name);
                    // It ended while nobody looked, and so has perhaps another one that kubelet had started at once.
                    let ended = if running.is_some() { instances } else { instances.saturating_add(2) };
                    (ended, running.or_else(|| Some(Phase::after(Exit::Unknown, mains.policy, ended))))
                }
                (None, None) => (0, None),
            };
            if let Some(phase) = begins {
                mains.enter(place, phase, instances);
            }
        }
        mains
    }

    /// Sleeps until all have ended for good, at most for `limit`. While all of them run that is one system call.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> Waited {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            self.look();
            if self.list.iter().all(|main| matches!(main.phase, Phase::Ended(_))) {
                return Waited::Ended;
            }
            if self.list.iter().any(|main| matches!(main.phase, Phase::Awaited)) && self.termination.has_come() {
                return Waited::Leave;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimeUp;
            }
            self.sleep([left, self.pause()].into_iter().flatten().min());
        }
    }

    /// Waits until every one was seen, or is known to be over.
    pub(crate) fn wait_seen(&mut self) -> Waited {
        loop {
            match self.wait(Some(Duration::ZERO)) {
                Waited::TimeUp => {}
                Waited::Leave => {
                    log::line(&format!("asked to leave before {} was there", self.missing()));
                    return Waited::Leave;
                }
                other @ (Waited::Ended | Waited::Running) => return other,
            }
            let missing = self.missing();
            if missing.is_empty() {
                return Waited::Running;
            }
            match self.late.judge(&missing) {
                Judgement::Wait => self.sleep(Some(LOOK)),
                Judgement::Over(evidence) => self.take_as_over(evidence),
                Judgement::Leave(_) => return Waited::Leave,
            }
        }
    }

    /// How it is known that all have ended, as a clause.
    pub(crate) fn evidence(&self) -> &str {
        self.evidence.as_deref().unwrap_or("its process has ended")
    }

    /// The uid of the first one that runs.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.list.iter().find_map(|main| if let Phase::Running { uid, .. } = main.phase { uid } else { None })
    }

    /// Asks once more how those have ended whose runtime had not reaped them in time.
    pub(crate) fn learn(&mut self) {
        for main in &mut self.list {
            let status = main.last.as_ref().and_then(|process| sys::wait_status(process.fd()?).ok().flatten());
            if let (Phase::Ended(exit @ Exit::Unknown), Some(status)) = (&mut main.phase, status) {
                *exit = Exit::from_wait_status(status);
            }
        }
    }

    /// The one that speaks for all: the first that has failed, else the first; and how it has ended.
    pub(crate) fn spokesman(&self) -> (&str, Exit) {
        let exit = |main: &Main| if let Phase::Ended(exit) = main.phase { exit } else { Exit::Unknown };
        let failed = self.list.iter().find(|main| !matches!(exit(main), Exit::Code(0)));
        failed.or(self.list.first()).map_or(("", Exit::Unknown), |main| (main.name.as_str(), exit(main)))
    }

    /// Looks at each of them once.
    fn look(&mut self) {
        let now = Instant::now();
        for place in 0..self.list.len() {
            let Some(main) = self.list.get(place) else { return };
            let mut instances = main.instances;
            let next = match &main.phase {
                Phase::Ended(_) => None,
                Phase::Running { process, tells, .. } => process.wait(Some(Duration::ZERO)).then(|| {
                    let exit = exit_of(process, *tells, self.policy);
                    // Whoever is to be told of it comes first.
                    log::later(&format!("{} has ended ({})", main.name, clause(exit)));
                    instances = instances.saturating_add(1);
                    Phase::after(exit, self.policy, instances)
                }),
                Phase::Awaited | Phase::Between { .. } => {
                    self.find(&main.name).or_else(|| main.phase.was_the_last(now, self.termination.has_come()))
                }
            };
            if let Some(next) = next {
                self.enter(place, next, instances);
            }
        }
    }

    /// The main container at `place` is in phase `next` now, and so many instances of it have ended.
    fn enter(&mut self, place: usize, next: Phase, instances: u32) {
        let Some(main) = self.list.get_mut(place) else { return };
        main.instances = instances;
        match &next {
            Phase::Running { process, .. } => {
                main.last = None;
                log::line(&format!("watching {}, process {}", main.name, process.pid()));
                self.memory.remember(&main.name, Trace::Seen { instances });
            }
            Phase::Between { exit, until } => {
                self.memory.remember(&main.name, Trace::Between { instances, exit: *exit });
                let wait = until.map_or_else(
                    || "it will be".to_owned(),
                    |until| format!("it may be, within {} s", until.saturating_duration_since(Instant::now()).as_secs()),
                );
                log::line(&format!("{} is not done: {wait} restarted", main.name));
            }
            Phase::Ended(exit) => self.memory.remember(&main.name, Trace::Ended(*exit)),
            Phase::Awaited => {}
        }
        if let Phase::Running { process, .. } = core::mem::replace(&mut main.phase, next) {
            main.last = Some(process);
        }
    }

    fn find(&self, name: &str) -> Option<Phase> {
        let root = self.proc.root_of(name)?;
        Process::open(&self.proc, root.pid).map(|process| self.running(process))
    }

    fn running(&self, process: Process) -> Phase {
        let tells = process.fd().is_some_and(|fd| sys::wait_status(fd).is_ok());
        Phase::Running { uid: self.proc.uid(process.pid()), tells, process }
    }

    /// How long to sleep before the next look; `None` where only ends are waited for.
    fn pause(&self) -> Option<Duration> {
        let pauses = self.list.iter().map(|main| match &main.phase {
            Phase::Awaited | Phase::Between { .. } => Some(LOOK),
            Phase::Running { process, .. } if process.fd().is_none() => Some(LOOK_WITHOUT_PIDFD),
            Phase::Running { .. } | Phase::Ended(_) => None,
        });
        pauses.flatten().min()
    }

    /// Sleeps until one of those that run has ended, at most for `timeout`.
    fn sleep(&self, timeout: Option<Duration>) {
        log::flush();
        let mut fds: Vec<PollFd<'_>> =
            self.termination.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).into_iter().collect();
        for main in &self.list {
            if let Phase::Running { process, .. } = &main.phase
                && let Some(fd) = process.fd()
            {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        let time = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        if poll(&mut fds, time.as_ref()).is_err() {
            // Interrupted, or refused: then at least not in a circle.
            sleep(LOOK);
        }
        // Its time is when the grace period begins. Asking once more where nothing shows would stand between the task's end and the
        // signal.
        if self.termination.fd().is_some() && fds.first().is_some_and(|first| !first.revents().is_empty()) {
            self.termination.has_come();
        }
    }

    /// Those that were never seen.
    fn missing(&self) -> String {
        let missing = self.list.iter().filter(|main| matches!(main.phase, Phase::Awaited)).map(|main| main.name.as_str());
        missing.collect::<Vec<_>>().join(", ")
    }

    fn take_as_over(&mut self, evidence: String) {
        self.evidence = Some(evidence);
        for place in 0..self.list.len() {
            if self.list.get(place).is_some_and(|main| matches!(main.phase, Phase::Awaited)) {
                self.enter(place, Phase::Ended(Exit::Unknown), 0);
            }
        }
    }
}

// === impl Phase ===

impl Phase {
    /// What it becomes if no other instance comes any more: the time for one has passed, or kubelet ends the pod (it is deleted, the
    /// Job has failed often enough) and starts nothing again.
    fn was_the_last(&self, now: Instant, leaving: bool) -> Option<Self> {
        match self {
            Self::Between { exit, until } if leaving || until.is_some_and(|until| now >= until) => Some(Self::Ended(*exit)),
            Self::Between { .. } | Self::Awaited | Self::Running { .. } | Self::Ended(_) => None,
        }
    }

    /// What follows the end, by `exit`, of the container's `instances`-th instance.
    fn after(exit: Exit, policy: RestartPolicy, instances: u32) -> Self {
        match (policy, exit) {
            (RestartPolicy::Never, _) | (RestartPolicy::OnFailure, Exit::Code(0)) => Self::Ended(exit),
            (RestartPolicy::OnFailure, Exit::Unknown) => {
                Self::Between { exit, until: Some(Instant::now() + back_off(instances) + LATENESS) }
            }
            (RestartPolicy::OnFailure, Exit::Code(_) | Exit::Signal(_)) => Self::Between { exit, until: None },
        }
    }
}

/// How long kubelet waits before it starts a container again of which `instances` have ended.
fn back_off(instances: u32) -> Duration {
    match instances {
        0 | 1 => Duration::ZERO,
        // 10 s times 2^5 is past the limit.
        more => (BACK_OFF * (1 << (more - 2).min(5))).min(MAX_BACK_OFF),
    }
}

fn exit_of(process: &Process, tells: bool, policy: RestartPolicy) -> Exit {
    if !tells {
        return Exit::Unknown;
    }
    process.wait_reaped(match policy {
        RestartPolicy::Never => REAPING,
        RestartPolicy::OnFailure => REAPING_TO_DECIDE,
    });
    let status = process.fd().and_then(|fd| sys::wait_status(fd).ok().flatten());
    status.map_or(Exit::Unknown, Exit::from_wait_status)
}

/// How a process has ended, in words.
pub(crate) fn clause(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unknown => "exit status unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::options::Invocation;

    fn ends(policy: RestartPolicy, exit: Exit) -> Option<bool> {
        match Phase::after(exit, policy, 1) {
            Phase::Ended(_) => Some(true),
            Phase::Between { until: None, .. } => Some(false),
            Phase::Between { until: Some(_), .. } | Phase::Awaited | Phase::Running { .. } => None,
        }
    }

    #[test]
    fn failed_main_under_on_failure_is_not_completed() {
        assert_eq!(ends(RestartPolicy::OnFailure, Exit::Code(1)), Some(false));
        assert_eq!(ends(RestartPolicy::OnFailure, Exit::Signal(9)), Some(false), "nor one that was killed for its memory");
        assert_eq!(ends(RestartPolicy::OnFailure, Exit::Code(0)), Some(true));
    }

    #[test]
    fn a_failed_main_container_is_done_once_the_pod_is_ended() {
        let now = Instant::now();
        let failed = Phase::after(Exit::Code(1), RestartPolicy::OnFailure, 3);
        assert!(failed.was_the_last(now + MAX_BACK_OFF + LATENESS, false).is_none(), "it is sure to be restarted");
        assert!(matches!(failed.was_the_last(now, true), Some(Phase::Ended(Exit::Code(1)))));
        assert!(Phase::Awaited.was_the_last(now, true).is_none(), "a task that was never seen has not ended");
    }

    #[test]
    fn an_unknown_end_is_the_last_after_the_back_off_and_not_before() {
        let unknown = Phase::after(Exit::Unknown, RestartPolicy::OnFailure, 1);
        assert!(unknown.was_the_last(Instant::now(), false).is_none());
        assert!(matches!(unknown.was_the_last(Instant::now() + LATENESS, false), Some(Phase::Ended(Exit::Unknown))));
    }

    #[test]
    fn what_an_earlier_run_saw_of_the_restarts_is_gone_on_with() {
        let folder = std::env::temp_dir().join(format!("exeunt-mains-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let line = "watch --container never-there --restart-policy OnFailure";
        let options = match Invocation::parse(line.split(' ').map(OsString::from), |_| None) {
            Ok(Invocation::Run(options)) => options,
            other => panic!("{other:?}"),
        };
        let termination = Termination::hold(Duration::ZERO);
        let until = |trace| {
            let memory = Memory::new(Some(folder.clone()));
            memory.remember("never-there", trace);
            let mains = Mains::new(&options, &memory, &termination);
            match mains.list[0].phase {
                Phase::Between { until, .. } => until.map(|until| until.saturating_duration_since(Instant::now())),
                ref other => panic!("{other:?}"),
            }
        };
        let failed = Trace::Between { instances: 5, exit: Exit::Code(1) };
        assert_eq!(until(failed), None, "it is sure to be restarted");
        assert!(until(Trace::Between { instances: 5, exit: Exit::Unknown }).unwrap() > back_off(5));
        assert!(until(Trace::Seen { instances: 3 }).unwrap() > back_off(5), "one was started at once, and has ended, too");
        assert!(until(Trace::Seen { instances: 0 }).unwrap() > back_off(2));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn under_never_every_end_is_one_for_good() {
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Unknown] {
            assert_eq!(ends(RestartPolicy::Never, exit), Some(true), "{exit:?}");
        }
    }

    #[test]
    fn under_on_failure_an_unknown_end_waits_out_the_back_off() {
        assert_eq!(ends(RestartPolicy::OnFailure, Exit::Unknown), None);
        let seconds = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(|instances| back_off(instances).as_secs());
        assert_eq!(seconds, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
