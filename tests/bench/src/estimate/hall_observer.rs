//! Observer of a hall: scores what each customer was told, and the closed form beside it, which
//! learns from its own outcomes.

use super::hall_day::{HallObserver, Joining};
use super::hall_settings::queue_id;
use paihao_domain::{
    Accuracy, DecisionInput, Event, ForecastInput, ForecastMethod, ForecastModel, LiveCounter,
    Observation, Rules, Site, TicketId, TicketState, Timestamp, VisitRecord,
};
use std::collections::HashMap;

/// Observer of one hall, from day to day.
#[derive(Default)]
pub struct HallScorer {
    model: ForecastModel,
    closed_form: ForecastModel,
    predictions: HashMap<TicketId, Prediction>,
    scoring: bool,
    scores: HallScores,
}

/// Accuracy of the estimators in a hall.
#[derive(Default)]
pub struct HallScores {
    /// Product's estimator, with the 80 % bound to the second.
    pub product: Accuracy,
    /// Product's estimator, with the upper bound in the words that were told.
    pub told: Accuracy,
    /// Closed form, with the 80 % bound to the second.
    pub closed_form: Accuracy,
}

/// Estimates for one customer on joining, in seconds.
struct Prediction {
    hour: u8,
    ahead: u32,
    median_s: u32,
    p80_s: u32,
    promised_s: Option<u32>,
    closed_form: (u32, u32, u32),
}

impl HallScorer {
    /// Begins a day, which is scored or only trains the estimators.
    pub fn new_day(&mut self, counts: bool) {
        self.predictions.clear();
        self.scoring = counts;
    }

    /// Returns the scores.
    pub fn into_scores(self) -> HallScores {
        self.scores
    }

    fn record_visit(&mut self, ticket: TicketId, visit: &VisitRecord) {
        let Some(observation) = visit.observation() else { return };
        self.model.learn(&visit.queue, &observation);
        let prediction = self.predictions.get(&ticket);
        let predicted = observation.predicted.and(prediction);
        let predicted = predicted.map(|it| (ForecastMethod::Formula, it.closed_form.0));
        self.closed_form.learn(&visit.queue, &Observation { predicted, ..observation });
    }

    fn score(&mut self, ticket: TicketId, waited_s: u32) {
        let Some(prediction) = self.predictions.get(&ticket).filter(|_| self.scoring) else {
            return;
        };
        let Prediction { hour, ahead, median_s, p80_s, promised_s, closed_form } = *prediction;
        let HallScores { product, told, closed_form: scored } = &mut self.scores;
        product.add(ahead, hour, median_s, Some(p80_s), waited_s);
        told.add(ahead, hour, median_s, promised_s, waited_s);
        scored.add(ahead, hour, closed_form.1, Some(closed_form.2), waited_s);
    }
}

impl HallObserver for HallScorer {
    fn model(&self) -> &ForecastModel {
        &self.model
    }

    fn joins(&mut self, site: &Site, rules: &Rules, now: &DecisionInput, joining: Joining) {
        let Joining { ticket, service, class } = joining;
        let queue = queue_id(service);
        let Some(forecast) = site.forecast_for_new_ticket(rules, &queue, class, now) else {
            return;
        };
        let line = site.line(&queue);
        let ahead = line
            .waiting()
            .filter_map(|id| site.ticket(id))
            .filter(|waiting| waiting.rank.class <= class)
            .count() as u32;
        let counters = rules.counters_of(&queue).map(|id| site.counter(id));
        let counters = counters.filter(|counter| counter.is_open()).map(|counter| {
            let served = counter.serving.and_then(|ticket| site.ticket(ticket));
            served.map_or(LiveCounter::Free, |served| {
                let since = match *served.state {
                    TicketState::Called { at, .. } => at,
                    TicketState::Serving { since, .. } => since,
                    _ => now.at,
                };
                LiveCounter::Busy {
                    queue: served.queue.clone(),
                    minutes: rules.queues[&served.queue].minutes,
                    spent_s: (now.at.since_ms(since) / 1_000) as u32,
                }
            })
        });
        let counters: Vec<_> = counters.collect();
        // Whoever finds a free counter is told no time.
        if counters.contains(&LiveCounter::Free) && line.is_empty() {
            return;
        }
        let last_called = || {
            let called = site
                .tickets()
                .filter(|t| t.queue == queue)
                .filter_map(|ticket| Some((ticket.progress.steps.called_at?, ticket.taken_at)));
            called.max().map(|(called, taken)| (called.since_ms(taken) / 1_000) as u32)
        };
        let input = ForecastInput {
            minutes: rules.queues[&queue].minutes,
            ahead,
            counters,
            last_wait_s: if ahead >= 8 { last_called() } else { None },
            closing_s: None,
            queue,
        };
        let Some(closed_form) = self.closed_form.forecast(&input) else { return };
        let prediction = Prediction {
            hour: (now.at.0 / 3_600_000) as u8,
            ahead,
            median_s: forecast.median_s,
            p80_s: forecast.p80_s,
            promised_s: forecast.to_estimate().promised_minutes().map(|minutes| minutes * 60),
            closed_form: (closed_form.predicted_s, closed_form.median_s, closed_form.p80_s),
        };
        self.predictions.insert(ticket, prediction);
    }

    fn on_event(&mut self, event: &Event, _: Timestamp) {
        match event {
            Event::TicketFinished { ticket, visit: Some(visit), .. }
            | Event::TicketClosed { ticket, visit: Some(visit), .. } => {
                if let Some(waited_ms) = visit.waited_ms() {
                    self.score(*ticket, (waited_ms / 1_000) as u32);
                }
                self.record_visit(*ticket, visit);
            }
            _ => {}
        }
    }
}
