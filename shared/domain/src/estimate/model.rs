//! What a site's finished visits have taught: slots, cancellations, and how forecasts came out.

use super::recent::{Recent, quantile};
use super::situation::Band;
use super::slots::{LAST_SLOTS, Pace, Slots};
use crate::model::ids::QueueId;
use imbl::OrdMap;
use std::sync::Arc;

/// How many of the latest outcomes count, in each band.
const LAST_OUTCOMES: usize = 200;
/// Below this many outcomes their quantiles say nothing.
const ENOUGH_OUTCOMES: usize = 30;
/// The 50, 80 and 90 % multipliers, in thousandths, before there are enough outcomes.
const COLD: [u32; 3] = [1_000, 1_400, 1_800];
/// An outcome further off than this, in thousandths, is kept as this.
const FURTHEST: u32 = 100_000;

/// What was learned of each queue of a site. A copy shares everything with its origin.
///
/// It is fed with visits in the order in which they ended; the same visits give the same model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    queues: OrdMap<QueueId, Arc<Learned>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Learned {
    slots: Slots,
    /// Of the latest visits, 1 for each that was cancelled.
    cancelled: Recent<LAST_SLOTS>,
    /// Actual ÷ predicted wait in thousandths, by band.
    outcomes: [Recent<LAST_OUTCOMES>; 4],
}

/// A visit that has ended, as the model needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// How many were ahead when the forecast was made.
    pub ahead: u32,
    /// What was predicted ([`Forecast::predicted_s`](super::Forecast)). `None` if nothing was, or
    /// if the wait is not comparable: held, returned, transferred, or let pass on the way.
    pub predicted_s: Option<u32>,
    /// How it ended.
    pub end: VisitEnd,
}

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitEnd {
    /// Called, and served or missed.
    Called {
        /// Seconds from joining to the first call.
        waited_s: u32,
        /// Seconds from the call until the counter was free.
        slot_s: u32,
        /// Whether the slot is flagged as no real one: a counter that was left open overnight.
        implausible: bool,
    },
    /// Left the line before being called.
    Cancelled,
}

/// What was learned of a queue as plain lists, oldest first, for whoever stores it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Slots in seconds.
    pub slots_s: Vec<u32>,
    /// Of the latest visits, whether each was cancelled.
    pub cancelled: Vec<bool>,
    /// Actual ÷ predicted wait in thousandths, by [`Band`].
    pub outcomes: [Vec<u32>; 4],
}

impl Model {
    /// Learns from a visit to this queue.
    pub fn learn(&mut self, queue: &QueueId, visit: &Visit) {
        let learned = Arc::make_mut(self.queues.entry(queue.clone()).or_default());
        let VisitEnd::Called { waited_s, slot_s, implausible } = visit.end else {
            learned.cancelled.add(1);
            return;
        };
        learned.cancelled.add(0);
        if !implausible {
            learned.slots.add(slot_s);
        }
        if let Some(predicted_s) = visit.predicted_s.filter(|predicted| *predicted > 0) {
            let ratio = u64::from(waited_s) * 1_000 / u64::from(predicted_s);
            let ratio = u32::try_from(ratio).unwrap_or(FURTHEST).min(FURTHEST);
            learned.outcomes[Band::of(visit.ahead) as usize].add(ratio);
        }
    }

    /// The queues of which something was learned.
    pub fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.keys()
    }

    /// What was learned of a queue, to be stored.
    pub fn snapshot(&self, queue: &QueueId) -> Snapshot {
        let Some(learned) = self.queues.get(queue) else { return Snapshot::default() };
        Snapshot {
            slots_s: learned.slots.in_order().collect(),
            cancelled: learned.cancelled.in_order().map(|cancelled| cancelled == 1).collect(),
            outcomes: learned.outcomes.each_ref().map(|band| band.in_order().collect()),
        }
    }

    /// Takes back what was stored of a queue, in place of what is known of it.
    pub fn restore(&mut self, queue: &QueueId, snapshot: &Snapshot) {
        let mut learned = Learned::default();
        snapshot.slots_s.iter().for_each(|slot| learned.slots.add(*slot));
        for cancelled in &snapshot.cancelled {
            learned.cancelled.add(u32::from(*cancelled));
        }
        for (band, stored) in learned.outcomes.iter_mut().zip(&snapshot.outcomes) {
            for outcome in stored {
                band.add((*outcome).min(FURTHEST));
            }
        }
        self.queues.insert(queue.clone(), Arc::new(learned));
    }

    pub(super) fn of(&self, queue: &QueueId) -> Arc<Learned> {
        self.queues.get(queue).cloned().unwrap_or_default()
    }
}

impl Learned {
    /// Whether too few forecasts came out yet to learn from any of it.
    pub(super) fn is_cold(&self) -> bool {
        self.outcomes.iter().map(Recent::len).sum::<usize>() < ENOUGH_OUTCOMES
    }

