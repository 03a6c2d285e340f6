//! Forecast by simulation, for several queues at shared counters, priorities and interleaving,
//! where the place in the line alone does not decide the time of the call.

use super::forecast::{Forecast, ForecastInput, ForecastMethod};
use super::formula::{calibrated_forecast, immediate_forecast};
use super::model::ForecastModel;
use crate::model::ids::QueueId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Number of simulated calls after which the rest of the line is extrapolated at the same pace, so
/// that the cost of a forecast does not grow with the line.
pub const MAX_SIMULATED_CALLS: u32 = 400;

/// Order of calls, on a copy of the lines that it may empty.
pub trait CallOrder {
    /// Removes from the lines the ticket that this counter calls, `in_s` seconds from now.
    /// Counters are numbered as in [`ForecastInput::counters`].
    fn next_call(&mut self, counter: usize, in_s: u32) -> SimulatedCall;
}

impl<F: FnMut(usize, u32) -> SimulatedCall> CallOrder for F {
    fn next_call(&mut self, counter: usize, in_s: u32) -> SimulatedCall {
        self(counter, in_s)
    }
}

/// Call of a counter in a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimulatedCall {
    /// The ticket of the forecast.
    Target,
    /// Another ticket.
    Other {
        /// Queue of the ticket.
        queue: QueueId,
        /// Minutes configured for that queue.
        minutes: u32,
    },
    /// No ticket: the counter waits for people who have not arrived yet.
    Nobody,
}

impl ForecastModel {
    /// Forecast by letting the order of calls empty the lines in mean slots.
    /// [`ForecastInput::counters`] are all open counters that serve any of these lines. `None`
    /// without a counter, or if the ticket is never called.
    pub fn forecast_by_simulation(
        &self,
        input: &ForecastInput,
        call_order: &mut impl CallOrder,
    ) -> Option<Forecast> {
        let seconds = self.simulated_wait_s(input, call_order)?;
        if seconds == 0.0 {
            return Some(immediate_forecast(input));
        }
        Some(calibrated_forecast(
            input,
            &self.queue_model(&input.queue),
            seconds,
            ForecastMethod::Simulation,
        ))
    }

    fn simulated_wait_s(
        &self,
        input: &ForecastInput,
        call_order: &mut impl CallOrder,
    ) -> Option<f64> {
        // Thousandths of a second give the heap an order; of two equal ones, the first counter
        // calls.
        let mut free: BinaryHeap<Reverse<(u64, usize)>> = input
            .counters
            .iter()
            .enumerate()
            .map(|(counter, busy)| Reverse((seconds_to_ms(self.remaining_s(busy)), counter)))
            .collect();
        let mut slots = BTreeMap::new();
        let mut calls = 0;
        let mut same_queue = 0;
        while let Some(Reverse((at, counter))) = free.pop() {
            let seconds = at as f64 / 1_000.0;
            if calls == MAX_SIMULATED_CALLS {
                let calls = f64::from(input.ahead.saturating_sub(same_queue) + 1);
                return Some(seconds + calls * seconds / f64::from(same_queue.max(1)));
            }
            match call_order.next_call(counter, seconds as u32) {
                SimulatedCall::Target => return Some(seconds),
                SimulatedCall::Nobody => {}
                SimulatedCall::Other { queue, minutes } => {
                    calls += 1;
                    same_queue += u32::from(queue == input.queue);
                    let slot = *slots
                        .entry(queue)
                        .or_insert_with_key(|queue| self.effective_slot_ms(queue, minutes));
                    free.push(Reverse((at + slot, counter)));
                }
            }
        }
        None
    }

    /// Mean slot of a queue in milliseconds, less the share of tickets that will have left.
    fn effective_slot_ms(&self, queue: &QueueId, minutes: u32) -> u64 {
        let queue_model = self.queue_model(queue);
        seconds_to_ms(queue_model.service_time(minutes).mean_s * queue_model.stay_rate())
    }
}

