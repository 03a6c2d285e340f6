//! What a command means for a site now.

use crate::command::{Act, Command, Served};
use crate::event::{Decision, Event, Milestone, MilestoneKind, Outcome};
use crate::ids::{CounterId, Number, Person, QueueId, TicketId, Via};
use crate::memory::Remembered;
use crate::refusal::Refusal;
use crate::rules::{CounterRules, QueueRules, Rules};
use crate::site::Site;
use crate::ticket::{CloseReason, Rank, Stage, Ticket};
use crate::time::{Day, Now, Timestamp};

/// The answer to a command that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To be written to the ledger, and true only once it is there.
    Decided(Decision),
    /// Decided before; nothing is to be written.
    Remembered(Remembered),
}

/// Decides a command on a site as it is. Changes nothing.
pub fn decide(site: &Site, rules: &Rules, command: &Command, now: Now) -> Result<Answer, Refusal> {
    if let Some(remembered) = site.remembered(&command.id) {
        return match remembered.fingerprint == command.fingerprint {
            true => Ok(Answer::Remembered(remembered.clone())),
            false => Err(Refusal::CommandIdReused),
        };
    }
    // A replica whose clock is behind does not lead the site back into yesterday.
    let begins = site.day.is_none_or(|day| day < now.day);
    let today = match begins {
        true => Site { day: Some(now.day), ..Site::default() },
        false => site.clone(),
    };
    let sitting =
        Sitting { before: site, site: &today, rules, now, day: today.day.unwrap_or(now.day) };
    let (outcome, happened) = sitting.hear(&command.act)?;
    let opening = begins.then_some(Event::DayOpened { day: now.day });
    Ok(Answer::Decided(Decision {
        command: command.id,
        fingerprint: command.fingerprint,
        at: now.at,
        outcome,
        events: opening.into_iter().chain(happened).collect(),
    }))
}

/// Everything one decision looks at.
struct Sitting<'a> {
    /// The site as it was; of yesterday, if this is the first decision of a day.
    before: &'a Site,
    site: &'a Site,
    rules: &'a Rules,
    now: Now,
    day: Day,
}

type Heard = Result<(Outcome, Vec<Event>), Refusal>;

