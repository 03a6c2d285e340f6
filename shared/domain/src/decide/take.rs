//! Taking a number, and showing it again.

use super::{Answer, Decided, Decider};
use crate::model::actor::Role;
use crate::model::ids::{Number, Person, QueueId, ScanSessionRef, TicketId, TicketKey};
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::rules::MISSED_LANE_CLASS;
use crate::model::site::QueueAvailability;
use crate::model::ticket::{CloseReason, Ticket, TicketState};
use crate::model::time::Timestamp;
use crate::model::visit_progress::ForecastBasis;
use crate::protocol::event::Event;
use crate::protocol::refusal::Refusal;

impl Decider<'_> {
    pub(super) fn take_number(
        &self,
        queue: &QueueId,
        person: Option<&Person>,
        scan_session: Option<&ScanSessionRef>,
        class: Option<u8>,
        key: Option<TicketKey>,
    ) -> Decided {
        let mut events = Vec::new();
        if let Some(held) = person.and_then(|person| self.site.live_ticket_of(person)) {
            match self.return_rank(held) {
                // A holder who was missed and asks for a number returns to the line.
                Some(Ok(rank)) => return self.return_on_scan(held, rank, scan_session),
                Some(Err(_)) => {
                    events.push(Event::ticket_closed(held.id, CloseReason::Expired, None));
                }
                None => return self.show_ticket(held, scan_session),
            }
        }
        let rules = self.queue(queue)?;
        self.check_availability(queue)?;
        self.check_person_limit(queue, person)?;
        let class = class.unwrap_or(rules.class);
        if class >= MISSED_LANE_CLASS {
            return Err(Refusal::OutOfRange("a priority class is 0 to 8"));
        }
        let place = self.site.next_place(class, self.now);
        let (rank, ticket) = place;
        let serial = self.site.serials.get(&rules.prefix).map_or(1, |last| last + 1);
        let number = Number { prefix: rules.prefix.clone(), serial };
        let ahead = self.site.ahead_at(queue, rank, ticket);
        let forecast = self.site.forecast(self.rules, queue, place, self.now);
        let quote = QuotedWait::from_forecast(ahead, forecast);
        events.push(Event::TicketTaken {
            ticket,
            queue: queue.clone(),
            number,
            person: person.cloned(),
            rank,
            quoted: quote,
            basis: forecast.map(ForecastBasis::from_forecast),
            scan_session: scan_session.cloned(),
            key,
        });
        Ok((Answer::Holding { ticket, wait: Some(quote), new: true }, events))
    }

    /// Requires a queue that the caller may join now. Staff may give a number whose turn may come
    /// after closing time.
    fn check_availability(&self, queue: &QueueId) -> Result<(), Refusal> {
        let is_staff = self.actor.role() != Role::Customer;
        let may_override = is_staff && self.actor.role() != Role::Api;
        match self.site.availability(self.rules, queue, self.now) {
            // A ticket in a halted queue waits until calling goes on.
            QueueAvailability::Open | QueueAvailability::Halted => Ok(()),
            QueueAvailability::Closing if may_override => Ok(()),
            QueueAvailability::Closing => Err(Refusal::QueueClosing(queue.clone())),
            QueueAvailability::Full => Err(Refusal::QueueFull(queue.clone())),
            QueueAvailability::Paused => Err(Refusal::QueuePaused(queue.clone())),
            QueueAvailability::OutOfHours => Err(Refusal::OutOfHours(queue.clone())),
            QueueAvailability::Closed => Err(Refusal::QueueClosed(queue.clone())),
        }
    }

    /// Requires that the person may take one more today. Staff give a number all the same.
    fn check_person_limit(&self, queue: &QueueId, person: Option<&Person>) -> Result<(), Refusal> {
        let limit = self.queue(queue)?.daily_per_person;
        let (Some(limit), Some(person)) = (limit, person) else { return Ok(()) };
        if self.actor.role() == Role::Customer && self.is_limit_reached(queue, person, limit) {
            Err(Refusal::PersonLimit(queue.clone()))
        } else {
            Ok(())
        }
    }

    /// Returns whether a person has taken as many numbers of the queue today as this limit, which
    /// staff have not lifted.
    pub(super) fn is_limit_reached(&self, queue: &QueueId, person: &Person, limit: u32) -> bool {
        self.site.taken_by(self.rules, queue, person) >= limit
            && !self.site.is_limit_lifted(self.rules, queue, person)
    }

    /// Effective arrival now: never before that of a ticket already in a line.
    pub(super) fn effective_arrival(&self) -> Timestamp {
        self.site.effective_arrival(self.now.at)
    }

    /// Rank of a ticket that arrives now.
    pub(super) fn arrival_rank(&self, class: u8, ticket: TicketId) -> Rank {
        Rank { class, arrival: self.effective_arrival(), sequence: ticket.0, offset: 0 }
    }

    pub(super) fn show_ticket(
        &self,
        held: &Ticket,
        scan_session: Option<&ScanSessionRef>,
    ) -> Decided {
        let quote = self.site.current_quote(self.rules, held, self.now);
        let shown = Event::TicketShown {
            ticket: held.id,
            quoted: quote,
            scan_session: scan_session.cloned(),
        };
        let has_place = matches!(*held.state, TicketState::Waiting | TicketState::Held { .. });
        let wait = has_place.then_some(quote);
        Ok((Answer::Holding { ticket: held.id, wait, new: false }, vec![shown]))
    }

    /// Returns a missed ticket to the line on another scan.
    fn return_on_scan(
        &self,
        missed: &Ticket,
        rank: Rank,
        scan_session: Option<&ScanSessionRef>,
    ) -> Decided {
        let quote = self.site.quote_at(self.rules, missed, rank, self.now);
        let returned = Event::TicketReturned { ticket: missed.id, rank };
        let shown = Event::TicketShown {
            ticket: missed.id,
            quoted: quote,
            scan_session: scan_session.cloned(),
        };
        let answer = Answer::Holding { ticket: missed.id, wait: Some(quote), new: false };
        Ok((answer, vec![returned, shown]))
    }
}
