//! The order in which kubelet starts the containers of a new pod, and when.

use super::Dice;

/// When the containers start, in milliseconds since the pod began.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) proxy: u64,
    pub(super) agent: u64,
    pub(super) init: u64,
    pub(super) init_lasts: u64,
    pub(super) mains: Vec<u64>,
    /// The first of them, without the time for its image.
    pub(super) main_again: u64,
}

// === impl Order ===

impl Order {
    /// Native sidecars come first, the proxy before the agent. A regular agent is mostly listed first. A classic proxy is listed last, or
    /// first if the others wait for it.
    pub(super) fn roll(agent_native: bool, proxy_native: bool, mains: usize, proxy_starts: u64, dice: &mut Dice) -> Self {
        let is_busy = dice.one_in(6);
        // From one start to the next.
        let mut now = 0;
        let mut next = |dice: &mut Dice, waits: u64| {
            now += waits + 140 + dice.below(if is_busy { 5_000 } else { 300 });
            now
        };
        let proxy_first = proxy_native || dice.one_in(3);
        let agent_first = agent_native || !dice.one_in(3);
        let init_lasts = 50 + dice.below(if is_busy { 3_000 } else { 500 });
        // A native agent beside a classic proxy is listed before `istio-init`, which the injector puts behind all init containers.
        let agent_before = (agent_native && !proxy_native).then(|| next(dice, 0));
        let init = next(dice, 0);
        let before = proxy_first.then(|| next(dice, init_lasts));
        let waits = if proxy_first { proxy_starts } else { init_lasts };
        let agent_inside = (agent_first && agent_before.is_none()).then(|| next(dice, waits));
        let waits = if agent_inside.is_some() { 0 } else { waits };
        let agent = agent_before.or(agent_inside);
        let mut mains: Vec<u64> = (0..mains).map(|place| next(dice, if place == 0 { waits } else { 0 })).collect();
        // In some pods the agent is behind the proxy, in others the other way round.
        let swaps = dice.one_in(2);
        let (one, other) = (next(dice, 0), next(dice, 0));
        let main_again = mains.first().copied().unwrap_or_default();
        let (behind_agent, behind_proxy) = if swaps { (one, other) } else { (other, one) };
        if let Some(first) = mains.first_mut().filter(|_| dice.one_in(12)) {
            // Its image is not there. The containers behind it are started meanwhile.
            *first += 10_000 + dice.below(600_000);
        }
        Self { proxy: before.unwrap_or(behind_proxy), agent: agent.unwrap_or(behind_agent), init, init_lasts, mains, main_again }
    }
}
