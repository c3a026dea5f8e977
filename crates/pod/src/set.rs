//! A set for the thousands of ends and inodes of one reading: a sorted list, because a hash table or a tree would add 10 KB of code to the
//! agent. A look-up takes about `log2(n)` comparisons, and a new set of `n` values about `n * log2(n)`.

/// A set of small values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set<T> {
    /// Sorted, each value once.
    sorted: Vec<T>,
}

// === impl Set ===

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { sorted: Vec::new() }
    }
}

impl<T: Ord> Set<T> {
    /// Whether `value` is in the set.
    pub(crate) fn contains(&self, value: &T) -> bool {
        self.sorted.binary_search(value).is_ok()
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut sorted: Vec<T> = values.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use core::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    thread_local! {
        static COMPARISONS: Cell<u32> = const { Cell::new(0) };
    }

    /// A number that counts its comparisons.
    #[derive(Clone, Copy, PartialEq, Eq)]
    struct Counted(u32);

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Counted {
        fn cmp(&self, other: &Self) -> Ordering {
            COMPARISONS.set(COMPARISONS.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    #[test]
    fn the_cost_of_thousands_of_values_is_not_quadratic() {
        const COUNT: u32 = 16_384;
        // Steps of an odd number visit every value below a power of two once, in no order.
        let values = (0..COUNT).map(|n| Counted(n.wrapping_mul(40_503) % COUNT));
        let set: Set<Counted> = values.clone().collect();
        assert!(values.clone().all(|value| set.contains(&value)));
        let per_value = COMPARISONS.get() / COUNT;
        assert!(per_value <= 3 * COUNT.ilog2(), "{per_value} comparisons for each value");
    }

    proptest! {
        #[test]
        fn it_contains_what_was_put_in_and_nothing_else(values in prop::collection::vec(0u8..40, 0..30), asked in 0u8..40) {
            let set: Set<u8> = values.iter().copied().collect();
            prop_assert_eq!(set.contains(&asked), values.contains(&asked));
        }
    }
}
