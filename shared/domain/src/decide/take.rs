//! Taking a number, and showing it again.

use super::{Decided, Decider};
use crate::model::actor::Role;
use crate::model::ids::{Number, Person, QueueId, ScanSessionRef, TicketId, TicketKey};
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::rules::MISSED_LANE_CLASS;
use crate::model::site::QueueAvailability;
use crate::model::ticket::{CloseReason, Ticket, TicketState, TicketStatus};
use crate::model::time::Timestamp;
use crate::model::visit_progress::ForecastBasis;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
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
        let class = class.unwrap_or(rules.class);
        if class >= MISSED_LANE_CLASS {
            return Err(Refusal::OutOfRange("a priority class is 0 to 8"));
        }
        let ticket = TicketId(self.site.last_ticket + 1);
        let rank = self.arrival_rank(class, ticket);
        let serial = self.site.serials.get(&rules.prefix).map_or(1, |last| last + 1);
        let number = Number { prefix: rules.prefix.clone(), serial };
        let ahead = self.site.ahead_at(queue, rank, ticket);
        let forecast = self.site.forecast(self.rules, queue, ahead, self.now);
        let quote = QuotedWait::from_forecast(ahead, forecast);
        let outcome = Outcome::Holding {
            ticket,
            number: number.clone(),
            queue: queue.clone(),
            quoted: quote,
            called_to: None,
            new: true,
            state: TicketStatus::Waiting,
        };
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
        Ok((outcome, events))
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

    /// Effective arrival now: never before that of a ticket already in a line.
    pub(super) fn effective_arrival(&self) -> Timestamp {
        self.site.last_arrival.map_or(self.now.at, |last| last.max(self.now.at))
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
        let called_to = match &held.state {
            TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } => {
                Some(counter.clone())
            }
            _ => None,
        };
        let outcome = Outcome::Holding {
            ticket: held.id,
            number: held.number.clone(),
            queue: held.queue.clone(),
            quoted: quote,
            called_to,
            new: false,
            state: held.status(),
        };
        Ok((
            outcome,
            vec![Event::TicketShown {
                ticket: held.id,
                quoted: quote,
                scan_session: scan_session.cloned(),
            }],
        ))
    }

    /// Returns a missed ticket to the line on another scan.
    fn return_on_scan(
        &self,
        missed: &Ticket,
        rank: Rank,
        scan_session: Option<&ScanSessionRef>,
    ) -> Decided {
        let ahead = self.site.ahead_at(&missed.queue, rank, missed.id);
        let quote = self.site.quote_at(self.rules, missed, ahead, self.now);
        let outcome = Outcome::Holding {
            ticket: missed.id,
            number: missed.number.clone(),
            queue: missed.queue.clone(),
            quoted: quote,
            called_to: None,
            new: false,
            state: TicketStatus::Waiting,
        };
        let returned = Event::TicketReturned { ticket: missed.id, rank };
        let shown = Event::TicketShown {
            ticket: missed.id,
            quoted: quote,
            scan_session: scan_session.cloned(),
        };
        Ok((outcome, vec![returned, shown]))
    }
}
