//! Simulation of a day of a hall by the rules of the product itself: every number, call and end is
//! decided as a gateway decides it, with the estimates that a customer is told.

use super::hall_settings::{
    GRACE_MINUTES, Hall, STAFF_DELAY_MINUTES, Service, counter_id, queue_id,
};
use super::rng::Rng;
use super::settings::{ServiceDistribution, step_value};
use paihao_domain::{
    Act, Actor, BusinessDay, Command, CommandId, CounterTicket, Day, DecisionInput, DecisionResult,
    Event, ForecastModel, Interval, Rules, Site, TicketId, Timestamp, decide,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

const MINUTE_MS: f64 = 60_000.0;

/// Observer of a hall.
pub trait HallObserver {
    /// Forecast model that has learned from the visits so far.
    fn model(&self) -> &ForecastModel;
    /// A customer is about to take the ticket of this id in a class of the queue of a service.
    fn joins(&mut self, site: &Site, rules: &Rules, now: &DecisionInput, joins: Joining);
    /// An event was decided.
    fn on_event(&mut self, event: &Event, at: Timestamp);
}

/// Customer who is about to take a ticket.
#[derive(Debug, Clone, Copy)]
pub struct Joining {
    /// Id of the ticket.
    pub ticket: TicketId,
    /// Index of the service.
    pub service: usize,
    /// Priority class.
    pub class: u8,
}

/// Occurrence of a day that is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Occurrence {
    Opens(usize),
    Closes(usize),
    Free(usize),
    GivesUp(TicketId),
    Arrives(usize),
}

/// Random choices about a customer, made on arrival.
struct Customer {
    slot_minutes: f64,
    missed: bool,
}

struct HallDay<'a, O> {
    hall: &'a Hall,
    rules: &'a Rules,
    rng: Rng,
    speed: f64,
    site: Site,
    today: Arc<BusinessDay>,
    due: BinaryHeap<Reverse<(i64, Occurrence)>>,
    customers: HashMap<TicketId, Customer>,
    /// Counters that close when they are free.
    closing: Vec<bool>,
    commands: u64,
    observer: &'a mut O,
}

/// Simulates one day, and reports to the observer.
pub fn simulate_hall_day<O: HallObserver>(
    hall: &Hall,
    rules: &Rules,
    seed: u64,
    day: u32,
    observer: &mut O,
) {
    let mut rng = Rng::new(seed, u64::from(day) + 1);
    let speed = rng.uniform_in(1.0 - hall.day_variation, 1.0 + hall.day_variation);
    let mut day = HallDay {
        hall,
        rules,
        rng,
        speed,
        site: Site::default(),
        today: business_day(hall, day),
        due: BinaryHeap::new(),
        customers: HashMap::new(),
        closing: vec![false; hall.counters.len()],
        commands: 0,
        observer,
    };
    day.run();
}

fn business_day(hall: &Hall, day: u32) -> Arc<BusinessDay> {
    let at = |minutes: f64| Timestamp((minutes * MINUTE_MS) as i64);
    let shifts = hall.counters.iter().enumerate().filter(|_| hall.has_plan).map(|(id, counter)| {
        let shifts =
            counter.shifts.iter().map(|(from, to)| Interval { from: at(*from), to: at(*to) });
        (counter_id(id), shifts.collect())
    });
    Arc::new(BusinessDay {
        day: Day(day as i32),
        interval: Interval { from: Timestamp(0), to: at(24.0 * 60.0) },
        hours: BTreeMap::new(),
        shifts: shifts.collect(),
    })
}

