//! Decisions on commands, one file an act.

mod authorize;

mod leave;
mod migrate;
mod take;

mod call;
mod hold;
mod miss;
mod serve;
mod shift;
mod undo;

mod permitted;
mod standing;

mod counters;
mod day;
mod queues;

pub use permitted::UndoOption;

use crate::day_rollover;
use crate::model::actor::{Actor, ActorRef};
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::quoted_wait::QuotedWait;
use crate::model::recent_commands::RecordedAnswer;
use crate::model::rules::{CounterRules, QueueRules, Rules};
use crate::model::site::{CounterState, Site};
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::DecisionInput;
use crate::notifications;
use crate::protocol::command::{Act, Command, CounterTicket};
use crate::protocol::event::{Decision, Event};
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;
use crate::visit_records;
use std::borrow::Cow;

/// Result of a command that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionResult {
    /// Decision to append to the ledger, in force only once it is there; and the site after it.
    Decided(Decision, Box<Site>),
    /// Answer of an earlier decision; nothing is to be appended.
    AlreadyDecided(RecordedAnswer),
}

/// Decides a command on a site. Changes nothing.
pub fn decide(
    site: &Site,
    rules: &Rules,
    command: &Command,
    now: &DecisionInput,
) -> Result<DecisionResult, Refusal> {
    if let Some(recorded) = site.recorded_answer(&command.id) {
        return if recorded.fingerprint == command.fingerprint {
            Ok(DecisionResult::AlreadyDecided(recorded))
        } else {
            Err(Refusal::CommandIdReused)
        };
    }
    let actor = &command.actor;
    let by = actor.actor_ref();
    let vouched = matches!(command.act, Act::ResetDay { force: true });
    if day_rollover::is_unconfirmed(site, now) && !vouched {
        return Err(Refusal::DayUnconfirmed);
    }
    let now = &now.clone().with_confirmation(now.confirmed || vouched);
    let batch = day_rollover::next_batch(site, rules, now);
    if batch.is_some() && command.act != Act::CloseDay {
        return Err(Refusal::DayRollover);
    }
    if command.act.names_ticket() && command.day != site.day {
        return Err(Refusal::DayTurned);
    }
    // The end of the day and its effects on others notify nobody.
    let is_day_end = batch.is_some();
    let mut events =
        if is_day_end { Vec::new() } else { day_rollover::day_rollover_events(site, rules, now) };
    let mut today = Cow::Borrowed(site);
    if !events.is_empty() {
        apply_all(today.to_mut(), &mut events, now, &by);
    }
    let decider = Decider { before: site, site: &today, rules, now, actor };
    let (answer, mut happened) = match batch {
        Some(batch) => decider.continue_close_day(batch)?,
        None => decider.dispatch(&command.act)?,
    };
    let mut after = Site::clone(&today);
    apply_all(&mut after, &mut happened, now, &by);
    let outcome = answer.into_outcome(&after, rules, now)?;
    let notices = if is_day_end {
        Vec::new()
    } else {
        notifications::triggered_by(&today, &after, rules, now, actor.role(), &happened)
    };
    notices.iter().for_each(|event| after.apply_event(event, now.at, Some(&by)));
    events.extend(happened);
    events.extend(notices);
    let decision = Decision {
        command: command.id,
        fingerprint: command.fingerprint,
        at: now.at,
        by: Some(by),
        outcome,
        events,
    };
    after.recent_commands.record(&decision, &after.tickets);
    Ok(DecisionResult::Decided(decision, Box::new(after)))
}

/// Applies events in order, and adds visit records to those that end a visit.
fn apply_all(site: &mut Site, events: &mut [Event], now: &DecisionInput, by: &ActorRef) {
    for event in events {
        visit_records::attach_visit_record(event, site, now.at);
        site.apply_event(event, now.at, Some(by));
    }
}

