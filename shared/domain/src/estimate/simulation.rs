//! Simulation of calls in mean slots, for several queues at shared counters, interleaving and
//! planned changes of the counters, where the place in the line alone does not decide the time of
//! the call.

use super::forecast::{Forecast, ForecastInput, ForecastMethod, LiveCounter};
use super::formula::{calibrated_forecast, immediate_forecast};
use super::model::ForecastModel;
use crate::model::ids::{QueueId, TicketId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Number of simulated calls after which the rest of the line is extrapolated at the same pace, so
/// that the cost of a forecast does not grow with the line.
const MAX_SIMULATED_CALLS: u32 = 200;

/// Order of calls, on a copy of the lines that it empties.
pub(crate) trait CallOrder {
    /// Removes from the lines the ticket that this counter calls; `None` if it has nobody to call.
    fn next_call(&mut self, counter: usize) -> Option<SimulatedCall>;
}

/// Call in a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimulatedCall {
    pub(crate) ticket: TicketId,
    /// Index of the queue.
    pub(crate) queue: usize,
}

/// Counter in a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SimulatedCounter {
    /// State now; free if it is not open yet.
    pub(crate) state: LiveCounter,
    /// Times in which it calls, in milliseconds from now, in order.
    pub(crate) shifts_ms: Vec<Range<u64>>,
}

/// Simulation that has come to a call.
#[derive(Debug)]
pub(crate) struct Simulation {
    /// Next free counters with their times, in milliseconds from now. Of two equal ones, the first
    /// counter calls.
    free: BinaryHeap<Reverse<(u64, usize)>>,
    shifts_ms: Vec<Vec<Range<u64>>>,
    /// Mean slot of each queue, less the share of tickets that will have left.
    slots_ms: Vec<u64>,
    calls: u32,
    now_ms: u64,
}

impl ForecastModel {
    /// Simulation of these queues, each with its configured minutes, at these counters.
    pub(crate) fn simulation<'a>(
        &self,
        queues: impl Iterator<Item = (&'a QueueId, u32)>,
        counters: Vec<SimulatedCounter>,
    ) -> Simulation {
        let slot = |(queue, minutes): (&QueueId, u32)| {
            let queue_model = self.queue_model(queue);
            seconds_to_ms(queue_model.service_time(minutes).mean_s * queue_model.stay_rate())
        };
        let mut simulation = Simulation {
            free: BinaryHeap::with_capacity(counters.len()),
            shifts_ms: Vec::with_capacity(counters.len()),
            slots_ms: queues.map(slot).collect(),
            calls: 0,
            now_ms: 0,
        };
        let free_at = self.free_times_ms(&counters);
        for (counter, (free_ms, SimulatedCounter { shifts_ms, .. })) in
            free_at.into_iter().zip(counters).enumerate()
        {
            simulation.shifts_ms.push(shifts_ms);
            simulation.free_from(counter, free_ms);
        }
        simulation
    }

    /// Times at which the present services end. Each counter's mean rest would have them all end
    /// at once; they end one after the other, so the first has a short rest of its distribution and
    /// the last a long one.
    fn free_times_ms(&self, counters: &[SimulatedCounter]) -> Vec<u64> {
        let mut busy: Vec<_> = counters
            .iter()
            .enumerate()
            .filter(|(_, counter)| counter.state != LiveCounter::Free)
            .map(|(index, counter)| (seconds_to_ms(self.remaining_s(&counter.state)), index))
            .collect();
        busy.sort_unstable();
        let mut free_ms = vec![0; counters.len()];
        for (order, (_, index)) in busy.iter().enumerate() {
            if let LiveCounter::Busy { queue, minutes, spent_s } = &counters[*index].state {
                let share = (order as f64 + 0.5) / busy.len() as f64;
                let queue_model = self.queue_model(queue);
                let service_time = queue_model.service_time(*minutes);
                free_ms[*index] = seconds_to_ms(service_time.remaining_quantile_s(*spent_s, share));
            }
        }
        free_ms
    }

    /// Forecast of a wait that was simulated.
    pub(crate) fn forecast_of_simulated(&self, input: &ForecastInput, seconds: f64) -> Forecast {
        if seconds == 0.0 {
            return immediate_forecast(input);
        }
        let queue_model = self.queue_model(&input.queue);
        calibrated_forecast(input, queue_model, seconds, ForecastMethod::Simulation)
    }

    /// Median, in seconds, that the forecast of no shorter wait exceeds.
    pub(crate) fn max_simulated_median_s(&self, queue: &QueueId, seconds: f64) -> f64 {
        let queue_model = self.queue_model(queue);
        let calibration = queue_model.calibration(ForecastMethod::Simulation);
        seconds * calibration.max_median_multiplier()
    }
}