impl Sitting<'_> {
    fn hear(&self, act: &Act) -> Heard {
        match act {
            Act::Take { queue, person, via } => self.take(queue, person.as_ref(), via.as_ref()),
            Act::Leave { ticket, reason } => self.leave(*ticket, *reason),
            Act::Show { person } => Ok(self.show(self.held(person)?, None)),
            Act::Withdraw { person } => self.leave(self.held(person)?.id, CloseReason::ByCustomer),
            Act::Forget { person } => self.forget(person),
            Act::OpenCounter(counter) => self.open_counter(counter),
            Act::CloseCounter(counter) => self.close_counter(counter),
            Act::CallNext(counter) => self.call_next(counter),
            Act::Finish(served) => self.finish(served),
            Act::Miss(served) => self.miss(served),
        }
    }

    fn take(&self, queue: &QueueId, person: Option<&Person>, via: Option<&Via>) -> Heard {
        if let Some(held) = person.and_then(|person| self.site.held_by(person)) {
            return Ok(self.show(held, via));
        }
        let rules = self.queue(queue)?;
        if !rules.open {
            return Err(Refusal::QueueClosed(queue.clone()));
        }
        let ticket = TicketId(self.site.last_ticket + 1);
        let arrival = self.site.last_arrival.map_or(self.now.at, |last| last.max(self.now.at));
        let rank = Rank { class: 0, arrival, sequence: ticket.0 };
        let serial = self.site.lines.get(queue).map_or(1, |line| line.next_serial());
        let number = Number { prefix: rules.prefix.clone(), serial };
        let told = self.site.told(self.rules, queue, rank, self.now.at);
        let outcome = Outcome::Holding {
            ticket,
            number: number.clone(),
            queue: queue.clone(),
            told,
            called_to: None,
            new: true,
        };
        let taken = Event::TicketTaken {
            ticket,
            queue: queue.clone(),
            number,
            person: person.cloned(),
            rank,
            told,
            via: via.cloned(),
        };
        Ok((outcome, vec![taken]))
    }

    fn show(&self, held: &Ticket, via: Option<&Via>) -> (Outcome, Vec<Event>) {
        let told = self.site.told(self.rules, &held.queue, held.rank, self.now.at);
        let called_to = match &held.stage {
            Stage::Called { counter, .. } => Some(counter.clone()),
            _ => None,
        };
        let outcome = Outcome::Holding {
            ticket: held.id,
            number: held.number.clone(),
            queue: held.queue.clone(),
            told,
            called_to,
            new: false,
        };
        (outcome, vec![Event::TicketShown { ticket: held.id, told, via: via.cloned() }])
    }

    fn leave(&self, ticket: TicketId, reason: CloseReason) -> Heard {
        let ticket = self.site.ticket(ticket).ok_or(Refusal::UnknownTicket(ticket))?;
        if !ticket.is_live() {
            return Err(Refusal::TicketEnded(ticket.number.clone()));
        }
        let outcome = Outcome::Left { ticket: ticket.id, number: ticket.number.clone() };
        Ok((outcome, vec![Event::TicketClosed { ticket: ticket.id, reason }]))
    }

    fn forget(&self, person: &Person) -> Heard {
        let theirs = self.site.tickets_of(person);
        let events: Vec<_> = theirs
            .flat_map(|ticket| {
                let reason = CloseReason::ByCustomer;
                let closed = Event::TicketClosed { ticket: ticket.id, reason };
                let forgotten = Event::HolderForgotten { ticket: ticket.id };
                ticket.is_live().then_some(closed).into_iter().chain([forgotten])
            })
            .collect();
        // What was yesterday goes with the day that this opens.
        match self.before.tickets_of(person).next() {
            None => Err(Refusal::PersonUnknown),
            Some(_) => Ok((Outcome::Forgotten, events)),
        }
    }

    fn held(&self, person: &Person) -> Result<&Ticket, Refusal> {
        self.site.held_by(person).ok_or(Refusal::NoTicketHeld)
    }

    fn open_counter(&self, counter: &CounterId) -> Heard {
        self.counter(counter)?;
        let event = Event::CounterOpened { counter: counter.clone() };
        Ok((Outcome::CounterOpen(counter.clone()), vec![event]))
    }

    fn close_counter(&self, counter: &CounterId) -> Heard {
        self.counter(counter)?;
        self.free(counter)?;
        let event = Event::CounterClosed { counter: counter.clone() };
        Ok((Outcome::CounterClosed(counter.clone()), vec![event]))
    }

    fn call_next(&self, counter: &CounterId) -> Heard {
        let rules = self.counter(counter)?;
        if !self.site.counter(counter).open {
            return Err(Refusal::CounterClosed(counter.clone()));
        }
        self.free(counter)?;
        let next = self.next_for(rules).ok_or_else(|| Refusal::NobodyWaiting(counter.clone()))?;
        let queue = self.queue(&next.queue)?;
        let deadline = self.now.at.plus_ms(i64::from(queue.grace_seconds) * 1000);
        let call = 1;
        let called =
            Event::TicketCalled { ticket: next.id, counter: counter.clone(), call, deadline };
        let kind = MilestoneKind::Called { counter_name: rules.name.clone(), call };
        let milestone = self.milestone(next, queue, kind, deadline);
        let outcome = Outcome::Called {
            ticket: next.id,
            number: next.number.clone(),
            queue: next.queue.clone(),
            counter: counter.clone(),
            deadline,
        };
        Ok((outcome, [called].into_iter().chain(milestone).collect()))
    }

    /// First come, first served, over all the queues that the counter serves.
    fn next_for(&self, counter: &CounterRules) -> Option<&Ticket> {
        let heads = counter.queues.iter().filter_map(|queue| self.site.lines.get(queue)?.first());
        let (_, ticket) = heads.min()?;
        self.site.ticket(ticket)
    }

    fn finish(&self, served: &Served) -> Heard {
        let (counter, ticket) = (&served.counter, self.meant_by(served)?);
        let outcome = Outcome::Finished {
            ticket: ticket.id,
            number: ticket.number.clone(),
            counter: counter.clone(),
        };
        let event = Event::TicketFinished { ticket: ticket.id, counter: counter.clone() };
        Ok((outcome, vec![event]))
    }

    fn miss(&self, served: &Served) -> Heard {
        let (counter, ticket) = (&served.counter, self.meant_by(served)?);
        let outcome = Outcome::Missed {
            ticket: ticket.id,
            number: ticket.number.clone(),
            counter: counter.clone(),
        };
        let event = Event::TicketMissed { ticket: ticket.id, counter: counter.clone() };
        Ok((outcome, vec![event]))
    }

    fn milestone(
        &self,
        ticket: &Ticket,
        queue: &QueueRules,
        kind: MilestoneKind,
        valid_until: Timestamp,
    ) -> Option<Event> {
        Some(Event::MilestoneReached(Milestone {
            ticket: ticket.id,
            day: self.day,
            person: ticket.person.clone()?,
            number: ticket.number.clone(),
            queue_name: queue.name.clone(),
            kind,
            at: self.now.at,
            valid_until,
        }))
    }

    fn queue(&self, id: &QueueId) -> Result<&QueueRules, Refusal> {
        self.rules.queues.get(id).ok_or_else(|| Refusal::UnknownQueue(id.clone()))
    }

    fn counter(&self, id: &CounterId) -> Result<&CounterRules, Refusal> {
        self.rules.counters.get(id).ok_or_else(|| Refusal::UnknownCounter(id.clone()))
    }

    fn served_at(&self, counter: &CounterId) -> Result<&Ticket, Refusal> {
        self.counter(counter)?;
        let serving = self.site.counter(counter).serving;
        serving
            .and_then(|ticket| self.site.ticket(ticket))
            .ok_or_else(|| Refusal::CounterIdle(counter.clone()))
    }

    fn meant_by(&self, served: &Served) -> Result<&Ticket, Refusal> {
        let ticket = self.served_at(&served.counter)?;
        match &served.number {
            Some(seen) if *seen != ticket.number.to_string() => Err(Refusal::CounterBusy {
                counter: served.counter.clone(),
                number: ticket.number.clone(),
            }),
            _ => Ok(ticket),
        }
    }

    fn free(&self, counter: &CounterId) -> Result<(), Refusal> {
        match self.served_at(counter) {
            Ok(ticket) => Err(Refusal::CounterBusy {
                counter: counter.clone(),
                number: ticket.number.clone(),
            }),
            Err(_) => Ok(()),
        }
    }
}