/// Context of one decision.
struct Decider<'a> {
    /// Site before the decision; of yesterday, if this is the first decision of a day.
    before: &'a Site,
    site: &'a Site,
    rules: &'a Rules,
    now: &'a DecisionInput,
    actor: &'a Actor,
}

/// Answer of an act, and its events.
type Decided = Result<(Answer, Vec<Event>), Refusal>;

/// Answer of an act. What depends on the site after the events is found out there.
enum Answer {
    Ready(Outcome),
    /// The ticket that its holder is shown, with the wait that was quoted in the events.
    Holding {
        ticket: TicketId,
        wait: Option<QuotedWait>,
        new: bool,
    },
    /// The state of a ticket.
    TicketChanged(TicketId),
}

fn decided(outcome: Outcome, events: Vec<Event>) -> Decided {
    Ok((Answer::Ready(outcome), events))
}

impl Answer {
    fn into_outcome(
        self,
        after: &Site,
        rules: &Rules,
        now: &DecisionInput,
    ) -> Result<Outcome, Refusal> {
        let ticket_of = |id| after.ticket(id).ok_or(Refusal::UnknownTicket(id));
        Ok(match self {
            Answer::Ready(outcome) => outcome,
            Answer::Holding { ticket, wait, new } => {
                let ticket = ticket_of(ticket)?;
                Outcome::Holding {
                    ticket: ticket.id,
                    number: ticket.number.clone(),
                    queue: ticket.queue.clone(),
                    new,
                    standing: after.standing_with_wait(rules, ticket, now, wait),
                }
            }
            Answer::TicketChanged(ticket) => {
                let ticket = ticket_of(ticket)?;
                Outcome::TicketChanged {
                    ticket: ticket.id,
                    number: ticket.number.clone(),
                    queue: ticket.queue.clone(),
                    standing: after.standing(rules, ticket, now),
                }
            }
        })
    }
}

