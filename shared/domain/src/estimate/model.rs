//! Forecast model of a site, learned from finished visits: slots, cancellations and forecast
//! outcomes.

use super::forecast::AheadBand;
use super::recent::{RecentValues, quantile};
use super::slots::{MAX_RECENT_SLOTS, RecentSlots, ServiceTime};
use crate::model::ids::QueueId;
use imbl::OrdMap;
use std::sync::Arc;

/// Number of latest outcomes kept in each band.
const MAX_RECENT_OUTCOMES: usize = 200;
/// Number of outcomes below which their quantiles are not used.
const MIN_OUTCOMES: usize = 30;
/// The 50, 80 and 90 % multipliers, in thousandths, before there are enough outcomes.
const COLD_MULTIPLIERS: [u32; 3] = [1_000, 1_400, 1_800];
/// Largest outcome kept, in thousandths; larger ones are clamped.
const MAX_OUTCOME_RATIO: u32 = 100_000;

/// Forecast model of a site's queues. A copy shares everything with its origin.
///
/// Visits must be added in the order in which they ended; the same visits give the same model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForecastModel {
    queues: OrdMap<QueueId, Arc<QueueModel>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct QueueModel {
    slots: RecentSlots,
    /// Latest visits: 1 for each that was cancelled, 0 for the others.
    cancelled: RecentValues<MAX_RECENT_SLOTS>,
    /// Actual ÷ predicted wait in thousandths, by band.
    outcomes: [RecentValues<MAX_RECENT_OUTCOMES>; 4],
}

/// Observation of a finished visit, as the model needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Number ahead when the forecast was made.
    pub ahead: u32,
    /// Predicted wait ([`Forecast::predicted_s`](super::Forecast)). `None` if there was no
    /// prediction, or if the wait is not comparable: held, returned, transferred, or let pass on
    /// the way.
    pub predicted_s: Option<u32>,
    /// End of the visit.
    pub end: ObservationEnd,
}

/// End of a visit, as the model needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservationEnd {
    /// Called, and served or missed.
    Called {
        /// Seconds from joining to the first call.
        waited_s: u32,
        /// Seconds from the call until the counter was free.
        slot_s: u32,
        /// `true` if the slot is flagged as implausible, such as a counter left open overnight.
        implausible: bool,
    },
    /// Left the line before being called.
    Cancelled,
}

/// Learned values of a queue as plain lists, oldest first, for storage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelSnapshot {
    /// Slots in seconds.
    pub slots_s: Vec<u32>,
    /// Latest visits: `true` for each that was cancelled.
    pub cancelled: Vec<bool>,
    /// Actual ÷ predicted wait in thousandths, by [`AheadBand`].
    pub outcomes: [Vec<u32>; 4],
}

impl ForecastModel {
    /// Learns from a visit to this queue.
    pub fn learn(&mut self, queue: &QueueId, visit: &Observation) {
        let model = Arc::make_mut(self.queues.entry(queue.clone()).or_default());
        let ObservationEnd::Called { waited_s, slot_s, implausible } = visit.end else {
            model.cancelled.push(1);
            return;
        };
        model.cancelled.push(0);
        if !implausible {
            model.slots.add(slot_s);
        }
        if let Some(predicted_s) = visit.predicted_s.filter(|predicted| *predicted > 0) {
            let ratio = u64::from(waited_s) * 1_000 / u64::from(predicted_s);
            let ratio = u32::try_from(ratio).unwrap_or(MAX_OUTCOME_RATIO).min(MAX_OUTCOME_RATIO);
            model.outcomes[AheadBand::for_ahead(visit.ahead) as usize].push(ratio);
        }
    }

    /// Queues with learned values.
    pub fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.keys()
    }

    /// Snapshot of a queue's learned values.
    pub fn snapshot(&self, queue: &QueueId) -> ModelSnapshot {
        let Some(model) = self.queues.get(queue) else { return ModelSnapshot::default() };
        ModelSnapshot {
            slots_s: model.slots.in_order().collect(),
            cancelled: model.cancelled.in_order().map(|cancelled| cancelled == 1).collect(),
            outcomes: model.outcomes.each_ref().map(|band| band.in_order().collect()),
        }
    }

    /// Replaces the learned values of a queue by a snapshot.
    pub fn restore(&mut self, queue: &QueueId, snapshot: &ModelSnapshot) {
        let mut model = QueueModel::default();
        snapshot.slots_s.iter().for_each(|slot| model.slots.add(*slot));
        for cancelled in &snapshot.cancelled {
            model.cancelled.push(u32::from(*cancelled));
        }
        for (band, stored) in model.outcomes.iter_mut().zip(&snapshot.outcomes) {
            for outcome in stored {
                band.push((*outcome).min(MAX_OUTCOME_RATIO));
            }
        }
        self.queues.insert(queue.clone(), Arc::new(model));
    }

    pub(super) fn queue_model(&self, queue: &QueueId) -> Arc<QueueModel> {
        self.queues.get(queue).cloned().unwrap_or_default()
    }
}

impl QueueModel {
    /// Returns `true` while there are too few outcomes to learn from.
    pub(super) fn is_cold(&self) -> bool {
        self.outcomes.iter().map(RecentValues::len).sum::<usize>() < MIN_OUTCOMES
    }

