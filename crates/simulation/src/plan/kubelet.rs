//! What kubelet does with a pod: the runs of its task, the signals to its sidecars, its deletion.

use agent::task::Source;

use super::Dice;

/// One run of the task, in milliseconds. Kubelet starts a main container again if it has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) begins: u64,
    pub(crate) ends: u64,
}

/// All times are in milliseconds since the start of the first run.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one roll of the dice")]
pub(crate) struct KubeletPlan {
    /// The runs of the task, at least one.
    pub(crate) runs: Vec<Run>,
    /// Whether a failed run restarts all containers of the pod (`RestartAllContainers`).
    pub(crate) restarts_all: bool,
    /// Whether kubelet restarts a classic proxy that has crashed. A native one is always restarted while the task runs.
    pub(crate) on_failure: bool,
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

// === impl KubeletPlan ===

impl KubeletPlan {
    pub(super) fn roll(source: Source, dice: &mut Dice) -> Self {
        let runs = match source {
            // The agent's own `Containers` decide there which end is the last one. They are not part of the simulation.
            Source::Processes => 1,
            Source::Kubelet => 1 + dice.below(4).saturating_sub(1),
        };
        let longest = dice.one_of([1, 2_000, 20_000]);
        let mut begins = 0;
        let runs: Vec<Run> = (0..runs)
            .map(|_| {
                let run = Run { begins, ends: begins + dice.below(longest) };
                begins = run.ends + 1_000 + dice.below(10_000);
                run
            })
            .collect();
        let end = runs.last().map_or(0, |run| run.ends);
        let told = dice.one_in(2) || source == Source::Processes;
        let or_none = |dice: &mut Dice| if dice.one_in(3) { dice.below(4_000) } else { 0 };
        Self {
            restarts_all: source == Source::Kubelet && dice.one_in(4),
            on_failure: dice.one_in(3),
            proxy_down: 100 + dice.below(1_000),
            proxy_starts: 200 + dice.below(1_200),
            late: dice.below(1_000),
            behind: or_none(dice),
            before: or_none(dice),
            pre_stop: !dice.one_in(4),
            stray: (source == Source::Kubelet && dice.one_in(4)).then(|| dice.below(end + 1)),
            deleted: dice.one_in(4).then(|| dice.below(end + 10_000)),
            handles: if dice.one_in(3) { u64::MAX } else { dice.below(20_000) },
            shorter: dice.one_in(4).then(|| 1_000 * (1 + dice.below(10))),
            grace: if told { 1_000 * (3 + dice.below(60)) } else { 30_000 },
            told,
            runs,
        }
    }

    /// When the task ends for good, if nothing ends it before.
    pub(super) fn last_end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.ends)
    }
}