    /// How long customers keep a counter; what the owner configured while it is cold.
    pub(super) fn pace(&self, minutes: u32) -> Pace<'_> {
        if self.is_cold() { Pace::configured(minutes) } else { self.slots.pace(minutes) }
    }

    /// Of those ahead, the share that will still be there: half of those who cancel have done so.
    pub(super) fn staying(&self) -> f64 {
        let visits = self.cancelled.len();
        if visits == 0 || self.is_cold() {
            return 1.0;
        }
        let stayed = self.cancelled.sorted().partition_point(|cancelled| *cancelled == 0);
        1.0 - (visits - stayed) as f64 / visits as f64 / 2.0
    }

    /// What to multiply a prediction with for the 50, 80 and 90 % bounds.
    pub(super) fn multipliers(&self, ahead: u32) -> [f64; 3] {
        let band = &self.outcomes[Band::of(ahead) as usize];
        let mut all = Vec::new();
        let sorted = if band.len() >= ENOUGH_OUTCOMES {
            band.sorted()
        } else {
            // The band is new, the queue is not: what the others say is better than a guess.
            all.extend(self.outcomes.iter().flat_map(Recent::sorted));
            all.sort_unstable();
            &all
        };
        let thousandths = match self.is_cold() {
            true => COLD,
            false => [50, 80, 90].map(|percent| quantile(sorted, percent).unwrap_or(1_000)),
        };
        thousandths.map(|multiplier| f64::from(multiplier) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn called(ahead: u32, predicted_s: u32, waited_s: u32, slot_s: u32) -> Visit {
        let end = VisitEnd::Called { waited_s, slot_s, implausible: false };
        Visit { ahead, predicted_s: Some(predicted_s), end }
    }

    fn taught(visits: impl IntoIterator<Item = Visit>) -> Model {
        let mut model = Model::default();
        for visit in visits {
            model.learn(&QueueId::new("a"), &visit);
        }
        model
    }

    #[test]
    fn thirty_outcomes_end_the_cold_start() {
        let visit = called(1, 100, 200, 60);
        let cold = taught([visit; 29]).of(&QueueId::new("a"));
        assert!(cold.is_cold());
        assert_eq!(cold.multipliers(1), [1.0, 1.4, 1.8]);
        assert!((cold.pace(5).mean_s - 300.0).abs() < 1e-9);
        let warm = taught([visit; 30]).of(&QueueId::new("a"));
        assert!(!warm.is_cold());
        assert_eq!(warm.multipliers(1), [2.0; 3]);
        assert!(warm.pace(5).mean_s < 150.0);
    }

    #[test]
    fn each_band_learns_for_itself_and_a_new_one_borrows() {
        let few = (1..=99).map(|i| called(0, 100, i, 60));
        let crowd = (1..=99).map(|i| called(20, 100, 1_000 + i, 60));
        let model = taught(few.chain(crowd)).of(&QueueId::new("a"));
        assert_eq!(model.multipliers(2), [0.5, 0.8, 0.9]);
        assert_eq!(model.multipliers(15), [10.5, 10.8, 10.9]);
        assert_eq!(model.multipliers(5)[0], 10.01, "the middle of all of them");
    }

    #[test]
    fn what_was_flagged_or_not_predicted_is_not_learned_from() {
        let end = VisitEnd::Called { waited_s: 60, slot_s: 40_000, implausible: true };
        let flagged = Visit { ahead: 1, predicted_s: None, end };
        let at_once = called(0, 0, 0, 120);
        let learned = taught([flagged, at_once]).snapshot(&QueueId::new("a"));
        assert_eq!(learned.slots_s, [120]);
        assert!(learned.outcomes.iter().all(Vec::is_empty));
    }

    #[test]
    fn half_of_the_recent_cancellations_are_taken_off() {
        let gone = Visit { ahead: 3, predicted_s: Some(100), end: VisitEnd::Cancelled };
        let model = taught([gone; 10].into_iter().chain([called(1, 100, 100, 60); 90]));
        assert_eq!(model.of(&QueueId::new("a")).staying(), 0.95);
        assert_eq!(taught([gone; 10]).of(&QueueId::new("a")).staying(), 1.0, "cold");
    }

    fn visit() -> impl Strategy<Value = Visit> {
        let end = prop_oneof![
            Just(VisitEnd::Cancelled),
            (any::<u32>(), 0..90_000u32, any::<bool>()).prop_map(
                |(waited_s, slot_s, implausible)| VisitEnd::Called {
                    waited_s,
                    slot_s,
                    implausible
                }
            ),
        ];
        (0..40u32, prop::option::of(any::<u32>()), end)
            .prop_map(|(ahead, predicted_s, end)| Visit { ahead, predicted_s, end })
    }

    proptest! {
        #[test]
        fn a_stored_model_is_the_model(visits in prop::collection::vec(visit(), 0..500)) {
            let queue = QueueId::new("a");
            let model = taught(visits);
            let mut back = Model::default();
            model.queues().for_each(|queue| back.restore(queue, &model.snapshot(queue)));
            prop_assert_eq!(&back, &model);
            prop_assert_eq!(back.of(&queue).multipliers(5), model.of(&queue).multipliers(5));
        }

        #[test]
        fn multipliers_never_cross(visits in prop::collection::vec(visit(), 0..300)) {
            let model = taught(visits).of(&QueueId::new("a"));
            for ahead in [0, 5, 10, 20] {
                prop_assert!(model.multipliers(ahead).is_sorted());
            }
        }
    }
}
