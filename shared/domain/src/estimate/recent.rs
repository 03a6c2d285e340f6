//! Window over the latest values, in order of arrival and by size.

use std::collections::VecDeque;

/// Window of at most `LAST` values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RecentValues<const LAST: usize> {
    by_arrival: VecDeque<u32>,
    sorted: Vec<u32>,
}

impl<const LAST: usize> RecentValues<LAST> {
    /// Adds a value, and returns the one that left the window.
    pub(super) fn push(&mut self, value: u32) -> Option<u32> {
        let evicted =
            if self.by_arrival.len() == LAST { self.by_arrival.pop_front() } else { None };
        if let Some(evicted) = evicted {
            self.sorted.remove(self.sorted.partition_point(|v| *v < evicted));
        }
        self.by_arrival.push_back(value);
        self.sorted.insert(self.sorted.partition_point(|v| *v < value), value);
        evicted
    }

    pub(super) fn len(&self) -> usize {
        self.by_arrival.len()
    }

    /// Values in order of arrival, oldest first.
    #[cfg(test)]
    pub(super) fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_arrival.iter().copied()
    }

    /// Values by size, smallest first.
    pub(super) fn sorted(&self) -> &[u32] {
        &self.sorted
    }
}

/// Value that the next one stays below with this chance, in percent, if it comes from the same
/// distribution: one more value is counted than there is. `None` without values.
pub(super) fn quantile(sorted: &[u32], percent: usize) -> Option<u32> {
    let position = (percent * (sorted.len() + 1)).div_ceil(100);
    sorted.get(position.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quantile_counts_the_one_to_come() {
        let nine: Vec<u32> = (1..=9).collect();
        assert_eq!([50, 80, 90].map(|p| quantile(&nine, p)), [Some(5), Some(8), Some(9)]);
        assert_eq!([1, 100].map(|p| quantile(&nine, p)), [Some(1), Some(9)]);
        assert_eq!(quantile(&[], 50), None);
    }

    proptest! {
        #[test]
        fn the_last_ones_are_kept_in_both_orders(values in prop::collection::vec(0u32..50, 0..40)) {
            let mut recent = RecentValues::<7>::default();
            for value in &values {
                recent.push(*value);
            }
            let last = &values[values.len().saturating_sub(7)..];
            prop_assert_eq!(recent.in_order().collect::<Vec<_>>(), last);
            let mut sorted = last.to_vec();
            sorted.sort();
            prop_assert_eq!(recent.sorted(), &sorted[..]);
        }
    }
}