fn seconds_to_ms(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::super::forecast::LiveCounter;
    use super::*;
    use std::collections::VecDeque;

    fn input_at(queue: &str, ahead: u32, counters: &[LiveCounter]) -> ForecastInput {
        ForecastInput {
            queue: QueueId::new(queue),
            minutes: 5,
            ahead,
            counters: counters.to_vec(),
            last_wait_s: None,
            closing_s: None,
        }
    }

    fn busy(queue: &str, minutes: u32) -> LiveCounter {
        LiveCounter::Busy { queue: QueueId::new(queue), minutes, spent_s: 0 }
    }

    fn other_call(queue: &str, minutes: u32) -> SimulatedCall {
        SimulatedCall::Other { queue: QueueId::new(queue), minutes }
    }

    /// Order of calls in the sequence given, at any counter.
    fn fixed_order(line: &[SimulatedCall]) -> impl FnMut(usize, u32) -> SimulatedCall + use<> {
        let mut line = VecDeque::from(line.to_vec());
        move |_, _| line.pop_front().unwrap_or(SimulatedCall::Nobody)
    }

    fn wait_s(input: &ForecastInput, mut call_order: impl CallOrder) -> Option<u32> {
        ForecastModel::default()
            .forecast_by_simulation(input, &mut call_order)
            .map(|forecast| forecast.median_s)
    }

    #[test]
    fn one_counter_and_one_line_is_what_the_formula_says() {
        let input = input_at("a", 3, &[busy("a", 5)]);
        let line =
            [other_call("a", 5), other_call("a", 5), other_call("a", 5), SimulatedCall::Target];
        let formula = ForecastModel::default().forecast(&input).unwrap().median_s;
        assert_eq!(wait_s(&input, fixed_order(&line)), Some(formula));
    }

    #[test]
    fn tickets_of_another_line_called_before_count_with_their_own_minutes() {
        // Interleaved 1:1 with a line that takes twenty minutes each.
        let line = [other_call("a", 5), other_call("b", 20), SimulatedCall::Target];
        assert_eq!(wait_s(&input_at("a", 1, &[busy("a", 5)]), fixed_order(&line)), Some(30 * 60));
        assert_eq!(
            wait_s(&input_at("a", 1, &[LiveCounter::Free]), fixed_order(&line)),
            Some(25 * 60)
        );
    }

    #[test]
    fn a_counter_that_does_not_serve_the_line_does_not_count() {
        let input = input_at("a", 1, &[busy("a", 5), LiveCounter::Free]);
        let mut order = fixed_order(&[other_call("a", 5), SimulatedCall::Target]);
        let first_only =
            |counter, at| if counter == 0 { order(counter, at) } else { SimulatedCall::Nobody };
        assert_eq!(wait_s(&input, first_only), Some(10 * 60));
    }

    #[test]
    fn the_call_order_gets_the_time_and_may_change() {
        // A later rule calls this ticket first, from twelve minutes on.
        let call_order =
            |_, in_s| if in_s < 12 * 60 { other_call("b", 5) } else { SimulatedCall::Target };
        assert_eq!(wait_s(&input_at("a", 9, &[busy("a", 5)]), call_order), Some(15 * 60));
    }

    #[test]
    fn the_next_ticket_at_a_free_counter_is_called_at_once() {
        let mut call_order = fixed_order(&[SimulatedCall::Target]);
        let forecast = ForecastModel::default()
            .forecast_by_simulation(&input_at("a", 0, &[LiveCounter::Free]), &mut call_order);
        assert_eq!(forecast.unwrap().method, ForecastMethod::Immediate);
    }

    #[test]
    fn there_is_no_forecast_without_a_counter_or_if_the_ticket_is_never_called() {
        assert_eq!(wait_s(&input_at("a", 0, &[]), fixed_order(&[SimulatedCall::Target])), None);
        assert_eq!(
            wait_s(&input_at("a", 1, &[busy("a", 5)]), fixed_order(&[other_call("a", 5)])),
            None
        );
    }

    #[test]
    fn a_very_long_line_is_simulated_to_the_limit_and_extrapolated() {
        for ahead in [1_000, 100_000] {
            let mut calls = 0;
            let call_order = |_, _| {
                calls += 1;
                other_call("a", 5)
            };
            let forecast =
                wait_s(&input_at("a", ahead, &[busy("a", 5), busy("a", 5)]), call_order).unwrap();
            let expected = f64::from(ahead) * 150.0;
            assert!(
                (f64::from(forecast) - expected).abs() < 0.02 * expected,
                "{forecast} {expected}"
            );
            assert_eq!(calls, MAX_SIMULATED_CALLS);
        }
    }
}
