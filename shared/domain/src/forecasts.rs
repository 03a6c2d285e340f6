//! Forecasts and quotes of a site: the wait in a queue now, and the wait a holder is quoted.

use crate::estimate::{Forecast, ForecastInput, LiveCounter};
use crate::line_simulation::{LineSimulation, is_simulated};
use crate::model::ids::{QueueId, TicketId};
use crate::model::lane::Position;
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::rules::Rules;
use crate::model::site::{Counter, QueueAvailability, Site};
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
        let waiting = self.lines.get(queue).map_or(0, |line| line.len());
        let full = of_queue.capacity.is_some_and(|limit| waiting >= limit as usize)
            || of_queue.daily_cap.is_some_and(|limit| self.counted_today(rules, queue) >= limit);
        if full {
            return QueueAvailability::Full;
        }
        let OpeningStatus::Until(end) = hours else { return QueueAvailability::Open };
        match self.quote_for_new_ticket(rules, queue, now).estimate {
            Some(wait) if now.at.plus_minutes(wait.high) > end => QueueAvailability::Closing,
            _ => QueueAvailability::Open,
        }
    }

    /// Counter as a forecast of this queue sees it.
    pub(crate) fn live_counter(
        &self,
        rules: &Rules,
        counter: &Counter,
        queue: &QueueId,
        now: &DecisionInput,
    ) -> LiveCounter {
        let Some(ticket) = counter.serving else { return LiveCounter::Free };
        let (served, spent_ms) = match self.ticket(ticket).map(|t| (&t.queue, &*t.state)) {
            Some((
                served,
                TicketState::Called { at: since, .. } | TicketState::Serving { since, .. },
            )) => (served, now.at.since_ms(*since)),
            _ => (queue, 0),
        };
        let minutes = |queue: &QueueId| rules.queues.get(queue).map(|rules| rules.minutes);
        LiveCounter::Busy {
            queue: served.clone(),
            minutes: minutes(served).or(minutes(queue)).unwrap_or_default(),
            spent_s: ms_to_seconds(spent_ms),
        }
    }

    /// Place of a ticket that would be taken now in this class: never before that of a ticket
    /// already in a line.
    pub(crate) fn next_place(&self, class: u8, now: &DecisionInput) -> Position {
        let ticket = TicketId(self.last_ticket + 1);
        let arrival = self.effective_arrival(now.at);
        (Rank { class, arrival, sequence: ticket.0, offset: 0 }, ticket)
    }

    /// Forecast for a ticket that has this place in a queue; `None` while no counter is open, or
    /// the queue calls nobody.
    pub(crate) fn forecast(
        &self,
        rules: &Rules,
        queue: &QueueId,
        place: Position,
        now: &DecisionInput,
    ) -> Option<Forecast> {
        let (rank, ticket) = place;
        let ahead = self.ahead_at(queue, rank, ticket);
        QueueForecasts::new(self, rules, queue, now)?.forecast(place, ahead)
    }

    /// Forecast for a ticket that would be taken now in this class; `None` while no counter is
    /// open, or the queue calls nobody.
    pub fn forecast_for_new_ticket(
        &self,
        rules: &Rules,
        queue: &QueueId,
        class: u8,
        now: &DecisionInput,
    ) -> Option<Forecast> {
        self.forecast(rules, queue, self.next_place(class, now), now)
    }

    /// Wait quoted to a customer who joins a queue now, in the queue's own class.
    pub fn quote_for_new_ticket(
        &self,
        rules: &Rules,
        queue: &QueueId,
        now: &DecisionInput,
    ) -> QuotedWait {
        let class = rules.queues.get(queue).map_or(0, |rules| rules.class);
        let (rank, ticket) = self.next_place(class, now);
        let forecast = self.forecast_for_new_ticket(rules, queue, class, now);
        QuotedWait::from_forecast(self.ahead_at(queue, rank, ticket), forecast)
    }

    /// Wait quoted to the holder of a ticket if it had this rank. An upper bound that was just
    /// shortened is not lengthened again at once.
    pub(crate) fn quote_at(
        &self,
        rules: &Rules,
        ticket: &Ticket,
        rank: Rank,
        now: &DecisionInput,
    ) -> QuotedWait {
        let ahead = self.ahead_at(&ticket.queue, rank, ticket.id);
        match QueueForecasts::new(self, rules, &ticket.queue, now) {
            Some(mut forecasts) => forecasts.quote(ticket, rank, ahead),
            None => QuotedWait::without_estimate(ahead),
        }
    }

    /// Wait quoted to the holder of a ticket now.
    pub fn current_quote(&self, rules: &Rules, ticket: &Ticket, now: &DecisionInput) -> QuotedWait {
        match *ticket.state {
            TicketState::Waiting | TicketState::Held { .. } => {
                self.quote_at(rules, ticket, ticket.rank, now)
            }
            _ => QuotedWait::without_estimate(0),
        }
    }
}

