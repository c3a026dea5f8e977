//! What kubelet does with a pod: how it starts its containers and starts them again, the signals to its sidecars, its deletion.

use agent::task::Source;
use pod::pidfd::Exit;

use super::Dice;
use super::order::Order;
use crate::world::Runtime;

/// Kubelet's back-off before the second restart of a container. It doubles before each further one; the first restart comes at once.
const BACK_OFF: u64 = 10_000;
/// The exit codes of the rules, and the container that has them.
const RESTARTS: u8 = 42;
const RESTARTS_ALL: u8 = 43;
pub(crate) const RULED: &str = "main";

/// One run of a main container. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    pub(crate) exit: Exit,
}

/// A main container.
#[derive(Clone, Debug)]
pub(crate) struct Main {
    pub(crate) name: &'static str,
    /// Its own restart policy, if it has one: whether that is `OnFailure`.
    pub(crate) own_policy: Option<bool>,
    /// At least one, the first of which begins when the pod does, plus the time of `Order`. After all but the last, kubelet starts the container again.
    pub(crate) runs: Vec<Run>,
}

/// The rule in the pod's spec for a failed main container (`restartPolicyRules`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// There is none: the restart policy decides.
    None,
    /// Exit code 42 restarts the container.
    Restarts,
    /// Exit code 43 restarts all containers of the pod.
    RestartsAll,
}

/// All times are in milliseconds since the pod began.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one roll of the dice")]
pub(crate) struct KubeletPlan {
    /// The main containers, at least one.
    pub(crate) mains: Vec<Main>,
    /// The restart policy of the pod: `OnFailure` or `Never`.
    pub(crate) on_failure: bool,
    pub(crate) rule: Rule,
    /// Whether the agent is told the names of the main containers, and the restart policy of the pod.
    pub(crate) tells_names: bool,
    pub(crate) tells_policy: bool,
    /// Whether the kernel tells the exit status of a process that is not the agent's child.
    pub(crate) tells: bool,
    /// Whether the agent is a native sidecar.
    pub(crate) agent_native: bool,
    /// When the containers of the agent and of the proxy start. Those of the main containers are in their runs.
    pub(crate) agent_begins: u64,
    pub(crate) proxy_begins: u64,
    /// When the main containers start if all containers start again. The images are there then.
    pub(crate) main_again: u64,
    /// When `istio-init` starts, and how long it takes.
    pub(crate) init_begins: u64,
    pub(crate) init_lasts: u64,
    /// How many processes the command of a main container starts that live on, and as many that end at once.
    pub(crate) children: u64,
    /// The runtime that starts them.
    pub(crate) runtime: Runtime,
    /// Whether kubelet's writes to `/etc/hosts` and the last id of a process can be seen.
    pub(crate) shows_starts: bool,
    /// Whether the container of a regular agent has `OnFailure` as a restart policy of its own.
    pub(crate) agent_on_failure: bool,
    /// Whether the agent has a folder for its state, which outlives it.
    pub(crate) state_dir: bool,
    /// How long a proxy is down, and how long a new one takes until it listens. Together less than the agent waits for a restart.
    pub(crate) proxy_down: u64,
    pub(crate) proxy_starts: u64,
    /// How late kubelet sees that a container has ended.
    pub(crate) late: u64,
    /// How long native sidecars take after SIGTERM that are listed behind the agent, and before it. Zero: there is none.
    pub(crate) behind: u64,
    pub(crate) before: u64,
    /// Whether the preStop hook of istio-proxy drains at once, so that pilot-agent leaves at once.
    pub(crate) pre_stop: bool,
    /// When somebody else sends SIGTERM to the agent.
    pub(crate) stray: Option<u64>,
    /// When the pod is deleted, and how long the task then takes to end. The largest value: it ignores SIGTERM.
    pub(crate) deleted: Option<u64>,
    pub(crate) handles: u64,
    /// The grace period of the deletion, if it is shorter than the pod's own.
    pub(crate) shorter: Option<u64>,
    /// The pod's `terminationGracePeriodSeconds`, in milliseconds, and whether the agent was told.
    pub(crate) grace: u64,
    pub(crate) told: bool,
}

// === impl Rule ===

impl Rule {
    /// Its action and its exit code, as the pod's spec has them.
    pub(crate) const fn action(self) -> Option<(&'static str, u8)> {
        match self {
            Self::None => None,
            Self::Restarts => Some(("Restart", RESTARTS)),
            Self::RestartsAll => Some(("RestartAllContainers", RESTARTS_ALL)),
        }
    }
}

// === impl Main ===

