//! Calls: the next ticket, a certain ticket, a recall, and taking a call back.

use super::{Decided, Decider, decided, ticket_changed, wrong_state};
use crate::model::actor::Role;
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::rules::{CounterRules, QueueRules};
use crate::model::ticket::{HoldKind, Ticket, TicketState, TicketStatus};
use crate::model::time::Timestamp;
use crate::next_ticket::{NextTicket, next_ticket};
use crate::protocol::command::{CounterTicket, QueueState};
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

/// Shortest interval between two calls of the same ticket.
pub(super) const MIN_RECALL_INTERVAL_MS: i64 = 15_000;

/// Time in which a call can be taken back.
pub(super) const PUT_BACK_WINDOW_MS: i64 = 60_000;

/// Preset reason for calling a missed ticket whose holder has come to the counter.
const RETURNED_REASON: &str = "returned";

impl Decider<'_> {
    pub(super) fn call_next(&self, counter: &CounterId) -> Decided {
        let rules = self.require_open_counter(counter)?;
        self.check_auto_call(counter)?;
        let finished = self.finish_current(counter)?;
        let Some(choice) = next_ticket(self.site, self.rules, rules) else {
            return Err(self.nobody_to_call_refusal(counter, rules));
        };
        let next = self.ticket(choice.ticket)?;
        let (answer, called) = self.call(next, counter, None, choice)?;
        Ok((answer, finished.into_iter().chain(called).collect()))
    }

    /// Requires that the system calls here now, if it is the system that asks.
    fn check_auto_call(&self, counter: &CounterId) -> Result<(), Refusal> {
        let due = || self.site.auto_call_due_at(self.rules, counter, self.now);
        if self.actor.role() == Role::System && due().is_none_or(|due| due > self.now.at) {
            return Err(Refusal::NotDue);
        }
        Ok(())
    }

    /// Refusal when no ticket can be called: none waits, or calling rests.
    fn nobody_to_call_refusal(&self, counter: &CounterId, rules: &CounterRules) -> Refusal {
        let waits =
            |queue: &QueueId| self.site.lines.get(queue).is_some_and(|line| !line.is_empty());
        let Some(queue) = rules.queues.iter().find(|queue| waits(queue)) else {
            return Refusal::NobodyWaiting(counter.clone());
        };
        self.not_calling_refusal(queue)
    }

    fn not_calling_refusal(&self, queue: &QueueId) -> Refusal {
        match self.site.queue_state(self.rules, queue) {
            QueueState::Closed => Refusal::QueueClosed(queue.clone()),
            _ => Refusal::QueueHalted(queue.clone()),
        }
    }

    /// Event that finishes the ticket in service when the next one is called. A ticket that was
    /// called and not yet served is not finished: the press may be a mistake.
    fn finish_current(&self, counter: &CounterId) -> Result<Option<Event>, Refusal> {
        match self.ticket_at_counter(counter) {
            Ok(ticket) if ticket.status() == TicketStatus::Serving => {
                Ok(Some(self.finished_event(ticket, counter, true)))
            }
            _ => self.require_free_counter(counter).map(|()| None),
        }
    }

    pub(super) fn call_ticket(
        &self,
        counter: &CounterId,
        ticket: TicketId,
        reason: Option<&Arc<str>>,
    ) -> Decided {
        self.require_open_counter(counter)?;
        self.require_free_counter(counter)?;
        let ticket = self.live_ticket(ticket)?;
        let preset = self.check_call(counter, ticket)?;
        let reason = reason.filter(|reason| !reason.trim().is_empty()).cloned().or(preset);
        let reason = reason.ok_or(Refusal::ReasonNeeded)?;
        let choice =
            NextTicket { ticket: ticket.id, passed_over: Vec::new(), next_interleave_step: None };
        self.call(ticket, counter, Some(reason), choice)
    }

    /// Requires a free counter that may call a ticket out of order. Returns the preset reason.
    pub(super) fn check_call(
        &self,
        counter: &CounterId,
        ticket: &Ticket,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let rules = self.require_open_counter(counter)?;
        self.require_free_counter(counter)?;
        let preset = match *ticket.state {
            TicketState::Waiting => None,
            TicketState::Missed { .. } => Some(Arc::from(RETURNED_REASON)),
            _ => return Err(wrong_state(ticket)),
        };
        if !rules.queues.contains(&ticket.queue) {
            return Err(Refusal::WrongCounter(counter.clone()));
        }
        if !self.site.is_calling(self.rules, &ticket.queue) {
            return Err(self.not_calling_refusal(&ticket.queue));
        }
        Ok(preset)
    }

    fn call(
        &self,
        ticket: &Ticket,
        counter: &CounterId,
        reason: Option<Arc<str>>,
        choice: NextTicket,
    ) -> Decided {
        let rules = self.queue(&ticket.queue)?;
        let deadline = self.now.at.plus_ms(i64::from(rules.grace_seconds) * 1000);
        let call = ticket.counts.calls + 1;
        let outcome = called_outcome(ticket, counter, deadline);
        let called = Event::TicketCalled {
            ticket: ticket.id,
            counter: counter.clone(),
            call,
            deadline,
            reason,
            passed_over: choice.passed_over,
            interleave_step: choice.next_interleave_step,
        };
        let started = rules
            .start_on_call
            .then(|| Event::TicketStarted { ticket: ticket.id, counter: counter.clone() });
        let let_pass = self.resume_after_let_pass(ticket);
        decided(outcome, [called].into_iter().chain(started).chain(let_pass).collect())
    }

    /// Events that resume tickets whose number of calls to let pass is reached.
    fn resume_after_let_pass(&self, called: &Ticket) -> Vec<Event> {
        let Some(line) = self.site.lines.get(&called.queue) else { return Vec::new() };
        let held = line.held.iter().filter_map(|id| self.site.ticket(*id));
        let ended = held.filter(|held| match &*held.state {
            TicketState::Held { hold, .. } => {
                hold.kind == HoldKind::LetPass
                    && hold.after_calls.is_some_and(|calls| line.calls + 1 >= calls)
            }
            _ => false,
        });
        ended.map(|held| Event::TicketResumed { ticket: held.id }).collect()
    }

    /// Requires a called ticket that may be called again now.
    pub(super) fn check_recall(&self, ticket: &Ticket) -> Result<&QueueRules, Refusal> {
        let TicketState::Called { round, last, .. } = &*ticket.state else {
            return Err(wrong_state(ticket));
        };
        let rules = self.queue(&ticket.queue)?;
        if *round >= rules.calls {
            return Err(Refusal::TooOften(ticket.number.clone()));
        }
        let gap = self.now.at.since_ms(*last);
        if !self.now.at.is_after(*last, MIN_RECALL_INTERVAL_MS) {
            let wait_s = ((MIN_RECALL_INTERVAL_MS - gap) / 1000 + 1).clamp(1, 3600);
            return Err(Refusal::TooSoon(wait_s as u32));
        }
        Ok(rules)
    }

    pub(super) fn recall(&self, served: &CounterTicket) -> Decided {
        let ticket = self.confirm_counter_ticket(served)?;
        let rules = self.check_recall(ticket)?;
        let TicketState::Called { counter, call, round, deadline, .. } = &*ticket.state else {
            return Err(wrong_state(ticket));
        };
        let grace = i64::from(rules.grace_seconds) * 1000;
        // The first recall restarts the deadline; later ones do not.
        let deadline = match round {
            1 => self.now.at.plus_ms(grace).max(*deadline),
            _ => *deadline,
        };
        let outcome = called_outcome(ticket, counter, deadline);
        let recalled = Event::TicketRecalled {
            ticket: ticket.id,
            counter: counter.clone(),
            call: call + 1,
            round: round + 1,
            deadline,
        };
        decided(outcome, vec![recalled])
    }

    /// Requires a call that can still be taken back.
    pub(super) fn check_put_back(&self, ticket: &Ticket) -> Result<(), Refusal> {
        let TicketState::Called { at, .. } = &*ticket.state else {
            return Err(wrong_state(ticket));
        };
        if self.now.at.since_ms(*at) > PUT_BACK_WINDOW_MS {
            return Err(Refusal::TooLate(ticket.number.clone()));
        }
        Ok(())
    }

    pub(super) fn put_back(&self, served: &CounterTicket) -> Decided {
        let ticket = self.confirm_counter_ticket(served)?;
        self.check_put_back(ticket)?;
        ticket_changed(ticket, vec![Event::TicketPutBack { ticket: ticket.id }])
    }
}

fn called_outcome(ticket: &Ticket, counter: &CounterId, deadline: Timestamp) -> Outcome {
    Outcome::Called {
        ticket: ticket.id,
        number: ticket.number.clone(),
        queue: ticket.queue.clone(),
        counter: counter.clone(),
        deadline,
    }
}
