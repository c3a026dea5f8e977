//! The plan of a simulated pod: its connections and its faults.

use core::net::IpAddr;

use drain::config::SIGNAL_ADDRESSES;

/// The seed decides everything in it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one roll of the dice")]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    pub(crate) flows: Vec<FlowPlan>,
    pub(crate) native: bool,
    /// The signal address of the filter; `None`: there is no filter.
    pub(crate) filter: Option<IpAddr>,
    /// Envoy itself responds instead of the filter: the module could not be loaded.
    pub(crate) fails_open: bool,
    pub(crate) too_many_clusters: bool,
    /// Whether Envoy's process can be told from others.
    pub(crate) finds_process: bool,
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
    /// When the pod is deleted, and its grace period.
    pub(crate) deleted: Option<u64>,
    pub(crate) grace: u64,
    /// How long after the end of the task kubelet ends native sidecars.
    pub(crate) native_after: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowPlan {
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

/// A reproducible random number generator (xorshift64*).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

// === impl Plan ===

impl Plan {
    /// The pod of `seed`.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let flows = (0..dice.below(5)).map(|_| FlowPlan::roll(&mut dice)).collect();
        let address = dice.one_of(SIGNAL_ADDRESSES);
        Self {
            seed,
            flows,
            native: dice.one_in(4),
            filter: (!dice.one_in(5)).then_some(address),
            fails_open: dice.one_in(12),
            too_many_clusters: dice.one_in(4),
            finds_process: !dice.one_in(4),
            delay: dice.one_of([500, 5_000, 60_000]),
            lost: if dice.one_in(3) { dice.below(20) } else { 0 },
            unanswered: if dice.one_in(3) { dice.below(20) } else { 0 },
            wrong: if dice.one_in(3) { dice.below(20) } else { 0 },
            troubled_until: dice.below(10_000),
            hangs: dice.one_in(5).then(|| dice.span(10_000, 40_000)),
            crashes: dice.one_in(10).then(|| dice.below(5_000)),
            reloads: dice.one_in(4).then(|| dice.below(2_000)),
            vm_crashes: dice.one_in(5).then(|| dice.below(2_000)),
            kills: (0..dice.below(8).saturating_sub(5)).map(|_| (dice.below(3_000), 200 + dice.below(2_000))).collect(),
            deleted: dice.one_in(5).then(|| dice.below(10_000)),
            grace: 3_000 + dice.below(60_000),
            native_after: 200 + dice.below(1_500),
        }
    }
}

// === impl FlowPlan ===

impl FlowPlan {
    fn roll(dice: &mut Dice) -> Self {
        let bytes = if dice.one_in(4) { dice.below(2_000) } else { dice.below(1_000_000) };
        let fastest = if dice.one_in(2) { 200 } else { 20_000 };
        let receiver = Receiver {
            pace: 50 + dice.below(fastest),
            stalls: match dice.below(10) {
                // Dead from some time on.
                0 => Some((dice.below(2_000), u64::MAX)),
                // It pauses, mostly for less than the stall timeout.
                1..=3 => Some(dice.span(2_000, 18_000)),
                _ => None,
            },
            keeps_open: dice.one_in(4),
        };
        Self { bytes, receiver, of_a_helper: dice.one_in(5) }
    }
}

// === impl Receiver ===

impl Receiver {
    pub(crate) fn takes(&self, now: u64) -> u64 {
        let stalled = self.stalls.is_some_and(|(from, to)| (from..to).contains(&now));
        if stalled { 0 } else { self.pace }
    }

    pub(crate) fn resumes(&self, now: u64) -> Option<u64> {
        self.stalls.map(|(_, to)| to).filter(|to| *to > now && *to < u64::MAX)
    }
}

// === impl Dice ===

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Similar seeds must not make similar pods, and zero is the one state that it cannot leave.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        if limit == 0 { 0 } else { number % limit }
    }

    fn one_of<T: Copy, const N: usize>(&mut self, list: [T; N]) -> T {
        let mut chosen = list[0];
        for (item, place) in list.into_iter().zip(1..) {
            if self.one_in(place) {
                chosen = item;
            }
        }
        chosen
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn span(&mut self, latest: u64, longest: u64) -> (u64, u64) {
        let from = self.below(latest);
        (from, from + 1 + self.below(longest))
    }
}
