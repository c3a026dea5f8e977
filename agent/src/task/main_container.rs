//! One main container: its phase, and what is known of its instances.

use core::time::Duration;

use drain::time::Instant;
use pod::pidfd::Exit;

use super::evidence::LAST_INIT;
use super::phase::Phase;
use super::restart;
use super::starts::Starts;
use super::state_dir::{Event, History, Record};
use super::times;
use crate::options::restarts::Then;
use crate::options::{Options, Restarts};
use crate::os::World;
use crate::os::world::Process;

/// One main container. `P` is a handle of a process.
#[derive(Debug)]
pub(super) struct MainContainer<P> {
    pub(super) name: String,
    pub(super) phase: Phase<P>,
    /// The phase that it has unless SIGTERM is the end of the pod.
    before_sigterm: Option<Phase<P>>,
    /// How many instances the agent knows to have ended.
    pub(super) instances: u32,
    /// How old the pod was when the first instance started that the agent knows of.
    first: Option<Duration>,
    /// How old the pod was when the agent started, if instances may have ended before that.
    late: Option<Duration>,
    /// Kubelet's id of the last instance that has ended: a process that `kubectl exec` started in it can outlive it.
    pub(super) ended: Option<String>,
    /// The process of the last instance that the agent saw end, if it tells how. It is kept because closing its pidfd is a system call, and
    /// because the exit status may come late.
    pub(super) last: Option<P>,
    /// How many containers of the pod had been created when it entered its phase.
    pub(super) created: u32,
    /// The ends after which kubelet has restarted it. It will do so again: neither a policy nor a rule changes.
    restarted_after: Vec<Exit>,
}

// === impl MainContainer ===

impl<P: Process> MainContainer<P> {
    /// One that was never seen.
    pub(super) const fn awaited(name: String) -> Self {
        Self {
            name,
            phase: Phase::Awaited,
            before_sigterm: None,
            instances: 0,
            first: None,
            late: None,
            ended: None,
            last: None,
            created: 0,
            restarted_after: Vec::new(),
        }
    }

    /// Whether it has ended for good.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Whether an instance has ended, and kubelet can start another.
    pub(super) const fn is_between(&self) -> bool {
        matches!(self.phase, Phase::Between { .. })
    }

    /// Whether another instance can start now.
    pub(super) const fn may_start(&self) -> bool {
        matches!(self.phase, Phase::Awaited | Phase::Between { .. })
    }

    /// An instance has started when the pod was as old as `age`.
    pub(super) fn starts_at(&mut self, age: Duration) {
        if self.instances == 0 {
            self.first.get_or_insert(age);
        }
    }

    /// Instances of it may have ended before the agent started, when the pod was as old as `own_age`. Kubelet's next back-off can be the longer.
    pub(super) fn may_have_run_before(&mut self, own_age: Duration) {
        let before = restart::back_off(self.most_instances());
        self.late = Some(own_age);
        let more = restart::back_off(self.most_instances()).saturating_sub(before);
        if let Phase::Between { until: Some(until), .. } = &mut self.phase {
            *until = *until + more;
        }
    }

    /// How many instances have ended, at most.
    fn most_instances(&self) -> u32 {
        let earlier = self.late.zip(self.first).map_or(0, |(own_age, first)| restart::most_before(own_age, first));
        self.instances.saturating_add(earlier)
    }

    /// Counts it as ended, because SIGTERM has come, after which kubelet starts nothing.
    pub(super) fn end_by_sigterm(&mut self) {
        let exit = if let Phase::Between { exit, .. } = self.phase { exit } else { Exit::Unknown };
        self.before_sigterm = Some(core::mem::replace(&mut self.phase, Phase::Ended(exit)));
    }

    /// Whether it runs although it counts as ended because SIGTERM has come.
    pub(super) fn starts_after_sigterm<W: World<Process = P>>(&self, world: &W) -> bool {
        self.before_sigterm.is_some() && world.instance_of(&self.name, self.ended.as_deref()).is_some()
    }

    /// The pod has outlived SIGTERM, so that was no end.
    pub(super) fn outlive_sigterm(&mut self) {
        if let Some(phase) = self.before_sigterm.take() {
            self.phase = phase;
        }
    }

