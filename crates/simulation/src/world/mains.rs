//! The main containers: their runs, the processes of these, and how they have ended.

use agent::options::PROXY;
use agent::task::Source;
use pod::container::Container;
use pod::pidfd::Exit;
use pod::procfs::Instance;
use pod::stat::Stat;

use super::kubelet::Step;
use super::{Happening, MILLISECOND, World};
use crate::plan::Rule;

/// The name of the agent's container.
pub(super) const AGENT: &str = "exeunt";
/// The init container of Istio.
pub(super) const INIT: &str = "istio-init";

/// The state of a main container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Kubelet will start a run of it.
    Waits,
    Runs,
    /// It has ended for good.
    Ended,
}

/// A main container.
#[derive(Debug)]
pub(super) struct MainState {
    state: State,
    /// The run that runs, or else the next one.
    run: usize,
    /// The PID of the last run that has begun, and when that was.
    pid: i32,
    since: u64,
    /// How the runs that are over have ended, by their PIDs.
    exits: Vec<(i32, Exit)>,
    /// The PID of the last run that an agent has opened.
    opened: i32,
    /// Whether a run of it has passed unseen, before the last one that has begun.
    missed_one: bool,
}

// === impl MainState ===

impl MainState {
    pub(super) const fn new() -> Self {
        Self { state: State::Waits, run: 0, pid: 0, since: 0, exits: Vec::new(), opened: 0, missed_one: false }
    }

    fn runs(&self) -> bool {
        self.state == State::Runs
    }
}

// === impl World ===

impl World {
    /// Whether this run of this main container is over.
    pub(super) fn run_is_over(&self, main: usize, run: usize) -> bool {
        self.kubelet.mains.get(main).is_some_and(|state| run < state.run)
    }

    /// Whether no main container runs.
    pub(super) fn mains_are_down(&self) -> bool {
        !self.kubelet.mains.iter().any(MainState::runs)
    }

    pub(super) fn begin_run(&mut self, main: usize, run: usize) {
        let (Some(plan), starts) = (self.plan.kubelet.run(main, run), self.kubelet.starts_containers()) else { return };
        let now = self.now;
        let waits = self.kubelet.mains.get(main).is_some_and(|state| state.state == State::Waits && state.run == run);
        if !starts || !waits {
            return;
        }
        let pid = self.start_process();
        // What the command starts lives as long as it does, or ends before.
        self.ids.begin(pid, self.plan.kubelet.children);
        self.ids.pass(self.plan.kubelet.children);
        let Some(state) = self.kubelet.mains.get_mut(main) else { return };
        state.missed_one |= run > 0 && state.opened != state.pid;
        (state.state, state.since, state.pid) = (State::Runs, now, pid);
        self.note(&format!("run {run} of main container {main} begins"));
        let left = (plan.ends * MILLISECOND).saturating_sub(now).max((plan.ends - plan.begins) * MILLISECOND);
        self.schedule(left, Happening::Kubelet(Step::RunEnds(main, run)));
        self.begin_flows(main, run);
    }

    /// `is_stopped`: kubelet has asked for it.
    pub(super) fn end_run(&mut self, main: usize, run: usize, is_stopped: bool) {
        let Some(plan) = self.plan.kubelet.run(main, run) else { return };
        let (starts, restarts) = (self.kubelet.starts_containers(), self.kubelet.restarts_all());
        let Some(state) = self.kubelet.mains.get_mut(main) else { return };
        if !state.runs() || state.run != run {
            return;
        }
        let exit = if is_stopped { Exit::Code(143) } else { plan.exit };
        state.exits.push((state.pid, exit));
        state.run = run + 1;
        let pid = state.pid;
        let next = self.plan.kubelet.run(main, run + 1);
        state.state = if next.is_some() && (starts || restarts) { State::Waits } else { State::Ended };
        let last = if state.state == State::Ended { ", the last one" } else { "" };
        self.note(&format!("run {run} of main container {main} ends ({exit:?}){last}"));
        self.ids.end(pid);
        self.close_flows(main, run);
        self.look_for_task_end();
        if let Some(next) = next.filter(|_| starts) {
            if self.plan.kubelet.rule == Rule::RestartsAll {
                self.schedule(self.plan.kubelet.late * MILLISECOND, Happening::Kubelet(Step::RestartsAll));
            } else {
                let pause = (next.begins * MILLISECOND).saturating_sub(self.now);
                self.schedule_start(pause, Step::RunBegins(main, run + 1));
            }
        }
        self.proceed();
    }