impl Decider<'_> {
    fn dispatch(&self, act: &Act) -> Decided {
        self.authorize(act)?;
        match act {
            Act::Take { queue, person, scan_session, class, key } => {
                self.take_number(queue, person.as_ref(), scan_session.as_ref(), *class, *key)
            }
            Act::Leave { ticket, reason } => self.leave(*ticket, reason.as_ref()),
            Act::Show { person } => self.show_ticket(self.live_ticket_of(person)?, None),
            Act::Withdraw { person } => self.leave(self.live_ticket_of(person)?.id, None),
            Act::Forget { person } => self.forget(person),
            Act::MigrateHolder { from, to } => self.migrate_holder(from, to),
            Act::OpenCounter(counter) => self.open_counter(counter, None),
            Act::TakeOver { counter, from } => self.open_counter(counter, Some(from)),
            Act::BreakCounter(counter) => self.break_counter(counter),
            Act::CloseCounter(counter) => self.close_counter(counter),
            Act::CallNext(counter) => self.call_next(counter),
            Act::CallTicket { counter, ticket, reason } => {
                self.call_ticket(counter, *ticket, reason.as_ref())
            }
            Act::Recall(served) => self.recall(served),
            Act::Start(served) => self.start(served),
            Act::PutBack(served) => self.put_back(served),
            Act::Finish(served) => self.finish(served),
            Act::Miss(served) => self.miss(served),
            Act::Return(ticket) => self.return_to_line(*ticket),
            Act::Expire(ticket) => self.expire(*ticket),
            Act::LetPass { ticket, until } => self.let_pass(*ticket, *until),
            Act::Hold { ticket, reason, minutes } => self.hold(*ticket, reason, *minutes),
            Act::Resume(ticket) => self.resume(*ticket),
            Act::Suspend { served, reason, affinity } => self.suspend(served, reason, *affinity),
            Act::ResumeAtCounter { counter, ticket } => self.resume_at_counter(counter, *ticket),
            Act::Transfer { ticket, queue } => self.transfer(*ticket, queue),
            Act::Undo(ticket) => self.undo(*ticket),
            Act::Prioritise { ticket, class, reason } => self.prioritise(*ticket, *class, reason),
            Act::Mark { ticket, mark } => self.mark(*ticket, *mark),
            Act::SetQueueState { queue, state } => self.set_queue(queue, *state),
            Act::ClearQueue(queue) => self.clear_queue(queue),
            Act::ContinueNotifyQueue(queue) => self.continue_notify_queue(queue),
            Act::ContinueClearQueue(queue) => self.continue_clear_queue(queue),
            Act::CloseDay => self.close_day(),
            Act::ResetDay { force } => self.reset_day(*force),
            Act::NotifySlipped(queue) => self.notify_slipped(queue),
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

    /// Requires a ticket that has not ended.
    fn live_ticket(&self, id: TicketId) -> Result<&Ticket, Refusal> {
        let ticket = self.ticket(id)?;
        self.check_live(ticket).map(|()| ticket)
    }

    fn check_live(&self, ticket: &Ticket) -> Result<(), Refusal> {
        if ticket.is_live() { Ok(()) } else { Err(Refusal::TicketEnded(ticket.number.clone())) }
    }

    /// Requires a ticket that is called. Returns its counter.
    fn check_called<'a>(&self, ticket: &'a Ticket) -> Result<&'a CounterId, Refusal> {
        match &*ticket.state {
            TicketState::Called { counter, .. } => Ok(counter),
            _ => Err(wrong_state(ticket)),
        }
    }

    /// Requires a counter that is open.
    fn require_open_counter(&self, id: &CounterId) -> Result<&CounterRules, Refusal> {
        let rules = self.counter(id)?;
        match self.site.counter(id).state {
            CounterState::Offline => Err(Refusal::CounterClosed(id.clone())),
            CounterState::Break => Err(Refusal::CounterOnBreak(id.clone())),
            CounterState::Open => Ok(rules),
        }
    }

    /// Requires a counter that is open or on a break.
    fn require_staffed_counter(&self, id: &CounterId) -> Result<(), Refusal> {
        match self.require_open_counter(id) {
            Ok(_) | Err(Refusal::CounterOnBreak(_)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn ticket_at_counter(&self, counter: &CounterId) -> Result<&Ticket, Refusal> {
        self.counter(counter)?;
        let serving = self.site.counter(counter).serving;
        serving
            .and_then(|ticket| self.site.ticket(ticket))
            .ok_or_else(|| Refusal::CounterIdle(counter.clone()))
    }

    /// Requires the ticket that the caller saw at a counter.
    fn confirm_counter_ticket(&self, served: &CounterTicket) -> Result<&Ticket, Refusal> {
        let ticket = self.ticket_at_counter(&served.counter)?;
        match &served.number {
            Some(seen) if *seen != ticket.number.to_string() => Err(Refusal::CounterBusy {
                counter: served.counter.clone(),
                number: ticket.number.clone(),
            }),
            _ => Ok(ticket),
        }
    }

    fn require_free_counter(&self, counter: &CounterId) -> Result<(), Refusal> {
        match self.ticket_at_counter(counter) {
            Ok(ticket) => Err(Refusal::CounterBusy {
                counter: counter.clone(),
                number: ticket.number.clone(),
            }),
            Err(_) => Ok(()),
        }
    }
}

/// Answer with the state of a ticket after these events.
fn ticket_changed(ticket: &Ticket, events: Vec<Event>) -> Decided {
    Ok((Answer::TicketChanged(ticket.id), events))
}

/// Refusal for a ticket in a state that does not allow the act.
fn wrong_state(ticket: &Ticket) -> Refusal {
    let number = ticket.number.clone();
    if ticket.is_live() {
        Refusal::WrongState { number, found: ticket.status() }
    } else {
        Refusal::TicketEnded(number)
    }
}
