//! Service times of a queue: the slot of a customer lasts from the call until the counter is free.

use super::recent::RecentValues;

/// Number of latest slots that count.
pub(super) const MAX_RECENT_SLOTS: usize = 150;
/// Number of slots as which the owner's minutes count.
const PRIOR_SLOT_COUNT: usize = 10;

/// Latest slots of a queue, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RecentSlots {
    recent: RecentValues<MAX_RECENT_SLOTS>,
    sum: u64,
    squares: u64,
}

impl RecentSlots {
    pub(super) fn add(&mut self, slot_s: u32) {
        let square = |s: u32| u64::from(s) * u64::from(s);
        if let Some(evicted) = self.recent.push(slot_s) {
            self.sum -= u64::from(evicted);
            self.squares -= square(evicted);
        }
        self.sum += u64::from(slot_s);
        self.squares += square(slot_s);
    }

    #[cfg(test)]
    pub(super) fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        self.recent.in_order()
    }

    /// Service time from these slots and the minutes that the owner configured.
    pub(super) fn service_time(&self, minutes: u32) -> ServiceTime<'_> {
        ServiceTime::new(self.recent.sorted(), self.sum as f64, self.squares as f64, minutes)
    }
}

/// Slots that stand in for the owner's minutes. They are spread evenly from nothing to twice as
/// much, so that their mean is the configured value, and a long slot is still expected to end.
fn prior_slots(configured_s: f64) -> [f64; PRIOR_SLOT_COUNT] {
    std::array::from_fn(|i| configured_s * (2 * i + 1) as f64 / PRIOR_SLOT_COUNT as f64)
}

/// Sample of a queue's slots and of the stand-ins for its configured minutes.
#[derive(Debug)]
pub(super) struct ServiceTime<'a> {
    sorted: &'a [u32],
    prior_slots: [f64; PRIOR_SLOT_COUNT],
    /// Mean slot in seconds; never 0.
    pub(super) mean_s: f64,
    /// Squared variation: variance by squared mean.
    pub(super) variation: f64,
}

impl ServiceTime<'static> {
    /// Service time from the configured minutes alone.
    pub(super) fn from_configured(minutes: u32) -> Self {
        ServiceTime::new(&[], 0.0, 0.0, minutes)
    }
}

impl<'a> ServiceTime<'a> {
    fn new(sorted: &'a [u32], sum: f64, squares: f64, minutes: u32) -> Self {
        let stand_ins = prior_slots(f64::from(minutes.max(1)) * 60.0);
        let count = (sorted.len() + PRIOR_SLOT_COUNT) as f64;
        let mean_s = (sum + stand_ins.iter().sum::<f64>()) / count;
        let square = (squares + stand_ins.iter().map(|s| s * s).sum::<f64>()) / count;
        ServiceTime {
            sorted,
            prior_slots: stand_ins,
            mean_s,
            variation: (square / (mean_s * mean_s) - 1.0).max(0.0),
        }
    }

    /// Mean rest, in seconds, of a slot that has lasted this long.
    pub(super) fn remaining_s(&self, spent_s: u32) -> f64 {
        let spent = f64::from(spent_s);
        let longer = &self.sorted[self.sorted.partition_point(|slot| *slot <= spent_s)..];
        let learned: u64 = longer.iter().map(|slot| u64::from(slot - spent_s)).sum();
        let mut remaining = learned as f64;
        let mut count = longer.len();
        for stand_in in self.prior_slots.iter().filter(|slot| **slot > spent) {
            remaining += stand_in - spent;
            count += 1;
        }
        // Longer than all slots before: only that long slots have long ends is known.
        if count == 0 { self.mean_s / 2.0 } else { remaining / count as f64 }
    }

    /// Rest, in seconds, that this share of the slots that have lasted so long does not exceed.
    pub(super) fn remaining_quantile_s(&self, spent_s: u32, share: f64) -> f64 {
        let spent = f64::from(spent_s);
        let longer = &self.sorted[self.sorted.partition_point(|slot| *slot <= spent_s)..];
        let mut longer = longer.iter().map(|slot| f64::from(*slot)).peekable();
        let mut stand_ins = self.prior_slots.iter().copied().filter(|s| *s > spent).peekable();
        let count = longer.len() + stand_ins.clone().count();
        if count == 0 {
            return self.mean_s * share;
        }
        let mut slot = spent;
        for _ in 0..=((share * count as f64) as usize).min(count - 1) {
            let learned_is_next = match (longer.peek(), stand_ins.peek()) {
                (Some(learned), Some(stand_in)) => learned <= stand_in,
                (learned, _) => learned.is_some(),
            };
            let next = if learned_is_next { longer.next() } else { stand_ins.next() };
            slot = next.unwrap_or(slot);
        }
        slot - spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent_slots(slots: impl IntoIterator<Item = u32>) -> RecentSlots {
        let mut all = RecentSlots::default();
        slots.into_iter().for_each(|slot| all.add(slot));
        all
    }

    #[test]
    fn with_nothing_learned_the_configured_minutes_hold() {
        let pace = ServiceTime::from_configured(5);
        assert!((pace.mean_s - 300.0).abs() < 1e-9);
        assert!((pace.remaining_s(0) - 300.0).abs() < 1e-9);
        assert!((0.3..0.35).contains(&pace.variation), "{}", pace.variation);
        assert_eq!(pace.remaining_s(9_999), 150.0);
        assert!(ServiceTime::from_configured(0).mean_s > 0.0);
    }

    #[test]
    fn the_configured_minutes_weigh_as_much_as_ten_slots() {
        assert!((recent_slots([600; 10]).service_time(5).mean_s - 450.0).abs() < 1e-9);
        assert!((recent_slots([600; 30]).service_time(5).mean_s - 525.0).abs() < 1e-9);
    }

    #[test]
    fn only_the_last_150_count() {
        let slots = recent_slots([9_000; 400].into_iter().chain([300; 150]));
        assert_eq!(slots, recent_slots([300; 150]));
        let slots_of_five = slots.service_time(5);
        assert!((slots_of_five.mean_s - 300.0).abs() < 1e-9);
        assert!(slots_of_five.variation < 0.03);
    }

    #[test]
    fn the_rest_of_a_slot_depends_on_the_time_spent() {
        // Half take two minutes and half take ten: a slot of more than three minutes takes ten.
        let slots = recent_slots([120, 600].repeat(75));
        let pace = slots.service_time(6);
        assert!((330.0..390.0).contains(&pace.remaining_s(0)));
        assert!((400.0..420.0).contains(&pace.remaining_s(180)));
    }
}