    /// The main containers get SIGTERM, and SIGKILL after `grace`. What does not run is not started again.
    pub(super) fn stop_mains(&mut self, grace: u64) {
        let left = self.plan.kubelet.handles.saturating_mul(MILLISECOND).min(grace);
        let running = self.kubelet.mains.iter().zip(0..).filter(|(state, _)| state.runs()).map(|(state, main)| (main, state.run));
        for (main, run) in running.collect::<Vec<_>>() {
            self.schedule(left, Happening::Kubelet(Step::RunIsStopped(main, run)));
        }
        if self.kubelet.is_deleted() {
            self.end_waiting_mains();
        }
    }

    /// An agent starts. Without a folder for its state it knows nothing of what another one has seen.
    pub(super) fn forget_opened(&mut self) {
        if !self.plan.kubelet.state_dir {
            for state in &mut self.kubelet.mains {
                state.opened = 0;
            }
        }
    }

    /// An agent has opened the process `pid`.
    pub(crate) fn on_open(&mut self, pid: i32) {
        for state in self.kubelet.mains.iter_mut().filter(|state| state.pid == pid) {
            state.opened = pid;
        }
    }

    /// Why nothing that the agent can see tells that the last run of a main container was there, which has passed unseen (decision 13, "What cannot
    /// be known").
    pub(super) fn misses_a_task(&self) -> Option<&'static str> {
        let plan = &self.plan.kubelet;
        let missed = || self.kubelet.mains.iter().filter(|state| state.opened != state.pid);
        if missed().next().is_none() {
            None
        } else if !plan.shows_starts {
            Some("a task passed unseen, and no creation of a container can be seen")
        } else if missed().any(|state| state.since < self.kubelet.watches_since) {
            Some(match (self.kubelet.was_agent_restarted(), missed().any(|state| state.since < self.kubelet.agent_since)) {
                (true, _) => "a task passed while no agent ran",
                (false, true) => "a task passed that is listed before the agent",
                (false, false) => "a task passed in the first moments of the agent, before it began to watch",
            })
        } else if self.kubelet.has_uncounted() {
            Some("a task passed unseen, and the agent does not know how many containers were created before it began to watch")
        } else if plan.mains.len() > 1 && plan.may_restart() {
            Some("one of two main containers passed unseen, and kubelet can restart one")
        } else if !self.plan.finds_process {
            Some("a task passed unseen beside a proxy whose process cannot be seen")
        } else if plan.agent_native && self.kubelet.was_agent_restarted() {
            Some("a task passed unseen, and a native agent that was started again has not seen the init containers")
        } else {
            None
        }
    }

    /// Why the agent cannot know that a main container is started again, and so ends the proxy before (decision 14).
    pub(super) fn misses_a_restart(&self) -> Option<&'static str> {
        let plan = &self.plan.kubelet;
        if !self.kubelet.mains.iter().any(|state| state.state != State::Ended && (state.missed_one || state.opened != state.pid))
        {
            None
        } else if !plan.shows_starts {
            Some("an instance passed unseen before the next one, and no creation of a container can be seen")
        } else if self.kubelet.was_agent_restarted() && !plan.state_dir {
            Some("an instance passed while no agent ran, and an agent without a folder for its state was started again")
        } else {
            None
        }
    }

    /// Kubelet starts nothing any more.
    pub(super) fn end_waiting_mains(&mut self) {
        for state in &mut self.kubelet.mains {
            if state.state == State::Waits {
                state.state = State::Ended;
            }
        }
        self.look_for_task_end();
    }

    /// All containers start again, the main ones after `pause` at the earliest.
    pub(super) fn restart_mains(&mut self, pause: u64) {
        let runs: Vec<_> = self.kubelet.mains.iter().zip(0..).map(|(state, main)| (main, state.run)).collect();
        for (main, run) in runs {
            let begins = self.plan.kubelet.run(main, run).map_or(0, |run| run.begins * MILLISECOND);
            self.schedule_start(begins.saturating_sub(self.now).max(pause), Step::RunBegins(main, run));
        }
    }

    fn look_for_task_end(&mut self) {
        if self.kubelet.task_ended.is_none() && self.kubelet.mains.iter().all(|state| state.state == State::Ended) {
            self.kubelet.task_ended = Some(self.now);
            if self.plan.source == Source::Processes {
                self.ledger.begin(self.now);
            }
        }
    }

    /// Whether the process `pid` is that of a main container that runs.
    pub(super) fn runs_main(&self, pid: i32) -> bool {
        self.kubelet.mains.iter().any(|state| state.runs() && state.pid == pid)
    }

    /// The processes of the main containers.
    pub(super) fn main_processes(&self) -> Vec<Stat> {
        let running = self.kubelet.mains.iter().zip(&self.plan.kubelet.mains).filter(|(state, _)| state.runs());
        let stat = |(state, plan): (&MainState, &crate::plan::Main)| Stat {
            pid: state.pid,
            comm: plan.name.to_owned(),
            state: b'S',
            parent: 0,
            start: ticks(state.since),
        };
        running.map(stat).collect()
    }

    /// The running instance of the container `name`, if it is not the one that has `ended`.
    pub(crate) fn instance_of(&self, name: &str, ended: Option<&str>) -> Option<Instance> {
        let pid = match name {
            AGENT => self.own_pid(),
            INIT => self.kubelet.init?.0,
            PROXY => self.proxy.root(),
            _ => {
                let place = self.plan.kubelet.mains.iter().position(|main| main.name == name)?;
                self.kubelet.mains.get(place).filter(|state| state.runs())?.pid
            }
        };
        let id = self.container(pid).filter(|container| Some(container.instance.as_str()) != ended)?.instance;
        let root = self.processes().into_iter().find(|process| process.pid == pid)?;
        Some(Instance { id, root })
    }

    /// The container of the process `pid`.
    pub(crate) fn container(&self, pid: i32) -> Option<Container> {
        let (name, root) = if self.plan.source == Source::Kubelet {
            return None;
        } else if pid == self.own_pid() {
            (AGENT, pid)
        } else if self.is_proxys(pid) {
            self.plan.finds_process.then_some((PROXY, self.proxy.root()))?
        } else if self.kubelet.init.is_some_and(|(init, _)| init == pid) {
            (INIT, pid)
        } else {
            let place = self.kubelet.mains.iter().position(|state| state.runs() && state.pid == pid)?;
            (self.plan.kubelet.mains.get(place)?.name, pid)
        };
        Some(Container { name: name.to_owned(), instance: instance_id(root) })
    }

    /// Whether the kernel tells the exit status of a process that is not the agent's child.
    pub(crate) const fn tells(&self) -> bool {
        self.plan.kubelet.tells
    }

    /// How the process `pid` has ended, if the kernel tells it.
    pub(crate) fn exit_of(&self, pid: i32) -> Exit {
        let exits = self.kubelet.mains.iter().flat_map(|state| &state.exits).chain(self.proxy.exits());
        exits.filter(|(known, _)| *known == pid && self.plan.kubelet.tells).map(|(_, exit)| *exit).next().unwrap_or(Exit::Unknown)
    }
}

/// Kubelet's id of the instance whose first process has this PID.
pub(super) fn instance_id(pid: i32) -> String {
    format!("{pid:08x}")
}

/// A time in the kernel's clock ticks, of which a second has a hundred.
pub(super) const fn ticks(micros: u64) -> u64 {
    micros / 10_000
}
