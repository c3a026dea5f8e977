//! Random numbers that can be repeated.

/// A reproducible random number generator (xorshift64*).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

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

    pub(super) fn index_below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from(self.below(limit)).unwrap_or(0)
    }

    pub(super) fn one_of<T: Copy, const N: usize>(&mut self, list: [T; N]) -> T {
        let mut chosen = list[0];
        for (item, place) in list.into_iter().zip(1..) {
            if self.one_in(place) {
                chosen = item;
            }
        }
        chosen
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn span(&mut self, latest: u64, longest: u64) -> (u64, u64) {
        let from = self.below(latest);
        (from, from + 1 + self.below(longest))
    }
}