impl Main {
    fn roll(name: &'static str, begins: u64, on_failure: bool, rule: Rule, dice: &mut Dice) -> Self {
        let own_policy = dice.one_in(6).then(|| dice.one_in(2));
        let on_failure = own_policy.unwrap_or(on_failure);
        let mut begins = begins;
        let restarts = if on_failure || rule != Rule::None { dice.below(4).saturating_sub(1) } else { 0 };
        let longest = dice.one_of([1, 30, 2_000, 20_000]);
        let mut runs = Vec::new();
        for left in (0..=restarts).rev() {
            let ends = begins + 1 + dice.below(longest);
            let exit = match (left, on_failure, rule) {
                (0, true, _) => Exit::Code(0),
                (0, false, _) => dice.one_of([Exit::Code(0), Exit::Code(1), Exit::Signal(9)]),
                (_, _, Rule::Restarts) => Exit::Code(RESTARTS),
                (_, _, Rule::RestartsAll) => Exit::Code(RESTARTS_ALL),
                (_, _, Rule::None) => dice.one_of([Exit::Code(1), Exit::Signal(9)]),
            };
            runs.push(Run { begins, ends, exit });
            let lateness = if dice.one_in(4) { dice.below(9_000) } else { dice.below(1_500) };
            let back_off = match runs.len() {
                1 => 0,
                ended => BACK_OFF << (ended - 2),
            };
            begins = ends + back_off + lateness;
        }
        Self { name, own_policy, runs }
    }

    fn last_end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.ends)
    }
}

// === impl KubeletPlan ===

impl KubeletPlan {
    /// `native`: the proxy is a native sidecar.
    pub(super) fn roll(source: Source, native: bool, dice: &mut Dice) -> Self {
        let on_failure = dice.one_in(3);
        let rule = if dice.one_in(4) { dice.one_of([Rule::Restarts, Rule::RestartsAll]) } else { Rule::None };
        let agent_native = source == Source::Kubelet || (!native && dice.one_in(2));
        let proxy_starts = 200 + dice.below(1_200);
        let names = if rule != Rule::RestartsAll && dice.one_in(3) { &[RULED, "second"][..] } else { &[RULED] };
        let order = Order::roll(agent_native, native, names.len(), proxy_starts, dice);
        let mains: Vec<Main> = names
            .iter()
            .zip(&order.mains)
            .map(|(name, begins)| Main::roll(name, *begins, on_failure, if *name == RULED { rule } else { Rule::None }, dice))
            .collect();
        let end = mains.iter().map(Main::last_end).max().unwrap_or_default();
        let told = dice.one_in(2) || source == Source::Processes;
        let or_none = |dice: &mut Dice| if dice.one_in(3) { dice.below(4_000) } else { 0 };
        Self {
            on_failure,
            rule,
            tells_names: dice.one_in(2),
            tells_policy: dice.one_in(2),
            tells: !dice.one_in(3),
            agent_native,
            agent_begins: order.agent,
            proxy_begins: order.proxy,
            main_again: order.main_again,
            init_begins: order.init,
            init_lasts: order.init_lasts,
            runtime: if dice.one_in(4) { Runtime::Crun } else { Runtime::Runc },
            children: if dice.one_in(3) { dice.below(8) } else { 0 },
            shows_starts: !dice.one_in(8),
            agent_on_failure: dice.one_in(2),
            state_dir: dice.one_in(2),
            proxy_down: 100 + dice.below(1_000),
            proxy_starts,
            late: dice.below(1_000),
            behind: or_none(dice),
            before: or_none(dice),
            pre_stop: !dice.one_in(4),
            stray: dice.one_in(4).then(|| dice.below(end + 2_000)),
            deleted: dice.one_in(4).then(|| dice.below(end + 10_000)),
            handles: if dice.one_in(3) { u64::MAX } else { dice.below(20_000) },
            shorter: dice.one_in(4).then(|| 1_000 * (1 + dice.below(10))),
            grace: if told { 1_000 * (3 + dice.below(60)) } else { 30_000 },
            told,
            mains,
        }
    }

    /// The run `run` of the main container `main`.
    pub(crate) fn run(&self, main: usize, run: usize) -> Option<Run> {
        self.mains.get(main)?.runs.get(run).copied()
    }

    /// When the task ends for good, if nothing ends it before.
    pub(super) fn last_end(&self) -> u64 {
        self.mains.iter().map(Main::last_end).max().unwrap_or_default()
    }

    /// Whether kubelet may restart a main container, as far as the agent knows.
    pub(crate) fn may_restart(&self) -> bool {
        let own_policy = self.mains.iter().any(|main| main.own_policy == Some(true));
        self.on_failure || !self.tells_policy || self.rule != Rule::None || own_policy
    }

    /// Whether kubelet starts the agent again after a kill.
    pub(crate) fn restarts_agent(&self) -> bool {
        self.agent_native || self.agent_on_failure || self.on_failure
    }
}
