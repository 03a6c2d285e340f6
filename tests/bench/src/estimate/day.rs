//! Simulation of a day: arrivals, calls and cancellations. It does not depend on the estimators.

use super::rng::Rng;
use super::settings::{ServiceDistribution, Setting};
use std::collections::VecDeque;

/// Customer, with all random choices about them made on arrival.
struct Customer {
    joined: f64,
    /// Duration of their service on an average day.
    service: f64,
    /// True if they do not come when called; the counter then waits for `grace` minutes.
    missed: bool,
    grace: f64,
    /// Time at which they give up, if they are not called before.
    leaves_at: Option<f64>,
}

/// Event of a day, in order of time. Times are minutes since midnight.
pub enum DayEvent<'a> {
    /// A customer takes a number; the line ahead and the counters are as they find them.
    Joined { id: usize, at: f64, ahead: u32, counters: &'a [Counter] },
    /// A customer is called, for the first and only time.
    Called { id: usize, waited: f64 },
    /// A counter becomes free after this slot.
    Freed { id: usize, waited: f64, slot: f64 },
    /// A customer gave up.
    Left { id: usize },
}

/// Open counter, as customers can see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counter {
    /// Time at which its current service began; `None` if it is free.
    pub busy_since: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct CounterBusy {
    id: usize,
    since: f64,
    until: f64,
}

struct DaySimulation<'a, F> {
    setting: &'a Setting,
    rng: Rng,
    service_factor: f64,
    customers: Vec<Customer>,
    waiting: VecDeque<usize>,
    counters: Vec<Option<CounterBusy>>,
    on_event: F,
}

/// Simulates one day and reports every event.
pub fn simulate_day(setting: &Setting, seed: u64, day: u32, on_event: impl FnMut(DayEvent)) {
    let mut rng = Rng::new(seed, u64::from(day) + 1);
    let speed = rng.uniform_in(1.0 - setting.day_variation, 1.0 + setting.day_variation);
    let max_counters = setting.counters.iter().map(|(_, open)| *open).max().unwrap_or(0);
    let mut day = DaySimulation {
        setting,
        rng,
        service_factor: speed,
        customers: Vec::new(),
        waiting: VecDeque::new(),
        counters: vec![None; max_counters],
        on_event,
    };
    day.run();
}

