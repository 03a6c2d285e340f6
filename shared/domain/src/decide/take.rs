//! Taking a number, and being shown it again.

use super::{Heard, Sitting};
use crate::model::actor::Role;
use crate::model::ids::{Number, Person, QueueId, TicketId, TicketKey, Via};
use crate::model::rules::MISSED_LANE;
use crate::model::site::Standing;
use crate::model::ticket::{CloseReason, Rank, Stage, State, Ticket, Told};
use crate::model::time::Timestamp;
use crate::model::visit::Basis;
use crate::protocol::event::{Event, Outcome};
use crate::protocol::refusal::Refusal;

impl Sitting<'_> {
    pub(super) fn take(
        &self,
        queue: &QueueId,
        person: Option<&Person>,
        via: Option<&Via>,
        class: Option<u8>,
        key: Option<TicketKey>,
    ) -> Heard {
        let mut events = Vec::new();
        if let Some(held) = person.and_then(|person| self.site.held_by(person)) {
            match self.returning(held) {
                // Whoever was missed and asks for a number wants to be let back in.
                Some(Ok(rank)) => return self.back(held, rank, via),
                Some(Err(_)) => {
                    events.push(Event::closed(held.id, CloseReason::Expired, None));
                }
                None => return self.show(held, via),
            }
        }
        let rules = self.queue(queue)?;
        self.gives_numbers(queue)?;
        let class = class.unwrap_or(rules.class);
        if class >= MISSED_LANE {
            return Err(Refusal::OutOfRange("a priority class is 0 to 8"));
        }
        let ticket = TicketId(self.site.last_ticket + 1);
        let rank = self.at_the_end(class, ticket);
        let serial = self.site.serials.get(&rules.prefix).map_or(1, |last| last + 1);
        let number = Number { prefix: rules.prefix.clone(), serial };
        let ahead = self.site.ahead_at(queue, rank, ticket);
        let forecast = self.site.forecast(self.rules, queue, ahead, self.now);
        let told = Told::of(ahead, forecast);
        let outcome = Outcome::Holding {
            ticket,
            number: number.clone(),
            queue: queue.clone(),
            told,
            called_to: None,
            new: true,
            state: State::Waiting,
        };
        events.push(Event::TicketTaken {
            ticket,
            queue: queue.clone(),
            number,
            person: person.cloned(),
            rank,
            told,
            basis: forecast.map(Basis::of),
            via: via.cloned(),
            key,
        });
        Ok((outcome, events))
    }

    /// Whether the asker may have a number now. Staff may give one whose turn may come after
    /// closing time.
    fn gives_numbers(&self, queue: &QueueId) -> Result<(), Refusal> {
        let by_hand = self.actor.role() != Role::Customer;
        let may_override = by_hand && self.actor.role() != Role::Api;
        match self.site.standing(self.rules, queue, self.now) {
            // Who joins a halted queue waits until it goes on.
            Standing::Open | Standing::Halted => Ok(()),
            Standing::Closing if may_override => Ok(()),
            Standing::Closing => Err(Refusal::QueueClosing(queue.clone())),
            Standing::Full => Err(Refusal::QueueFull(queue.clone())),
            Standing::Paused => Err(Refusal::QueuePaused(queue.clone())),
            Standing::OutOfHours => Err(Refusal::OutOfHours(queue.clone())),
            Standing::Closed => Err(Refusal::QueueClosed(queue.clone())),
        }
    }

    /// Effective arrival now: never before somebody who is in a line already.
    pub(super) fn arrival(&self) -> Timestamp {
        self.site.last_arrival.map_or(self.now.at, |last| last.max(self.now.at))
    }

    /// The place of somebody who comes now.
    pub(super) fn at_the_end(&self, class: u8, ticket: TicketId) -> Rank {
        Rank { class, arrival: self.arrival(), sequence: ticket.0, turn: 0 }
    }

    pub(super) fn show(&self, held: &Ticket, via: Option<&Via>) -> Heard {
        let told = self.site.told(self.rules, held, self.now);
        let called_to = match &held.stage {
            Stage::Called { counter, .. } | Stage::Serving { counter, .. } => Some(counter.clone()),
            _ => None,
        };
        let outcome = Outcome::Holding {
            ticket: held.id,
            number: held.number.clone(),
            queue: held.queue.clone(),
            told,
            called_to,
            new: false,
            state: held.state(),
        };
        Ok((outcome, vec![Event::TicketShown { ticket: held.id, told, via: via.cloned() }]))
    }

    /// Lets a missed one back in through another scan.
    fn back(&self, missed: &Ticket, rank: Rank, via: Option<&Via>) -> Heard {
        let ahead = self.site.ahead_at(&missed.queue, rank, missed.id);
        let told = self.site.told_to(self.rules, missed, ahead, self.now);
        let outcome = Outcome::Holding {
            ticket: missed.id,
            number: missed.number.clone(),
            queue: missed.queue.clone(),
            told,
            called_to: None,
            new: false,
            state: State::Waiting,
        };
        let returned = Event::TicketReturned { ticket: missed.id, rank };
        let shown = Event::TicketShown { ticket: missed.id, told, via: via.cloned() };
        Ok((outcome, vec![returned, shown]))
    }
}
