//! The plan of a simulated pod: its connections and its faults.

use core::net::IpAddr;
use core::time::Duration;

use agent::shutdown::MARGIN;
use agent::task::Source;
use drain::config::SIGNAL_ADDRESSES;
use drain::limits::Limits;

pub(crate) mod dice;
pub(crate) mod kubelet;
mod order;

pub(crate) use self::dice::Dice;

pub(crate) use self::kubelet::{KubeletPlan, Main, RULED, Rule};

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
    /// Whether Istio captures only the connections to some addresses of the cluster (`includeOutboundIPRanges`).
    pub(crate) limited_capture: bool,
    /// The drain timeout and the stall timeout that the agent is told, and those of the filter's configuration, in milliseconds.
    pub(crate) agent_limits: Timeouts,
    pub(crate) filter_limits: Timeouts,
    /// From when to when the agent is not scheduled, in milliseconds.
    pub(crate) freezes: Vec<(u64, u64)>,
    /// The agent has little of a processor: of each span of this length, in milliseconds, it is not scheduled for this time.
    pub(crate) throttle: Option<(u64, u64)>,
    /// What Envoy buffers.
    pub(crate) telemetry: TelemetryPlan,
    /// When the agent is killed, and after how long kubelet restarts it.
    pub(crate) kills: Vec<(u64, u64)>,
}

/// Whether Envoy sends access logs to a server, and whether it has a tracer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TelemetryPlan {
    pub(crate) logs: bool,
    pub(crate) spans: bool,
}

/// The drain timeout and the stall timeout, in milliseconds, if they are given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timeouts {
    pub(crate) drain: Option<u64>,
    pub(crate) stall: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowPlan {
    /// The main container and its run that sends the bytes, and how long before the end of that run.
    pub(crate) main: usize,
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
        let kubelet = KubeletPlan::roll(source, native, &mut dice);
        let mains = &kubelet.mains;
        let end = kubelet.last_end();
        let flows = (0..dice.below(5)).map(|_| FlowPlan::roll(mains, &mut dice)).collect();
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
            limited_capture: dice.one_in(5),
            agent_limits: Timeouts::roll(&mut dice),
            filter_limits: Timeouts::roll(&mut dice),
            freezes: (0..dice.below(6).saturating_sub(3))
                .map(|_| dice.below(end + 5_000))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|at| (at, at + dice.one_of([30, 300, 1_500])))
                .collect(),
            throttle: dice.one_in(6).then(|| dice.one_of([(100, 60), (100, 98), (1_000, 950)])),
            kills: (0..dice.below(8).saturating_sub(5)).map(|_| (from + dice.below(3_000), 200 + dice.below(2_000))).collect(),
            telemetry: TelemetryPlan { logs: dice.one_in(4), spans: dice.one_in(4) },
            kubelet,
        }
    }

    /// The limits of the filter.
    pub(crate) fn filter_limits(&self) -> Limits {
        self.filter_limits.or(Limits::default())
    }

    /// The shortest limits that can rule: what the agent was told, or else those of the filter, or else the defaults, as the agent
    /// cannot always reach the filter.
    pub(crate) fn least_limits(&self) -> Limits {
        let defaults = Limits::default();
        let filter = if self.filter.is_some() { self.filter_limits() } else { defaults };
        self.agent_limits.or(Limits {
            drain_timeout: filter.drain_timeout.min(defaults.drain_timeout),
            stall_timeout: filter.stall_timeout.min(defaults.stall_timeout),
            ..defaults
        })
    }

    /// For how long the agent can be late because it is not scheduled.
    pub(crate) fn lateness(&self) -> Duration {
        let freezes = self.freezes.iter().map(|(from, to)| to - from).sum::<u64>();
        // While it waits for a tenth of what it needs, the rest of its work waits, too.
        let throttled = self.throttle.map_or(0, |(_, asleep)| 3 * asleep);
        Duration::from_millis(freezes + throttled)
    }

    /// Whether the agent can be asleep for as long as the time that it keeps for its verdict.
    pub(crate) fn can_miss_margin(&self) -> bool {
        self.lateness() >= MARGIN
    }

    /// Until when the agent is not scheduled, if that is so at `now`. All in milliseconds.
    pub(crate) fn frozen_until(&self, now: u64) -> Option<u64> {
        let frozen = self.freezes.iter().find(|(from, to)| (*from..*to).contains(&now)).map(|(_, to)| *to);
        let throttled = self.throttle.and_then(|(span, asleep)| (now % span < asleep).then_some(now - now % span + asleep));
        frozen.max(throttled)
    }

    /// Whether nothing goes wrong in it: no fault, no stalled or open receiver, no deletion.
    pub(crate) fn is_healthy(&self) -> bool {
        let calls_work = (self.lost, self.unanswered, self.wrong) == (0, 0, 0) && self.delay < 1_000;
        let no_fault = self.hangs.is_none() && self.crashes.is_none() && self.vm_crashes.is_none() && self.reloads.is_none();
        let receivers = self.flows.iter().all(|flow| flow.receiver.is_healthy() && !flow.of_a_helper);
        calls_work && no_fault && receivers && !self.fails_open && self.kills.is_empty() && self.kubelet.deleted.is_none()
    }
}

// === impl TelemetryPlan ===

impl TelemetryPlan {
    /// How long its buffers need at most: an interval, and a little for late timers and the last request. Spans need that only if Envoy had some
    /// before the agent spoke to it.
    pub(crate) const fn longest(self) -> Duration {
        match (self.logs, self.spans) {
            (_, true) => Duration::from_millis(5_200),
            (true, false) => Duration::from_millis(1_200),
            (false, false) => Duration::ZERO,
        }
    }
}

// === impl Timeouts ===

impl Timeouts {
    fn roll(dice: &mut Dice) -> Self {
        Self {
            drain: dice.one_in(4).then(|| 2_000 + dice.below(120_000)),
            stall: dice.one_in(4).then(|| 1_000 + dice.below(30_000)),
        }
    }

    /// These, where they are given, or else `limits`.
    fn or(self, limits: Limits) -> Limits {
        Limits {
            drain_timeout: self.drain.map_or(limits.drain_timeout, Duration::from_millis),
            stall_timeout: self.stall.map_or(limits.stall_timeout, Duration::from_millis),
            ..limits
        }
    }
}

// === impl FlowPlan ===

impl FlowPlan {
    fn roll(mains: &[Main], dice: &mut Dice) -> Self {
        let main = dice.index_below(mains.len());
        let runs = mains.get(main).map_or(&[][..], |main| &main.runs);
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
        Self { main, run, before_end, bytes, receiver, of_a_helper: dice.one_in(5) }
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