impl<O: HallObserver> HallDay<'_, O> {
    fn run(&mut self) {
        for (index, counter) in self.hall.counters.iter().enumerate() {
            for (from, to) in &counter.shifts {
                let delay = self.rng.uniform_in(STAFF_DELAY_MINUTES.0, STAFF_DELAY_MINUTES.1);
                self.schedule(from + delay, Occurrence::Opens(index));
                if *to < self.hall.closing_time {
                    self.schedule(*to, Occurrence::Closes(index));
                }
            }
        }
        for service in 0..self.hall.services.len() {
            let opening = self.hall.services[service].rates[0].0;
            self.schedule_arrival(service, opening);
        }
        while let Some(Reverse((at_ms, occurrence))) = self.due.pop() {
            self.occur(at_ms, occurrence);
            self.call_next(at_ms);
        }
    }

    fn schedule(&mut self, minutes: f64, occurrence: Occurrence) {
        self.due.push(Reverse(((minutes * MINUTE_MS) as i64, occurrence)));
    }

    /// Schedules the next arrival. The rate varies: arrivals are drawn at the highest rate and
    /// thinned.
    fn schedule_arrival(&mut self, service: usize, mut at: f64) {
        let rates = &self.hall.services[service].rates;
        let highest = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        loop {
            at += self.rng.exponential(60.0 / highest);
            if at >= self.hall.closing_time {
                return;
            }
            if self.rng.uniform() * highest < step_value(rates, at).unwrap_or(0.0) {
                return self.schedule(at, Occurrence::Arrives(service));
            }
        }
    }

    fn occur(&mut self, at_ms: i64, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Opens(counter) => {
                self.closing[counter] = false;
                self.decide(at_ms, Act::OpenCounter(counter_id(counter)));
            }
            Occurrence::Closes(counter) => {
                self.closing[counter] = true;
                self.close_if_due(at_ms, counter);
            }
            Occurrence::Free(counter) => self.finish(at_ms, counter),
            Occurrence::GivesUp(ticket) => {
                let waits = self.site.ticket(ticket).is_some_and(|t| t.at_counter().is_none());
                if waits && self.site.ticket(ticket).is_some_and(|t| t.is_live()) {
                    self.decide(at_ms, Act::Leave { ticket, reason: Some("left".into()) });
                }
            }
            Occurrence::Arrives(service) => {
                self.arrive(at_ms, service);
                self.schedule_arrival(service, at_ms as f64 / MINUTE_MS);
            }
        }
    }

    fn arrive(&mut self, at_ms: i64, service: usize) {
        let Service { rules, mean_minutes, distribution, other_class, .. } =
            &self.hall.services[service];
        let has_other = other_class.filter(|(_, share)| self.rng.uniform() < *share);
        let class = has_other.map_or(rules.class, |(class, _)| class);
        let mean = mean_minutes * self.speed;
        let served = match *distribution {
            ServiceDistribution::Exponential => self.rng.exponential(mean),
            ServiceDistribution::LogNormal(variation) => self.rng.lognormal(mean, variation),
        };
        let missed = self.rng.uniform() < self.hall.missed_share;
        let grace = self.rng.uniform_in(GRACE_MINUTES.0, GRACE_MINUTES.1);
        let gives_up = self.rng.uniform() < self.hall.cancelled_share;
        let patience = self.rng.uniform();
        let ticket = TicketId(self.customers.len() as u32 + 1);
        let now = self.input(at_ms);
        let joining = Joining { ticket, service, class };
        self.observer.joins(&self.site, self.rules, &now, joining);
        let queue = queue_id(service);
        if gives_up {
            let ahead = self.site.line(&queue).len() as f64;
            let leaves_ms = patience * (ahead + 1.0) * mean_minutes * MINUTE_MS / 2.0;
            self.due.push(Reverse((at_ms + leaves_ms as i64, Occurrence::GivesUp(ticket))));
        }
        self.customers
            .insert(ticket, Customer { slot_minutes: if missed { grace } else { served }, missed });
        let class = Some(class);
        self.decide(at_ms, Act::Take { queue, person: None, scan_session: None, class, key: None });
    }

    fn finish(&mut self, at_ms: i64, counter: usize) {
        let id = counter_id(counter);
        let Some(ticket) = self.site.counter(&id).serving else { return };
        let served = CounterTicket { counter: id, number: None };
        let missed = self.customers[&ticket].missed;
        self.decide(at_ms, if missed { Act::Miss(served) } else { Act::Finish(served) });
        if missed {
            self.decide(at_ms, Act::Leave { ticket, reason: Some("missed".into()) });
        }
        self.close_if_due(at_ms, counter);
    }

    fn close_if_due(&mut self, at_ms: i64, counter: usize) {
        let id = counter_id(counter);
        if self.closing[counter] && self.site.counter(&id).serving.is_none() {
            self.closing[counter] = false;
            self.decide(at_ms, Act::CloseCounter(id));
        }
    }

    fn call_next(&mut self, at_ms: i64) {
        for counter in 0..self.hall.counters.len() {
            let id = counter_id(counter);
            let state = self.site.counter(&id);
            let services = &self.hall.counters[counter].services;
            let has_any = services.iter().any(|s| !self.site.line(&queue_id(*s)).is_empty());
            if !state.is_open() || state.serving.is_some() || !has_any {
                continue;
            }
            self.decide(at_ms, Act::CallNext(id.clone()));
            if let Some(ticket) = self.site.counter(&id).serving {
                let slot_ms = self.customers[&ticket].slot_minutes * MINUTE_MS;
                self.due.push(Reverse((at_ms + slot_ms as i64, Occurrence::Free(counter))));
            }
        }
    }

    fn input(&self, at_ms: i64) -> DecisionInput {
        DecisionInput::new(Timestamp(at_ms), self.today.clone())
            .with_model(self.observer.model().clone())
    }

    fn decide(&mut self, at_ms: i64, act: Act) {
        self.commands += 1;
        let id = CommandId::derived(&format!("{}/{}", self.today.day.0, self.commands));
        let actor = Actor::Manager("staff".into());
        let command = Command { id, fingerprint: 0, actor, act, day: self.site.day() };
        let now = self.input(at_ms);
        match decide(&self.site, self.rules, &command, &now) {
            Ok(DecisionResult::Decided(decision, after)) => {
                self.site = *after;
                decision.events.iter().for_each(|event| self.observer.on_event(event, now.at));
            }
            other => panic!("{:?} is refused: {other:?}", command.act),
        }
    }
}