    /// How it has ended, if it has ended for good.
    pub(super) const fn exit(&self) -> Option<Exit> {
        if let Phase::Ended(exit) = self.phase { Some(exit) } else { None }
    }

    /// Asks again how it has ended: the last process may have been reaped late.
    pub(super) fn update_exit(&mut self) {
        let exit = self.last.as_ref().map(|process| process.exit(Duration::ZERO));
        if let (Phase::Ended(known @ Exit::Unknown), Some(exit)) = (&mut self.phase, exit) {
            *known = exit;
        }
    }

    /// Whether its exit status decides what follows, is not known and can still come: on a busy node its process is reaped late.
    pub(super) fn awaits_status(&self) -> bool {
        matches!(self.phase, Phase::Between { exit: Exit::Unknown, .. }) && self.last.is_some()
    }

    fn late_status(&self) -> Option<Exit> {
        let last = self.last.as_ref().filter(|_| self.awaits_status())?;
        Some(last.exit(Duration::ZERO)).filter(|exit| *exit != Exit::Unknown)
    }

    /// The next phase, if it has changed.
    pub(super) fn look<W: World<Process = P>>(&mut self, starts: &Starts<'_, W>, options: &Options) -> Option<Phase<P>> {
        let (world, restarts) = (starts.world(), &options.restarts);
        match &self.phase {
            Phase::Ended(_) => None,
            Phase::Running { process, tells, .. } => {
                if !process.wait(Duration::ZERO) {
                    return None;
                }
                let exit = exit_of(process, *tells, restarts.depend_on_exit(&self.name));
                self.instances = self.instances.saturating_add(1);
                Some(self.after(exit, restarts, world.now()))
            }
            Phase::Awaited | Phase::Between { .. } => Phase::running(world, &self.name, self.ended.as_deref())
                .or_else(|| Some(self.after(self.late_status()?, restarts, world.now())))
                .or_else(|| self.was_the_last(starts, options)),
        }
    }

    /// When it has ended for good, unless another instance is seen. A container that nobody has seen can be another instance of it, which has
    /// ended, too.
    pub(super) fn ends_at<W: World<Process = P>>(&self, starts: &Starts<'_, W>, options: &Options) -> Option<Instant> {
        let Phase::Between { until: Some(until), .. } = self.phase else { return None };
        match self.unseen(starts, options) {
            0 => Some(until),
            unseen => {
                let back_off = restart::back_off(self.most_instances().saturating_add(unseen));
                Some(until.max(starts.batch().at + back_off + options.restarts.wait))
            }
        }
    }

    /// The phase if the time for another instance is over.
    fn was_the_last<W: World<Process = P>>(&self, starts: &Starts<'_, W>, options: &Options) -> Option<Phase<P>> {
        let Phase::Between { exit, .. } = self.phase else { return None };
        let is_over = self.ends_at(starts, options).is_some_and(|at| starts.world().now() >= at);
        // How an instance has ended that nobody saw, nobody knows.
        let exit = if self.unseen(starts, options) == 0 { exit } else { Exit::Unknown };
        is_over.then_some(Phase::Ended(exit))
    }

    /// How many instances of it nobody has seen, at most: of those since the end of the last one, or also before the first one that was seen. Behind
    /// an agent that is a native sidecar come init containers first, so there only what follows the last of them tells the latter.
    fn unseen<W: World<Process = P>>(&self, starts: &Starts<'_, W>, options: &Options) -> u32 {
        let last_init = || starts.seen().iter().find(|seen| seen.container.name == LAST_INIT).map(|init| init.created);
        let regular_since = if options.is_native() { last_init() } else { Some(0) };
        let is_first = self.instances == 1 && self.ended.is_some();
        starts.unseen_since(regular_since.filter(|_| is_first).unwrap_or(self.created))
    }

    /// The next phase if an instance was seen that has ended since.
    pub(super) fn look_back<W: World<Process = P>>(&mut self, starts: &mut Starts<'_, W>) -> Option<Phase<P>> {
        if !matches!(self.phase, Phase::Awaited | Phase::Between { .. }) {
            return None;
        }
        let (container, mut process) = starts.take(&self.name, self.ended.as_deref())?;
        Some(Phase::Running { instance: Some(container.instance), tells: process.tells(), process })
    }

