//! What a command means for a site now.

mod authority;

mod leave;
mod take;

mod call;
mod hold;
mod miss;
mod serve;
mod shift;
mod undo;

mod chances;

mod counters;
pub(crate) mod day;
mod queues;

pub use chances::Undoable;

use crate::milestones;
use crate::model::actor::{Actor, By};
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::memory::Remembered;
use crate::model::rules::{CounterRules, QueueRules, Rules};
use crate::model::site::{CounterState, Site};
use crate::model::ticket::{Stage, Ticket};
use crate::model::time::Now;
use crate::model::visit;
use crate::protocol::command::{Act, Command, Served};
use crate::protocol::event::{Decision, Event, Outcome};
use crate::protocol::refusal::Refusal;

/// The answer to a command that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To be written to the ledger, and true only once it is there; and the site as it is then.
    Decided(Decision, Box<Site>),
    /// Decided before; nothing is to be written.
    Remembered(Remembered),
}

/// Decides a command on a site as it is. Changes nothing.
pub fn decide(site: &Site, rules: &Rules, command: &Command, now: &Now) -> Result<Answer, Refusal> {
    if let Some(remembered) = site.remembered(&command.id) {
        return match remembered.fingerprint == command.fingerprint {
            true => Ok(Answer::Remembered(remembered.clone())),
            false => Err(Refusal::CommandIdReused),
        };
    }
    let (actor, by) = (&command.actor, command.actor.by());
    let piece = day::piece(site, rules, now);
    if piece.is_some() && command.act != Act::CloseDay {
        return Err(Refusal::DayTurning);
    }
    // Nobody is told of what ends with the day, nor of what it means for others.
    let night = piece.is_some();
    let mut events = match night {
        true => Vec::new(),
        false => day::turn_over(site, rules, now),
    };
    let mut today = site.clone();
    happen(&mut today, &mut events, now, &by);
    let sitting = Sitting { before: site, site: &today, rules, now, actor };
    let (outcome, mut happened) = match piece {
        Some(piece) => sitting.go_on_closing(piece)?,
        None => sitting.hear(&command.act)?,
    };
    let mut after = today.clone();
    happen(&mut after, &mut happened, now, &by);
    let told = match night {
        true => Vec::new(),
        false => milestones::reached(&after, rules, now, &happened),
    };
    told.iter().for_each(|event| after.evolve(event, now.at, Some(&by)));
    events.extend(happened);
    events.extend(told);
    let (command, fingerprint, at) = (command.id, command.fingerprint, now.at);
    let by = Some(by);
    let decision = Decision { command, fingerprint, at, by, outcome, events };
    after.memory.add(&decision);
    Ok(Answer::Decided(decision, Box::new(after)))
}

/// Applies events one after the other; those that end a visit say what became of it.
fn happen(site: &mut Site, events: &mut [Event], now: &Now, by: &By) {
    for event in events {
        visit::sum_up(event, site, now.at);
        site.evolve(event, now.at, Some(by));
    }
}

/// Everything one decision looks at.
struct Sitting<'a> {
    /// The site as it was; of yesterday, if this is the first decision of a day.
    before: &'a Site,
    site: &'a Site,
    rules: &'a Rules,
    now: &'a Now,
    actor: &'a Actor,
}

type Heard = Result<(Outcome, Vec<Event>), Refusal>;