impl Simulation {
    /// Next call, with its time in milliseconds from now. `None` when no counter has anybody to
    /// call, or at the limit.
    pub(crate) fn next_call(&mut self, order: &mut impl CallOrder) -> Option<(u64, SimulatedCall)> {
        while !self.is_at_limit() {
            let Reverse((now_ms, counter)) = self.free.pop()?;
            let Some(call) = order.next_call(counter) else { continue };
            self.now_ms = now_ms;
            self.calls += 1;
            self.free_from(counter, now_ms + self.slots_ms[call.queue]);
            return Some((now_ms, call));
        }
        None
    }

    /// Returns `true` if the simulation ended at its limit.
    pub(crate) fn is_at_limit(&self) -> bool {
        self.calls == MAX_SIMULATED_CALLS
    }

    /// Seconds from now after so many further calls at the pace of those before.
    pub(crate) fn extrapolated_s(&self, further_calls: usize) -> f64 {
        let seconds = self.now_ms as f64 / 1_000.0;
        seconds + further_calls as f64 * seconds / f64::from(self.calls.max(1))
    }

    /// Lets a counter call from this time on, in the first shift that is not over by then.
    fn free_from(&mut self, counter: usize, at_ms: u64) {
        if let Some(shift) = self.shifts_ms[counter].iter().find(|shift| at_ms < shift.end) {
            self.free.push(Reverse((at_ms.max(shift.start), counter)));
        }
    }
}

fn seconds_to_ms(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const MINUTE_MS: u64 = 60_000;

    /// Order of calls in the sequence given, at any counter.
    struct FixedOrder(VecDeque<usize>);

    impl CallOrder for FixedOrder {
        fn next_call(&mut self, _: usize) -> Option<SimulatedCall> {
            let queue = self.0.pop_front()?;
            Some(SimulatedCall { ticket: TicketId(self.0.len() as u32), queue })
        }
    }

    fn always(state: LiveCounter) -> SimulatedCounter {
        SimulatedCounter { state, shifts_ms: std::iter::once(0..u64::MAX).collect() }
    }

    fn busy(minutes: u32, spent_s: u32) -> LiveCounter {
        LiveCounter::Busy { queue: QueueId::new("a"), minutes, spent_s }
    }

    /// Minutes from now of each call of these queues, one of five minutes and one of twenty.
    fn call_minutes(counters: Vec<SimulatedCounter>, queues: &[usize]) -> Vec<u64> {
        let ids = [QueueId::new("a"), QueueId::new("b")];
        let minutes = ids.iter().zip([5, 20]);
        let mut simulation = ForecastModel::default().simulation(minutes, counters);
        let mut order = FixedOrder(queues.iter().copied().collect());
        std::iter::from_fn(|| simulation.next_call(&mut order))
            .map(|(at_ms, _)| at_ms / MINUTE_MS)
            .collect()
    }

    #[test]
    fn each_queue_keeps_a_counter_for_its_own_minutes() {
        assert_eq!(call_minutes(vec![always(LiveCounter::Free)], &[0, 1, 0]), [0, 5, 25]);
        let two = vec![always(LiveCounter::Free), always(LiveCounter::Free)];
        assert_eq!(call_minutes(two, &[0, 1, 0, 0]), [0, 0, 5, 10]);
    }

    #[test]
    fn busy_counters_become_free_one_after_the_other() {
        let counters = vec![always(busy(5, 0)); 3];
        let free = call_minutes(counters, &[0, 0, 0]);
        assert!(free.is_sorted() && free[0] < 3 && free[2] > 5, "{free:?}");
    }

    #[test]
    fn counters_call_in_their_shifts_only() {
        let shifts = |shifts: &[(u64, u64)]| {
            let shifts_ms = shifts.iter().map(|(from, to)| from * MINUTE_MS..to * MINUTE_MS);
            SimulatedCounter { state: LiveCounter::Free, shifts_ms: shifts_ms.collect() }
        };
        // The service that has begun is finished after the shift.
        assert_eq!(call_minutes(vec![shifts(&[(0, 6), (30, 35)])], &[0; 5]), [0, 5, 30]);
        let relieved = vec![shifts(&[(0, 6)]), shifts(&[(8, 100)])];
        assert_eq!(call_minutes(relieved, &[0; 4]), [0, 5, 8, 13]);
        assert_eq!(call_minutes(vec![shifts(&[])], &[0]), []);
    }

    #[test]
    fn a_very_long_line_is_simulated_to_the_limit_and_extrapolated() {
        let id = QueueId::new("a");
        let counters = vec![always(busy(5, 0)); 2];
        let mut simulation = ForecastModel::default().simulation([(&id, 5)].into_iter(), counters);
        let mut order = FixedOrder([0; 1_000].into());
        let calls = std::iter::from_fn(|| simulation.next_call(&mut order)).count();
        assert_eq!(calls, MAX_SIMULATED_CALLS as usize);
        assert!(simulation.is_at_limit());
        for ahead in [1_000, 100_000_usize] {
            let expected = ahead as f64 * 150.0;
            let seconds = simulation.extrapolated_s(ahead - calls);
            assert!((seconds - expected).abs() < 0.02 * expected, "{seconds} {expected}");
        }
    }
}
