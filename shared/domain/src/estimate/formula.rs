//! Closed-form forecast for a line that its counters serve in order, and the calibration of every
//! forecast.

use super::calibration::Calibrated;
use super::forecast::{ClosingRisk, Forecast, ForecastInput, ForecastMethod, LiveCounter};
use super::model::{ForecastModel, QueueModel};

/// Number ahead from which the wait of the last called person is weighed in.
const LAST_WAIT_MIN_AHEAD: u32 = 8;
/// Weight of that wait.
const LAST_WAIT_SHARE: f64 = 0.25;
/// Shortest wait behind another ticket, as a share of a mean slot divided by the counters.
const MIN_WAIT_SHARE: f64 = 0.3;

impl ForecastModel {
    /// Forecast for a ticket that is served in the order of the line, by counters that serve no
    /// other queue. `None` while no counter is open.
    pub fn forecast(&self, input: &ForecastInput) -> Option<Forecast> {
        if input.counters.is_empty() {
            return None;
        }
        if input.is_next() {
            return Some(immediate_forecast(input));
        }
        let queue_model = self.queue_model(&input.queue);
        let formula = self.closed_form_s(input, queue_model);
        let predicted = match input.last_wait_s {
            Some(last) if input.ahead >= LAST_WAIT_MIN_AHEAD && !queue_model.is_cold() => {
                // As a sum of parts, it never falls where the formula rises.
                formula * (1.0 - LAST_WAIT_SHARE) + f64::from(last) * LAST_WAIT_SHARE
            }
            _ => formula,
        };
        Some(calibrated_forecast(input, queue_model, predicted, ForecastMethod::Formula))
    }

    fn closed_form_s(&self, input: &ForecastInput, queue_model: &QueueModel) -> f64 {
        let service_time = queue_model.service_time(input.minutes);
        let counters = input.counters.len() as f64;
        let remaining: f64 = input.counters.iter().map(|c| self.remaining_s(c)).sum();
        let work =
            f64::from(input.ahead) * queue_model.stay_rate() * service_time.mean_s + remaining;
        // When this ticket's turn comes, the other counters are in the middle of a service.
        let unfinished =
            (counters - 1.0) * service_time.mean_s * (1.0 + service_time.variation) / 2.0;
        ((work - unfinished) / counters).max(MIN_WAIT_SHARE * service_time.mean_s / counters)
    }

    /// Mean seconds until this counter is free.
    pub(super) fn remaining_s(&self, counter: &LiveCounter) -> f64 {
        match counter {
            LiveCounter::Free => 0.0,
            LiveCounter::Busy { queue, minutes, spent_s } => {
                self.queue_model(queue).service_time(*minutes).remaining_s(*spent_s)
            }
        }
    }
}

impl ForecastInput {
    pub(super) fn is_next(&self) -> bool {
        self.ahead == 0 && self.counters.contains(&LiveCounter::Free)
    }
}

pub(super) fn immediate_forecast(input: &ForecastInput) -> Forecast {
    Forecast {
        predicted_s: 0,
        median_s: 0,
        p80_s: 0,
        p90_s: 0,
        method: ForecastMethod::Immediate,
        cold: false,
        closing: ClosingRisk::from_bounds(0, 0, input.closing_s),
    }
}

