//! The plan of a simulated pod: its connections and its faults.

use core::net::IpAddr;

use agent::task::Source;
use drain::config::SIGNAL_ADDRESSES;

pub(crate) mod dice;
pub(crate) mod kubelet;

pub(crate) use self::dice::Dice;
pub(crate) use self::kubelet::{KubeletPlan, Run};

/// The seed decides everything in it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one roll of the dice")]
pub struct Plan {
    /// Who tells the agent the end of the task.
    pub source: Source,
    /// The seed.
    pub seed: u64,
    pub(crate) flows: Vec<FlowPlan>,
    pub(crate) kubelet: KubeletPlan,
    /// Whether istio-proxy is a native sidecar. With the source [`Source::Processes`], the agent is then a regular container.
    pub(crate) native: bool,
    /// The signal address of the filter; `None`: there is no filter.
    pub(crate) filter: Option<IpAddr>,
    /// Envoy itself responds instead of the filter: the module could not be loaded.
    pub(crate) fails_open: bool,
    pub(crate) too_many_clusters: bool,
    /// Whether Envoy's process can be told from others.
    pub(crate) finds_process: bool,
    /// Whether the agent may send SIGTERM to pilot-agent: it has the uid of the proxy.
    pub(crate) may_terminate: bool,
    /// The longest latency of a request, in microseconds.
    pub(crate) delay: u64,
    /// The percentage of requests that are lost, of responses that are lost, and of error responses of Envoy's admin interface and
    /// pilot-agent; until [`Plan::troubled_until`].
    pub(crate) lost: u64,
    pub(crate) unanswered: u64,
    pub(crate) wrong: u64,
    pub(crate) troubled_until: u64,
    /// From when to when Envoy hangs, in milliseconds.
    pub(crate) hangs: Option<(u64, u64)>,
    /// When Envoy crashes.
    pub(crate) crashes: Option<u64>,
    /// When the filter gets a new configuration, and when its virtual machine crashes.
    pub(crate) reloads: Option<u64>,
    pub(crate) vm_crashes: Option<u64>,
    /// When the agent is killed, and after how long kubelet restarts it.
    pub(crate) kills: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowPlan {
    /// The run of the task that sends the bytes, and how long before the end of that run.
    pub(crate) run: usize,
    pub(crate) before_end: u64,
    pub(crate) bytes: u64,
    pub(crate) receiver: Receiver,
    pub(crate) of_a_helper: bool,
}

/// The receiver of the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    /// Bytes per millisecond.
    pace: u64,
    /// From when to when it receives none, in milliseconds.
    stalls: Option<(u64, u64)>,
    /// Whether it keeps its end open when the sender has closed its own.
    pub(crate) keeps_open: bool,
}

// === impl Plan ===

impl Plan {
    /// The pod of `seed`, in which the agent knows the end of the task by `source`.
    #[must_use]
    pub fn of(source: Source, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let native = dice.one_in(4) || source == Source::Kubelet;
        let kubelet = KubeletPlan::roll(source, &mut dice);
        let runs = &kubelet.runs;
        let end = kubelet.last_end();
        let flows = (0..dice.below(5)).map(|_| FlowPlan::roll(runs, &mut dice)).collect();
        // In one pod in four the faults are counted from the start of the task, in the others from its end.
        let from = if dice.one_in(4) { 0 } else { end };
        let span = |(first, last): (u64, u64)| (from + first, from + last);
        Self {
            source,
            seed,
            flows,
            native,
            filter: (!dice.one_in(5)).then_some(dice.one_of(SIGNAL_ADDRESSES)),
            fails_open: dice.one_in(12),
            too_many_clusters: dice.one_in(4),
            finds_process: !dice.one_in(4),
            may_terminate: dice.one_in(6),
            delay: dice.one_of([500, 5_000, 60_000]),
            lost: if dice.one_in(3) { dice.below(20) } else { 0 },
            unanswered: if dice.one_in(3) { dice.below(20) } else { 0 },
            wrong: if dice.one_in(3) { dice.below(20) } else { 0 },
            troubled_until: from + dice.below(10_000),
            hangs: dice.one_in(5).then(|| span(dice.span(10_000, 40_000))),
            crashes: dice.one_in(10).then(|| from + dice.below(5_000)),
            reloads: dice.one_in(4).then(|| from + dice.below(2_000)),
            vm_crashes: dice.one_in(5).then(|| from + dice.below(2_000)),
            kills: (0..dice.below(8).saturating_sub(5)).map(|_| (from + dice.below(3_000), 200 + dice.below(2_000))).collect(),
            kubelet,
        }
    }

    /// Whether nothing goes wrong in it: no fault, no stalled or open receiver, no deletion.
    pub(crate) fn is_healthy(&self) -> bool {
        let calls_work = (self.lost, self.unanswered, self.wrong) == (0, 0, 0) && self.delay < 1_000;
        let no_fault = self.hangs.is_none() && self.crashes.is_none() && self.vm_crashes.is_none() && self.reloads.is_none();
        let receivers = self.flows.iter().all(|flow| flow.receiver.is_healthy() && !flow.of_a_helper);
        calls_work && no_fault && receivers && !self.fails_open && self.kills.is_empty() && self.kubelet.deleted.is_none()
    }
}

// === impl FlowPlan ===

impl FlowPlan {
    fn roll(runs: &[Run], dice: &mut Dice) -> Self {
        let last = runs.len().saturating_sub(1);
        let run = if dice.one_in(3) { dice.index_below(runs.len()) } else { last };
        let before_end = dice.one_of([0, 5, 300, 3_000]);
        let before_end = dice.below(before_end + 1);
        let ends = runs.get(run).map_or(0, |run| run.ends);
        let bytes = if dice.one_in(4) { dice.below(2_000) } else { dice.below(1_000_000) };
        let fastest = if dice.one_in(2) { 200 } else { 20_000 };
        let receiver = Receiver {
            pace: 50 + dice.below(fastest),
            stalls: match dice.below(10) {
                // Dead from some time on.
                0 => Some((ends + dice.below(2_000), u64::MAX)),
                // It pauses, mostly for less than the stall timeout.
                1..=3 => Some(dice.span(2_000, 18_000)).map(|(from, to)| (ends + from, ends + to)),
                _ => None,
            },
            keeps_open: dice.one_in(4),
        };
        Self { run, before_end, bytes, receiver, of_a_helper: dice.one_in(5) }
    }
}

// === impl Receiver ===

impl Receiver {
    pub(crate) fn takes(&self, now: u64) -> u64 {
        let stalled = self.stalls.is_some_and(|(from, to)| (from..to).contains(&now));
        if stalled { 0 } else { self.pace }
    }

    const fn is_healthy(&self) -> bool {
        self.stalls.is_none() && !self.keeps_open
    }

    pub(crate) fn resumes(&self, now: u64) -> Option<u64> {
        self.stalls.map(|(_, to)| to).filter(|to| *to > now && *to < u64::MAX)
    }
}
