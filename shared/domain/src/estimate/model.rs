//! Forecast model of a site, learned from finished visits: slots, cancellations and forecast
//! outcomes.

use super::calibration::{Calibrated, Calibration, MIN_OUTCOMES};
use super::forecast::ForecastMethod;
use super::recent::RecentValues;
use super::slots::{MAX_RECENT_SLOTS, RecentSlots, ServiceTime};
use crate::model::ids::QueueId;
use imbl::OrdMap;
use std::sync::{Arc, LazyLock};

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
    /// Outcomes of the closed form.
    formula: Calibration,
    /// Outcomes of the simulation, whose errors are of another kind.
    simulation: Calibration,
}

/// Observation of a finished visit, as the model needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Number ahead when the forecast was made.
    pub ahead: u32,
    /// Method of the forecast and predicted wait ([`Forecast::predicted_s`](super::Forecast)).
    /// `None` if there was no prediction, or if the wait is not comparable: held, returned,
    /// transferred, or let pass on the way.
    pub predicted: Option<(ForecastMethod, u32)>,
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
        if let Some((method, predicted_s)) = visit.predicted.filter(|(_, predicted)| *predicted > 0)
        {
            match method {
                ForecastMethod::Formula => {
                    model.formula.add(Calibrated::formula(visit.ahead), predicted_s, waited_s);
                }
                ForecastMethod::Simulation => {
                    let forecast = Calibrated::simulation(visit.ahead, predicted_s);
                    model.simulation.add(forecast, predicted_s, waited_s);
                }
                // Nothing was predicted.
                ForecastMethod::Immediate => {}
            }
        }
    }

    /// Model of a queue: one that has learned nothing for a queue without visits.
    pub(super) fn queue_model(&self, queue: &QueueId) -> &QueueModel {
        static UNLEARNED: LazyLock<QueueModel> = LazyLock::new(QueueModel::default);
        match self.queues.get(queue) {
            Some(learned) => learned,
            None => &UNLEARNED,
        }
    }
}

impl QueueModel {
    /// Calibration of a method.
    pub(super) fn calibration(&self, method: ForecastMethod) -> &Calibration {
        match method {
            ForecastMethod::Simulation => &self.simulation,
            ForecastMethod::Formula | ForecastMethod::Immediate => &self.formula,
        }
    }

    /// Returns `true` while too few visits with an outcome were seen, by any method.
    pub(super) fn is_cold(&self) -> bool {
        self.formula.len() + self.simulation.len() < MIN_OUTCOMES
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(method: ForecastMethod, ratio_percent: u32, slot_s: u32) -> Observation {
        let end = ObservationEnd::Called { waited_s: ratio_percent, slot_s, implausible: false };
        Observation { ahead: 1, predicted: Some((method, 100)), end }
    }

    fn trained(visits: impl IntoIterator<Item = Observation>) -> QueueModel {
        let queue = QueueId::new("a");
        let mut model = ForecastModel::default();
        for visit in visits {
            model.learn(&queue, &visit);
        }
        model.queue_model(&queue).clone()
    }

    #[test]
    fn thirty_outcomes_of_any_method_end_the_cold_start() {
        let visit = |n: u32| match n % 2 {
            0 => called(ForecastMethod::Formula, 200, 60),
            _ => called(ForecastMethod::Simulation, 200, 60),
        };
        let cold = trained((0..29).map(visit));
        assert!((cold.service_time(5).mean_s - 300.0).abs() < 1e-9);
        assert!(trained((0..30).map(visit)).service_time(5).mean_s < 150.0);
    }

    #[test]
    fn each_method_is_calibrated_by_its_own_outcomes() {
        let formula = [called(ForecastMethod::Formula, 300, 60); 40];
        let simulated = [called(ForecastMethod::Simulation, 50, 60); 29];
        let learned = trained(formula.into_iter().chain(simulated));
        let multipliers = |method| learned.calibration(method).multipliers(Calibrated::formula(1));
        assert_eq!(multipliers(ForecastMethod::Formula), [3.0; 3]);
        assert_eq!(multipliers(ForecastMethod::Simulation), [1.0, 1.4, 1.8], "too few of its own");
    }

    #[test]
    fn flagged_slots_and_missing_predictions_are_not_learned() {
        let end = ObservationEnd::Called { waited_s: 60, slot_s: 40_000, implausible: true };
        let flagged = Observation { ahead: 1, predicted: None, end };
        let immediate = ObservationEnd::Called { waited_s: 0, slot_s: 120, implausible: false };
        let immediate = Observation {
            ahead: 0,
            predicted: Some((ForecastMethod::Immediate, 0)),
            end: immediate,
        };
        let learned = trained([flagged, immediate]);
        assert_eq!(learned.slots.in_order().collect::<Vec<_>>(), [120]);
        assert_eq!((learned.formula.len(), learned.simulation.len()), (0, 0));
    }

    #[test]
    fn half_of_the_recent_cancellations_are_taken_off() {
        let cancelled = Observation { ahead: 3, predicted: None, end: ObservationEnd::Cancelled };
        let stayed = [called(ForecastMethod::Formula, 100, 60); 90];
        assert_eq!(trained([cancelled; 10].into_iter().chain(stayed)).stay_rate(), 0.95);
        assert_eq!(trained([cancelled; 10]).stay_rate(), 1.0, "cold");
    }
}