pub(super) fn calibrated_forecast(
    input: &ForecastInput,
    queue_model: &QueueModel,
    predicted: f64,
    method: ForecastMethod,
) -> Forecast {
    let predicted = predicted.max(1.0).round();
    let calibration = queue_model.calibration(method);
    let kind = match method {
        ForecastMethod::Simulation => Calibrated::simulation(input.ahead, predicted as u32),
        ForecastMethod::Formula | ForecastMethod::Immediate => Calibrated::formula(input.ahead),
    };
    let bounds = calibration.multipliers(kind).map(|m| (predicted * m).round() as u32);
    let [median_s, p80_s, p90_s] = bounds;
    Forecast {
        predicted_s: predicted as u32,
        median_s,
        p80_s,
        p90_s,
        method,
        cold: calibration.is_cold(),
        closing: ClosingRisk::from_bounds(median_s, p80_s, input.closing_s),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Observation, ObservationEnd};
    use super::*;
    use crate::model::ids::QueueId;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn busy(spent_s: u32) -> LiveCounter {
        LiveCounter::Busy { queue: QueueId::new("a"), minutes: 5, spent_s }
    }

    fn input_with_ahead(ahead: u32, counters: &[LiveCounter]) -> ForecastInput {
        ForecastInput {
            queue: QueueId::new("a"),
            minutes: 5,
            ahead,
            counters: counters.to_vec(),
            last_wait_s: None,
            closing_s: None,
        }
    }

    fn cold_forecast(input: &ForecastInput) -> Forecast {
        ForecastModel::default().forecast(input).unwrap()
    }

    /// Model of a queue whose slots all last eight minutes, and whose forecasts come true.
    fn eight_minute_model() -> ForecastModel {
        let mut model = ForecastModel::default();
        let end = ObservationEnd::Called { waited_s: 600, slot_s: 480, implausible: false };
        for ahead in (0..20).cycle().take(2_000) {
            let predicted = Some((ForecastMethod::Formula, 600));
            let visit = Observation { ahead, predicted, end };
            model.learn(&QueueId::new("a"), &visit);
        }
        model
    }

    #[test]
    fn there_is_no_forecast_while_no_counter_is_open() {
        assert_eq!(ForecastModel::default().forecast(&input_with_ahead(3, &[])), None);
    }

    #[test]
    fn a_free_counter_and_nobody_ahead_is_at_once() {
        let forecast = cold_forecast(&input_with_ahead(0, &[busy(60), LiveCounter::Free]));
        assert_eq!((forecast.p90_s, forecast.method), (0, ForecastMethod::Immediate));
        assert_eq!(cold_forecast(&input_with_ahead(1, &[LiveCounter::Free])).median_s, 300);
    }

    #[test]
    fn a_cold_queue_quotes_the_owners_minutes_with_generous_bounds() {
        // Seven people of five minutes each, and a counter that has just begun.
        let forecast = cold_forecast(&input_with_ahead(7, &[busy(0)]));
        assert_eq!((forecast.median_s, forecast.p80_s, forecast.p90_s), (2_400, 3_360, 4_320));
        assert!(forecast.cold);
    }

    #[test]
    fn learned_slots_replace_the_owners_minutes() {
        let forecast = eight_minute_model().forecast(&input_with_ahead(7, &[busy(0)])).unwrap();
        assert!((3_600..3_840).contains(&forecast.median_s), "{forecast:?}");
        assert!(!forecast.cold);
        let sooner = eight_minute_model().forecast(&input_with_ahead(7, &[busy(420)])).unwrap();
        assert!((380..430).contains(&(forecast.median_s - sooner.median_s)), "{sooner:?}");
    }

    #[test]
    fn in_a_long_line_the_last_called_persons_wait_has_a_quarter() {
        let model = eight_minute_model();
        for (ahead, share) in [(7, 0.0), (8, 0.25)] {
            let plain = model.forecast(&input_with_ahead(ahead, &[busy(0)])).unwrap().predicted_s;
            let last_wait_s = Some(2 * plain);
            let mixed = ForecastInput { last_wait_s, ..input_with_ahead(ahead, &[busy(0)]) };
            let mixed = model.forecast(&mixed).unwrap().predicted_s;
            assert!((f64::from(mixed) - f64::from(plain) * (1.0 + share)).abs() <= 1.0);
        }
    }

    #[test]
    fn a_wait_behind_another_ticket_is_never_zero_however_long_the_counters_were_busy() {
        assert_eq!(cold_forecast(&input_with_ahead(0, &[100_000; 4].map(busy))).median_s, 23);
    }

    #[test]
    fn closing_before_the_promise_or_before_the_median_is_a_risk() {
        let closing = |closing_s| {
            let closing_s = Some(closing_s);
            cold_forecast(&ForecastInput { closing_s, ..input_with_ahead(7, &[busy(0)]) }).closing
        };
        assert_eq!(closing(3_360), ClosingRisk::InTime);
        assert_eq!(closing(3_359), ClosingRisk::Doubtful);
        assert_eq!(closing(2_399), ClosingRisk::TooLate);
    }

    proptest! {
        #[test]
        fn a_cold_wait_grows_with_people_and_shrinks_with_counters(
            ahead in 0..60u32,
            counters in 1..8usize,
            spent in 0..1_000u32,
        ) {
            let median_s = |ahead, counters| cold_forecast(&input_with_ahead(ahead, &vec![busy(spent); counters])).median_s;
            prop_assert!(median_s(ahead, counters) <= median_s(ahead + 1, counters));
            prop_assert!(median_s(ahead, counters + 1) <= median_s(ahead, counters) + 1);
        }

        #[test]
        fn a_forecast_is_in_order_and_the_same_each_time(
            ahead in 0..2_000u32,
            spents in prop::collection::vec(prop::option::of(0..100_000u32), 1..20),
            last_wait_s in prop::option::of(0..100_000u32),
        ) {
            let counters: Vec<_> =
                spents.into_iter().map(|s| s.map_or(LiveCounter::Free, busy)).collect();
            let input = ForecastInput { last_wait_s, ..input_with_ahead(ahead, &counters) };
            static LEARNED: LazyLock<ForecastModel> = LazyLock::new(eight_minute_model);
            for model in [ForecastModel::default(), LEARNED.clone()] {
                let forecast = model.forecast(&input).unwrap();
                prop_assert!(forecast.median_s <= forecast.p80_s);
                prop_assert!(forecast.p80_s <= forecast.p90_s);
                prop_assert_eq!(model.clone().forecast(&input), Some(forecast));
            }
        }
    }
}