impl Sitting<'_> {
    fn hear(&self, act: &Act) -> Heard {
        self.may(act)?;
        match act {
            Act::Take { queue, person, via, class, key } => {
                self.take(queue, person.as_ref(), via.as_ref(), *class, *key)
            }
            Act::Leave { ticket, reason } => self.leave(*ticket, reason.as_ref()),
            Act::Show { person } => self.show(self.held(person)?, None),
            Act::Withdraw { person } => self.leave(self.held(person)?.id, None),
            Act::Forget { person } => self.forget(person),
            Act::OpenCounter(counter) => self.open_counter(counter),
            Act::BreakCounter(counter) => self.break_counter(counter),
            Act::CloseCounter(counter) => self.close_counter(counter),
            Act::CallNext(counter) => self.call_next(counter),
            Act::CallThis { counter, ticket, reason } => {
                self.call_this(counter, *ticket, reason.as_ref())
            }
            Act::Recall(served) => self.recall(served),
            Act::Start(served) => self.start(served),
            Act::PutBack(served) => self.put_back(served),
            Act::Finish(served) => self.finish(served),
            Act::Miss(served) => self.miss(served),
            Act::Return(ticket) => self.let_back(*ticket),
            Act::Expire(ticket) => self.expire(*ticket),
            Act::LetPass { ticket, until } => self.let_pass(*ticket, *until),
            Act::Hold { ticket, reason, minutes } => self.hold(*ticket, reason, *minutes),
            Act::Resume(ticket) => self.resume(*ticket),
            Act::Suspend { served, reason, affinity } => self.suspend(served, reason, *affinity),
            Act::ResumeHere { counter, ticket } => self.resume_here(counter, *ticket),
            Act::Transfer { ticket, queue } => self.transfer(*ticket, queue),
            Act::Undo(ticket) => self.undo(*ticket),
            Act::Prioritise { ticket, class, reason } => self.prioritise(*ticket, *class, reason),
            Act::Mark { ticket, mark } => self.mark(*ticket, *mark),
            Act::SetQueue { queue, state } => self.set_queue(queue, *state),
            Act::ClearQueue(queue) => self.clear_queue(queue),
            Act::TellQueue(queue) => self.tell_queue(queue),
            Act::SweepQueue(queue) => self.sweep_queue(queue),
            Act::CloseDay => self.close_day(),
            Act::TellSlipped(queue) => self.tell_slipped(queue),
        }
    }

    fn queue(&self, id: &QueueId) -> Result<&QueueRules, Refusal> {
        self.rules.queues.get(id).ok_or_else(|| Refusal::UnknownQueue(id.clone()))
    }

    fn counter(&self, id: &CounterId) -> Result<&CounterRules, Refusal> {
        self.rules.counters.get(id).ok_or_else(|| Refusal::UnknownCounter(id.clone()))
    }

    fn ticket(&self, id: TicketId) -> Result<&Ticket, Refusal> {
        self.site.ticket(id).ok_or(Refusal::UnknownTicket(id))
    }

    /// A ticket that has not ended.
    fn live(&self, id: TicketId) -> Result<&Ticket, Refusal> {
        let ticket = self.ticket(id)?;
        match ticket.is_live() {
            true => Ok(ticket),
            false => Err(Refusal::TicketEnded(ticket.number.clone())),
        }
    }

    /// A counter that could call somebody, if it has nobody.
    fn serving_counter(&self, id: &CounterId) -> Result<&CounterRules, Refusal> {
        let rules = self.counter(id)?;
        match self.site.counter(id).state {
            CounterState::Offline => Err(Refusal::CounterClosed(id.clone())),
            CounterState::Break => Err(Refusal::CounterOnBreak(id.clone())),
            CounterState::Open => Ok(rules),
        }
    }

    fn at_counter(&self, counter: &CounterId) -> Result<&Ticket, Refusal> {
        self.counter(counter)?;
        let serving = self.site.counter(counter).serving;
        serving
            .and_then(|ticket| self.site.ticket(ticket))
            .ok_or_else(|| Refusal::CounterIdle(counter.clone()))
    }

    /// The ticket at a counter, if it is the one that the asker saw there.
    fn meant_by(&self, served: &Served) -> Result<&Ticket, Refusal> {
        let ticket = self.at_counter(&served.counter)?;
        match &served.number {
            Some(seen) if *seen != ticket.number.to_string() => Err(Refusal::CounterBusy {
                counter: served.counter.clone(),
                number: ticket.number.clone(),
            }),
            _ => Ok(ticket),
        }
    }

    fn free(&self, counter: &CounterId) -> Result<(), Refusal> {
        match self.at_counter(counter) {
            Ok(ticket) => Err(Refusal::CounterBusy {
                counter: counter.clone(),
                number: ticket.number.clone(),
            }),
            Err(_) => Ok(()),
        }
    }

    /// How a ticket stands once these events have happened.
    fn stands(&self, ticket: &Ticket, events: Vec<Event>) -> Heard {
        let mut after = self.site.clone();
        let by = self.actor.by();
        events.iter().for_each(|event| after.evolve(event, self.now.at, Some(&by)));
        let ticket = after.ticket(ticket.id).unwrap_or(ticket);
        let outcome = Outcome::Stands {
            ticket: ticket.id,
            number: ticket.number.clone(),
            queue: ticket.queue.clone(),
            state: ticket.state(),
            ahead: after.ahead(ticket),
        };
        Ok((outcome, events))
    }
}

/// The ticket was found in another state than it must be in.
fn wrong_state(ticket: &Ticket) -> Refusal {
    match ticket.is_live() {
        true => Refusal::WrongState { number: ticket.number.clone(), found: ticket.state() },
        false => Refusal::TicketEnded(ticket.number.clone()),
    }
}

/// Milliseconds of service that a ticket has had by now.
fn worked_ms(ticket: &Ticket, now: &Now) -> i64 {
    let this_time = match &ticket.stage {
        Stage::Called { at: since, .. } | Stage::Serving { since, .. } => now.at.since_ms(*since),
        _ => 0,
    };
    ticket.worked_ms + this_time.max(0)
}