    /// The next phase if instances were started and have ended, both unseen: at most `most` of them, and at least one.
    pub(super) fn after_unseen(&mut self, most: u32, restarts: &Restarts, now: Instant) -> Phase<P> {
        self.instances = self.instances.saturating_add(most.max(1));
        // The status of an earlier instance tells nothing of this one.
        self.last = None;
        self.after(Exit::Unknown, restarts, now)
    }

    /// Enters the phase `next`. Returns whether this shows for the first time that kubelet restarts it after an end of this kind.
    pub(super) fn enter(&mut self, next: Phase<P>) -> bool {
        let restarted = matches!(next, Phase::Running { .. });
        if restarted {
            self.last = None;
        }
        let before = core::mem::replace(&mut self.phase, next);
        match before {
            Phase::Running { process, instance, tells } => {
                self.last = tells.then_some(process);
                self.ended = instance;
                false
            }
            Phase::Between { exit, until: Some(_) } if restarted => self.learn(exit),
            Phase::Awaited | Phase::Between { .. } | Phase::Ended(_) => false,
        }
    }

    /// What an earlier run of the agent knew of it.
    pub(super) fn recall<W: World<Process = P>>(&mut self, history: &History, world: &W, restarts: &Restarts) -> Phase<P> {
        let Record { instances, instance, event } = &history.last;
        (self.instances, self.restarted_after) = (*instances, history.restarted_after.clone());
        // What runs counts before what was recorded.
        if let Some(mut running) = Phase::running(world, &self.name, None) {
            if let (Event::Ended(_), Phase::Running { instance: now, tells, .. }) = (event, &mut running)
                && now == instance
            {
                // `kubectl exec` can have started this process: how it ends tells nothing of the instance, whose end is counted already.
                *tells = false;
                self.instances = instances.saturating_sub(1);
            }
            return running;
        }
        self.ended.clone_from(instance);
        match *event {
            Event::Ended(exit) => Phase::Ended(exit),
            Event::Between(exit) => self.after(exit, restarts, world.now()),
            Event::Seen => {
                // It ended while no agent ran. Kubelet may have restarted it at once, and that instance may have ended too.
                self.instances = self.instances.saturating_add(2);
                self.after(Exit::Unknown, restarts, world.now())
            }
        }
    }

    /// Its record in its present phase. `None` if there is nothing to record.
    pub(super) fn record(&self) -> Option<Record> {
        let (instance, event) = match &self.phase {
            Phase::Awaited => return None,
            Phase::Running { instance, .. } => (instance, Event::Seen),
            Phase::Between { exit, .. } => (&self.ended, Event::Between(*exit)),
            Phase::Ended(exit) => (&self.ended, Event::Ended(*exit)),
        };
        Some(Record { instances: self.most_instances(), instance: instance.clone(), event })
    }

    /// The phase after the end of its last instance by `exit`.
    fn after(&self, exit: Exit, restarts: &Restarts, now: Instant) -> Phase<P> {
        let told = restarts.then(&self.name, exit);
        let then = if told == Then::Unknown && self.restarted_after.contains(&exit) { Then::Restart } else { told };
        Phase::after(exit, restart::after(then, self.most_instances(), restarts.wait), now)
    }

    fn learn(&mut self, exit: Exit) -> bool {
        let is_new = exit != Exit::Unknown && !self.restarted_after.contains(&exit);
        if is_new {
            self.restarted_after.push(exit);
        }
        is_new
    }
}

/// How `process` has ended, as soon as the kernel tells it. Where something depends on it, it is worth a longer wait.
fn exit_of(process: &impl Process, tells: bool, depends: bool) -> Exit {
    if !tells {
        return Exit::Unknown;
    }
    process.exit(if depends { times::REAPING_TO_DECIDE } else { times::REAPING })
}

/// How a process has ended, as a clause of a message.
pub(super) fn clause(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unknown => "exit status unknown".to_owned(),
    }
}