impl<F: FnMut(DayEvent)> DaySimulation<'_, F> {
    fn run(&mut self) {
        let mut next_arrival = self.arrival_after(self.setting.opening_time());
        let changes: Vec<f64> = self.setting.counters.iter().map(|(from, _)| *from).collect();
        let mut changes = changes.into_iter().peekable();
        loop {
            let freed = self.first_free_counter();
            let change = changes.peek().copied();
            let leaver = self.first_leaver();
            let times = [next_arrival, freed.map(|(_, at)| at), change, leaver.map(|(_, at)| at)];
            let Some(now) = times.iter().flatten().copied().reduce(f64::min) else { return };
            if change == Some(now) {
                changes.next();
            } else if let Some((counter, _)) = freed.filter(|(_, at)| *at == now) {
                let CounterBusy { id, since, until } =
                    self.counters[counter].take().expect("it was busy until now");
                let waited = since - self.customers[id].joined;
                (self.on_event)(DayEvent::Freed { id, waited, slot: until - since });
            } else if let Some((id, _)) = leaver.filter(|(_, at)| *at == now) {
                self.waiting.retain(|waiting| *waiting != id);
                (self.on_event)(DayEvent::Left { id });
            } else {
                if self.waiting.len() < self.setting.max_waiting {
                    self.add_customer(now);
                }
                next_arrival = self.arrival_after(now);
            }
            self.call_next(now);
        }
    }

    /// Returns the next arrival. The rate varies: arrivals are drawn at the highest rate and
    /// thinned.
    fn arrival_after(&mut self, mut at: f64) -> Option<f64> {
        let highest = self.setting.max_arrival_rate();
        loop {
            at += self.rng.exponential(60.0 / highest);
            if at >= self.setting.closing_time {
                return None;
            }
            if self.rng.uniform() * highest < self.setting.arrival_rate(at) {
                return Some(at);
            }
        }
    }

    fn add_customer(&mut self, at: f64) {
        let setting = self.setting;
        let open = setting.open_counters(at);
        let counters: Vec<Counter> = self.counters[..open]
            .iter()
            .map(|serving| Counter { busy_since: serving.map(|serving| serving.since) })
            .collect();
        let ahead = self.waiting.len() as u32;
        let id = self.customers.len();
        (self.on_event)(DayEvent::Joined { id, at, ahead, counters: &counters });
        let service = match setting.service_distribution {
            ServiceDistribution::Exponential => self.rng.exponential(setting.mean_service_minutes),
            ServiceDistribution::LogNormal(variation) => {
                self.rng.lognormal(setting.mean_service_minutes, variation)
            }
        };
        let missed = self.rng.uniform() < setting.missed_share;
        let grace = self.rng.uniform_in(setting.grace_minutes.0, setting.grace_minutes.1);
        let gives_up = self.rng.uniform() < setting.cancelled_share;
        let expected_wait =
            f64::from(ahead + 1) * setting.mean_service_minutes / open.max(1) as f64;
        let patience = self.rng.uniform() * expected_wait;
        let leaves_at = gives_up.then_some(at + patience);
        self.customers.push(Customer { joined: at, service, missed, grace, leaves_at });
        self.waiting.push_back(id);
    }

    fn call_next(&mut self, now: f64) {
        for counter in 0..self.setting.open_counters(now) {
            if self.counters[counter].is_some() {
                continue;
            }
            let Some(id) = self.waiting.pop_front() else { return };
            let customer = &self.customers[id];
            let service = customer.service * self.service_factor * self.setting.service_factor(now);
            let slot = if customer.missed { customer.grace } else { service };
            let until = now + slot;
            self.counters[counter] = Some(CounterBusy { id, since: now, until });
            (self.on_event)(DayEvent::Called { id, waited: now - customer.joined });
        }
    }

    fn first_free_counter(&self) -> Option<(usize, f64)> {
        let busy = self.counters.iter().enumerate();
        let busy = busy.filter_map(|(i, serving)| Some((i, serving.as_ref()?.until)));
        busy.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn first_leaver(&self) -> Option<(usize, f64)> {
        let leavers = self.waiting.iter();
        let leavers = leavers.filter_map(|id| Some((*id, self.customers[*id].leaves_at?)));
        leavers.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates some days of a setting with checks of every event, and counts the events.
    fn count_events(setting: &Setting) -> (usize, usize, usize) {
        let mut joined = 0;
        let mut called = 0;
        let mut left_count = 0;
        for day in 0..20 {
            let mut in_line = VecDeque::new();
            let mut busy = 0;
            simulate_day(setting, 1, day, |happening| match happening {
                DayEvent::Joined { id, at, ahead, counters } => {
                    assert!((setting.opening_time()..setting.closing_time).contains(&at));
                    assert_eq!(ahead as usize, in_line.len());
                    assert_eq!(counters.len(), setting.open_counters(at));
                    let free = counters.iter().any(|counter| counter.busy_since.is_none());
                    assert!(!free || in_line.is_empty(), "nobody waits beside a free counter");
                    in_line.push_back(id);
                    joined += 1;
                }
                DayEvent::Called { id, waited } => {
                    assert_eq!(in_line.pop_front(), Some(id), "in the order of the line");
                    assert!(waited >= 0.0);
                    called += 1;
                    busy += 1;
                    let max_counters = setting.counters.iter().map(|(_, open)| *open).max();
                    assert!(Some(busy) <= max_counters);
                }
                DayEvent::Freed { slot, .. } => {
                    assert!(slot >= 0.0);
                    busy -= 1;
                }
                DayEvent::Left { id } => {
                    in_line.retain(|waiting| *waiting != id);
                    left_count += 1;
                }
            });
            assert_eq!((in_line.len(), busy), (0, 0), "the day ends when everybody is gone");
        }
        (joined, called, left_count)
    }

    #[test]
    fn everybody_who_joins_is_called_in_order_or_leaves() {
        for setting in Setting::all() {
            let (joined, called, left_count) = count_events(&setting);
            assert_eq!(joined, called + left_count, "{}", setting.name);
            assert!(
                joined > 100 && (left_count > 0) == (setting.cancelled_share > 0.0),
                "{}",
                setting.name
            );
        }
    }
}