/// Forecasts for the tickets of one queue at one time. Several of them cost little more than one.
pub(crate) struct QueueForecasts<'a> {
    site: &'a Site,
    rules: &'a Rules,
    queue: &'a QueueId,
    now: &'a DecisionInput,
    input: ForecastInput,
    is_simulated: bool,
    /// Simulation of the tickets that wait.
    simulation: Option<LineSimulation<'a>>,
}

impl<'a> QueueForecasts<'a> {
    /// Forecasts of a queue; `None` if the rules have no such queue, or while it calls nobody: no
    /// time can be promised then.
    pub(crate) fn new(
        site: &'a Site,
        rules: &'a Rules,
        queue: &'a QueueId,
        now: &'a DecisionInput,
    ) -> Option<QueueForecasts<'a>> {
        if !site.is_calling(rules, queue) {
            return None;
        }
        let counters = rules
            .counters_of(queue)
            .filter_map(|id| site.counters.get(id))
            .filter(|counter| counter.is_open())
            .map(|counter| site.live_counter(rules, counter, queue, now));
        let input = ForecastInput {
            queue: queue.clone(),
            minutes: rules.queues.get(queue)?.minutes,
            ahead: 0,
            counters: counters.collect(),
            last_wait_s: site.lines.get(queue).and_then(|line| line.last_wait_s),
            closing_s: match now.opening_status(queue) {
                OpeningStatus::Until(end) => Some(ms_to_seconds(end.since_ms(now.at))),
                _ => None,
            },
        };
        let is_simulated = is_simulated(rules, queue, now);
        Some(QueueForecasts { site, rules, queue, now, input, is_simulated, simulation: None })
    }

    /// Forecast for the ticket at this place, with so many ahead; `None` while no counter is open,
    /// or if the ticket is not called today.
    pub(crate) fn forecast(&mut self, place: Position, ahead: u32) -> Option<Forecast> {
        self.input.ahead = ahead;
        if !self.is_simulated {
            return self.now.model.forecast(&self.input);
        }
        let seconds = self.simulated_s(place)?;
        Some(self.now.model.forecast_of_simulated(&self.input, seconds))
    }

    /// Minutes that the lower bound for no ticket exceeds that waits before this place in the same
    /// class, with more than 14 ahead.
    pub(crate) fn max_low_minutes(&mut self, place: Position, ahead: u32) -> Option<u32> {
        if !self.is_simulated {
            return self.forecast(place, ahead).map(|forecast| forecast.to_estimate().low);
        }
        // The bands of simulated waits have multipliers of their own.
        let seconds = self.simulated_s(place)?;
        let median_s = self.now.model.max_simulated_median_s(self.queue, seconds);
        Some((median_s / 60.0) as u32 + 1)
    }

    fn simulated_s(&mut self, place: Position) -> Option<f64> {
        let QueueForecasts { site, rules, queue, now, .. } = *self;
        let start = |inserted| LineSimulation::new(site, rules, queue, now, inserted);
        if !self.waits_at(place) {
            return start(Some(place))?.wait_s(place);
        }
        if self.simulation.is_none() {
            self.simulation = start(None);
        }
        self.simulation.as_mut()?.wait_s(place)
    }

    /// Wait quoted to the holder of a ticket if it had this rank, with so many ahead.
    pub(crate) fn quote(&mut self, ticket: &Ticket, rank: Rank, ahead: u32) -> QuotedWait {
        let fresh = QuotedWait::from_forecast(ahead, self.forecast((rank, ticket.id), ahead));
        let at = self.now.at;
        let estimate = fresh.estimate.map(|range| {
            let displayed = ticket.displayed();
            displayed.map_or(range, |displayed| displayed.steadied(range, ahead, at))
        });
        QuotedWait { estimate, ..fresh }
    }

    fn waits_at(&self, (rank, ticket): Position) -> bool {
        self.site.ticket(ticket).is_some_and(|waiting| {
            waiting.state == TicketState::Waiting
                && waiting.rank == rank
                && waiting.queue == *self.queue
        })
    }
}

fn ms_to_seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}
