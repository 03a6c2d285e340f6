//! Forecasts and quotes of a site: the wait in a queue now, and the wait a holder is quoted.

use crate::estimate::{Estimate, Forecast, ForecastInput, LiveCounter};
use crate::model::ids::{QueueId, TicketId};
use crate::model::quoted_wait::QuotedWait;
use crate::model::rules::Rules;
use crate::model::site::{QueueAvailability, Site};
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::{DecisionInput, OpeningStatus};
use crate::protocol::command::QueueState;

impl Site {
    /// Availability of a queue for customers who would join it now.
    pub fn availability(
        &self,
        rules: &Rules,
        queue: &QueueId,
        now: &DecisionInput,
    ) -> QueueAvailability {
        let Some(of_queue) = rules.queues.get(queue) else { return QueueAvailability::Closed };
        match self.queue_state(rules, queue) {
            QueueState::Closed => return QueueAvailability::Closed,
            QueueState::Paused => return QueueAvailability::Paused,
            QueueState::Halted => return QueueAvailability::Halted,
            QueueState::Open => {}
        }
        let hours = now.opening_status(queue);
        if hours == OpeningStatus::Outside {
            return QueueAvailability::OutOfHours;
        }
        let (waiting, taken) =
            self.lines.get(queue).map_or((0, 0), |line| (line.len(), line.taken));
        let full = of_queue.capacity.is_some_and(|limit| waiting >= limit as usize)
            || of_queue.daily_cap.is_some_and(|limit| taken >= limit);
        if full {
            return QueueAvailability::Full;
        }
        let forecast = self.estimate(rules, queue, waiting as u32, now);
        match (hours, forecast) {
            (OpeningStatus::Until(end), Some(wait)) if now.at.plus_minutes(wait.high) > end => {
                QueueAvailability::Closing
            }
            _ => QueueAvailability::Open,
        }
    }

    /// Forecast for a ticket with this many ahead; `None` while no counter is open.
    pub fn forecast(
        &self,
        rules: &Rules,
        queue: &QueueId,
        ahead: u32,
        now: &DecisionInput,
    ) -> Option<Forecast> {
        now.model.forecast(&self.forecast_input(rules, queue, ahead, now)?)
    }

    /// Input of a forecast for a ticket with this many ahead; `None` if the rules have no such
    /// queue.
    pub(crate) fn forecast_input(
        &self,
        rules: &Rules,
        queue: &QueueId,
        ahead: u32,
        now: &DecisionInput,
    ) -> Option<ForecastInput> {
        let minutes = rules.queues.get(queue)?.minutes;
        let busy = |ticket: TicketId| {
            let (queue, spent_ms) = match self.tickets.get(&ticket).map(|t| (&t.queue, &t.state)) {
                Some((
                    queue,
                    TicketState::Called { at: since, .. } | TicketState::Serving { since, .. },
                )) => (queue, now.at.since_ms(*since)),
                _ => (queue, 0),
            };
            LiveCounter::Busy {
                queue: queue.clone(),
                minutes: rules.queues.get(queue).map_or(minutes, |rules| rules.minutes),
                spent_s: ms_to_seconds(spent_ms),
            }
        };
        let counters = rules
            .counters_of(queue)
            .filter_map(|id| self.counters.get(id))
            .filter(|counter| counter.is_open())
            .map(|counter| counter.serving.map_or(LiveCounter::Free, busy))
            .collect();
        let last_wait_s = self.lines.get(queue).and_then(|line| line.last_wait_s);
        let closing_s = match now.opening_status(queue) {
            OpeningStatus::Until(end) => Some(ms_to_seconds(end.since_ms(now.at))),
            _ => None,
        };
        let queue = queue.clone();
        Some(ForecastInput { queue, minutes, ahead, counters, last_wait_s, closing_s })
    }

    /// Estimated range for a ticket with this many ahead; `None` while no counter is open.
    pub fn estimate(
        &self,
        rules: &Rules,
        queue: &QueueId,
        ahead: u32,
        now: &DecisionInput,
    ) -> Option<Estimate> {
        self.forecast(rules, queue, ahead, now).map(|forecast| forecast.to_estimate())
    }

    /// Wait quoted to a customer who joins a queue now, in the queue's own class.
    pub fn quote_for_new_ticket(
        &self,
        rules: &Rules,
        queue: &QueueId,
        now: &DecisionInput,
    ) -> QuotedWait {
        let class = rules.queues.get(queue).map_or(0, |rules| rules.class);
        let ahead =
            self.lines.get(queue).map_or(0, |line| line.len_of_classes(0..class + 1)) as u32;
        QuotedWait::from_forecast(ahead, self.forecast(rules, queue, ahead, now))
    }

    /// Wait quoted to the holder of a ticket with this many ahead. An upper bound that was just
    /// shortened is not lengthened again at once.
    pub(crate) fn quote_at(
        &self,
        rules: &Rules,
        ticket: &Ticket,
        ahead: u32,
        now: &DecisionInput,
    ) -> QuotedWait {
        let fresh =
            QuotedWait::from_forecast(ahead, self.forecast(rules, &ticket.queue, ahead, now));
        let estimate = fresh.estimate.map(|range| ticket.progress.steady_range(range, now.at));
        QuotedWait { estimate, ..fresh }
    }

    /// Wait quoted to the holder of a ticket now.
    pub fn current_quote(&self, rules: &Rules, ticket: &Ticket, now: &DecisionInput) -> QuotedWait {
        match ticket.state {
            TicketState::Waiting | TicketState::Held { .. } => {
                let ahead = self.ahead_at(&ticket.queue, ticket.rank, ticket.id);
                self.quote_at(rules, ticket, ahead, now)
            }
            _ => QuotedWait::without_estimate(0),
        }
    }
}

fn ms_to_seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}