    /// Service times of customers; those that the owner configured while the model is cold.
    pub(super) fn service_time(&self, minutes: u32) -> ServiceTime<'_> {
        if self.is_cold() {
            ServiceTime::from_configured(minutes)
        } else {
            self.slots.service_time(minutes)
        }
    }

    /// Share of those ahead who will still be there: half of those who cancel have done so.
    pub(super) fn stay_rate(&self) -> f64 {
        let visits = self.cancelled.len();
        if visits == 0 || self.is_cold() {
            return 1.0;
        }
        let stayed = self.cancelled.sorted().partition_point(|cancelled| *cancelled == 0);
        1.0 - (visits - stayed) as f64 / visits as f64 / 2.0
    }

    /// Multipliers of a prediction for the 50, 80 and 90 % bounds.
    pub(super) fn multipliers(&self, ahead: u32) -> [f64; 3] {
        let band = &self.outcomes[AheadBand::for_ahead(ahead) as usize];
        let mut all = Vec::new();
        let sorted = if band.len() >= MIN_OUTCOMES {
            band.sorted()
        } else {
            // The band is new, the queue is not: the outcomes of other bands are better than a
            // guess.
            all.extend(self.outcomes.iter().flat_map(RecentValues::sorted));
            all.sort_unstable();
            &all
        };
        let thousandths = if self.is_cold() {
            COLD_MULTIPLIERS
        } else {
            [50, 80, 90].map(|percent| quantile(sorted, percent).unwrap_or(1_000))
        };
        thousandths.map(|multiplier| f64::from(multiplier) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn called_observation(ahead: u32, predicted_s: u32, waited_s: u32, slot_s: u32) -> Observation {
        let end = ObservationEnd::Called { waited_s, slot_s, implausible: false };
        Observation { ahead, predicted_s: Some(predicted_s), end }
    }

    fn trained_model(visits: impl IntoIterator<Item = Observation>) -> ForecastModel {
        let mut model = ForecastModel::default();
        for visit in visits {
            model.learn(&QueueId::new("a"), &visit);
        }
        model
    }

    #[test]
    fn thirty_outcomes_end_the_cold_start() {
        let visit = called_observation(1, 100, 200, 60);
        let cold = trained_model([visit; 29]).queue_model(&QueueId::new("a"));
        assert!(cold.is_cold());
        assert_eq!(cold.multipliers(1), [1.0, 1.4, 1.8]);
        assert!((cold.service_time(5).mean_s - 300.0).abs() < 1e-9);
        let warm = trained_model([visit; 30]).queue_model(&QueueId::new("a"));
        assert!(!warm.is_cold());
        assert_eq!(warm.multipliers(1), [2.0; 3]);
        assert!(warm.service_time(5).mean_s < 150.0);
    }

    #[test]
    fn each_band_learns_for_itself_and_a_new_one_borrows() {
        let few = (1..=99).map(|i| called_observation(0, 100, i, 60));
        let long_waits = (1..=99).map(|i| called_observation(20, 100, 1_000 + i, 60));
        let model = trained_model(few.chain(long_waits)).queue_model(&QueueId::new("a"));
        assert_eq!(model.multipliers(2), [0.5, 0.8, 0.9]);
        assert_eq!(model.multipliers(15), [10.5, 10.8, 10.9]);
        assert_eq!(model.multipliers(5)[0], 10.01, "the middle of all of them");
    }

    #[test]
    fn flagged_slots_and_missing_predictions_are_not_learned() {
        let end = ObservationEnd::Called { waited_s: 60, slot_s: 40_000, implausible: true };
        let flagged = Observation { ahead: 1, predicted_s: None, end };
        let immediate = called_observation(0, 0, 0, 120);
        let snapshot = trained_model([flagged, immediate]).snapshot(&QueueId::new("a"));
        assert_eq!(snapshot.slots_s, [120]);
        assert!(snapshot.outcomes.iter().all(Vec::is_empty));
    }

    #[test]
    fn half_of_the_recent_cancellations_are_taken_off() {
        let cancelled =
            Observation { ahead: 3, predicted_s: Some(100), end: ObservationEnd::Cancelled };
        let model = trained_model(
            [cancelled; 10].into_iter().chain([called_observation(1, 100, 100, 60); 90]),
        );
        assert_eq!(model.queue_model(&QueueId::new("a")).stay_rate(), 0.95);
        assert_eq!(
            trained_model([cancelled; 10]).queue_model(&QueueId::new("a")).stay_rate(),
            1.0,
            "cold"
        );
    }

    fn any_observation() -> impl Strategy<Value = Observation> {
        let end = prop_oneof![
            Just(ObservationEnd::Cancelled),
            (any::<u32>(), 0..90_000u32, any::<bool>()).prop_map(
                |(waited_s, slot_s, implausible)| ObservationEnd::Called {
                    waited_s,
                    slot_s,
                    implausible
                }
            ),
        ];
        (0..40u32, prop::option::of(any::<u32>()), end)
            .prop_map(|(ahead, predicted_s, end)| Observation { ahead, predicted_s, end })
    }

    proptest! {
        #[test]
        fn a_stored_model_is_the_model(visits in prop::collection::vec(any_observation(), 0..500)) {
            let queue = QueueId::new("a");
            let model = trained_model(visits);
            let mut back = ForecastModel::default();
            model.queues().for_each(|queue| back.restore(queue, &model.snapshot(queue)));
            prop_assert_eq!(&back, &model);
            prop_assert_eq!(back.queue_model(&queue).multipliers(5), model.queue_model(&queue).multipliers(5));
        }

        #[test]
        fn multipliers_never_cross(visits in prop::collection::vec(any_observation(), 0..300)) {
            let model = trained_model(visits).queue_model(&QueueId::new("a"));
            for ahead in [0, 5, 10, 20] {
                prop_assert!(model.multipliers(ahead).is_sorted());
            }
        }
    }
}
