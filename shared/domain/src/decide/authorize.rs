//! Authorization of acts: first by role, then by the actor's counters, queues and tickets.

use super::Decider;
use crate::model::actor::{Actor, Role};
use crate::model::ids::{CounterId, Person, QueueId, TicketId};
use crate::protocol::command::{Act, Mark};
use crate::protocol::refusal::Refusal;

use Role::{Api, Customer, Manager, Staff, System};

/// Roles that may request an act at all. A manager may do what staff may.
fn allowed_roles(act: &Act) -> &'static [Role] {
    match act {
        Act::Take { .. } => &[Customer, Staff, Manager, Api],
        Act::Show { .. } | Act::Withdraw { .. } => &[Customer],
        Act::Forget { .. } => &[Customer, System],
        Act::MigrateHolder { .. } => &[Manager, Api],
        Act::Leave { .. } => &[Customer, Staff, Manager, Api],
        Act::OpenCounter(_)
        | Act::TakeOver { .. }
        | Act::BreakCounter(_)
        | Act::CloseCounter(_) => &[Staff, Manager, Api],
        Act::CallNext(_) => &[Staff, Manager, Api, System],
        Act::CallTicket { .. } | Act::Transfer { .. } => &[Staff, Manager, Api],
        Act::Recall(_) | Act::Miss(_) => &[Staff, Manager, System],
        Act::Start(_) => &[Staff, Manager, Api],
        Act::Finish(_) => &[Staff, Manager, Api],
        Act::PutBack(_) | Act::Suspend { .. } | Act::ResumeAtCounter { .. } => &[Staff, Manager],
        Act::Return(_) => &[Customer, Staff, Manager],
        Act::Expire(_) | Act::CloseDay | Act::NotifySlipped(_) => &[System],
        Act::ContinueNotifyQueue(_) | Act::ContinueClearQueue(_) => &[System],
        Act::LetPass { .. } => &[Customer],
        Act::Hold { .. } | Act::Undo(_) | Act::Prioritise { .. } => &[Staff, Manager],
        Act::Resume(_) => &[Customer, Staff, Manager, System],
        Act::Mark { mark: Mark::Arrived, .. } => &[Customer, Staff, Manager],
        Act::Mark { mark: Mark::Party(_) | Mark::LimitLifted, .. } => &[Staff, Manager],
        Act::Mark { mark: Mark::NotifyAhead(_) | Mark::Coming, .. } => &[Customer],
        Act::SetQueueState { .. } => &[Manager, Api],
        Act::ClearQueue(_) => &[Manager, System],
        Act::ResetDay { .. } => &[Manager],
    }
}

impl Decider<'_> {
    pub(super) fn authorize(&self, act: &Act) -> Result<(), Refusal> {
        let role = self.actor.role();
        if !allowed_roles(act).contains(&role) {
            return Err(Refusal::NotAllowed(role));
        }
        match act {
            Act::Take { person, class, queue, .. } => {
                self.authorize_take(person.as_ref(), *class, queue)
            }
            Act::Show { person } | Act::Withdraw { person } | Act::Forget { person } => {
                self.authorize_person(person)
            }
            Act::OpenCounter(counter) | Act::TakeOver { counter, .. } => {
                self.authorize_counter(counter)
            }
            Act::BreakCounter(counter)
            | Act::CloseCounter(counter)
            | Act::CallNext(counter)
            | Act::CallTicket { counter, .. }
            | Act::ResumeAtCounter { counter, .. } => self.authorize_counter_login(counter),
            Act::Recall(served) | Act::Start(served) | Act::PutBack(served) => {
                self.authorize_counter_login(&served.counter)
            }
            Act::Finish(served) | Act::Miss(served) | Act::Suspend { served, .. } => {
                self.authorize_counter_login(&served.counter)
            }
            Act::Leave { ticket, .. }
            | Act::Return(ticket)
            | Act::Expire(ticket)
            | Act::LetPass { ticket, .. }
            | Act::Hold { ticket, .. }
            | Act::Resume(ticket)
            | Act::Transfer { ticket, .. }
            | Act::Undo(ticket)
            | Act::Prioritise { ticket, .. }
            | Act::Mark { ticket, .. } => self.authorize_ticket(*ticket),
            Act::SetQueueState { queue, .. }
            | Act::ClearQueue(queue)
            | Act::NotifySlipped(queue) => {
                self.queue(queue)?;
                if self.actor.is_manager() || role == System {
                    Ok(())
                } else {
                    Err(Refusal::NotAllowed(role))
                }
            }
            Act::ContinueNotifyQueue(queue) | Act::ContinueClearQueue(queue) => {
                self.queue(queue).map(drop)
            }
            Act::MigrateHolder { .. } if self.actor.is_manager() => Ok(()),
            Act::MigrateHolder { .. } => Err(Refusal::NotAllowed(role)),
            Act::CloseDay | Act::ResetDay { .. } => Ok(()),
        }
    }

    /// Customers take a number for themselves, with the queue's own class; staff in a queue of
    /// theirs.
    fn authorize_take(
        &self,
        person: Option<&Person>,
        class: Option<u8>,
        queue: &QueueId,
    ) -> Result<(), Refusal> {
        match self.actor {
            Actor::Customer(me) if Some(me) != person => Err(Refusal::NotYourTicket),
            Actor::Holder(_) => Err(Refusal::NotYourTicket),
            Actor::Customer(_) if class.is_some() => Err(Refusal::NotAllowed(Customer)),
            Actor::Customer(_) => Ok(()),
            _ => self.authorize_queue(queue),
        }
    }

    fn authorize_person(&self, person: &Person) -> Result<(), Refusal> {
        match self.actor {
            Actor::Customer(me) if me != person => Err(Refusal::NotYourTicket),
            Actor::Holder(_) => Err(Refusal::NotYourTicket),
            _ => Ok(()),
        }
    }

    /// Requires one of the actor's counters.
    fn authorize_counter(&self, counter: &CounterId) -> Result<(), Refusal> {
        self.counter(counter)?;
        match self.actor.allowed_counters() {
            Some(counters) if !counters.contains(counter) => {
                Err(Refusal::NotYourCounter(counter.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Requires the actor's login at the counter, for actors that need one.
    fn authorize_counter_login(&self, counter: &CounterId) -> Result<(), Refusal> {
        self.authorize_counter(counter)?;
        let (Actor::Staff { name, .. } | Actor::Api { name, .. }) = self.actor else {
            return Ok(());
        };
        let login = self.site.counter(counter).login;
        let elsewhere = login.is_some_and(|login| login != *name);
        match self.actor.allowed_counters() {
            Some(_) if elsewhere => Err(Refusal::NotYourCounter(counter.clone())),
            _ => Ok(()),
        }
    }

    /// Requires a queue that one of the actor's counters serves.
    pub(super) fn authorize_queue(&self, queue: &QueueId) -> Result<(), Refusal> {
        self.queue(queue)?;
        let Some(counters) = self.actor.allowed_counters() else { return Ok(()) };
        if self.rules.counters_of(queue).any(|counter| counters.contains(counter)) {
            Ok(())
        } else {
            Err(Refusal::NotYourQueue(queue.clone()))
        }
    }

    /// Requires a customer's own ticket, or one in a queue of the staff's counters.
    fn authorize_ticket(&self, ticket: TicketId) -> Result<(), Refusal> {
        let ticket = self.ticket(ticket)?;
        match self.actor {
            Actor::Holder(held) if *held != ticket.id => Err(Refusal::NotYourTicket),
            Actor::Holder(_) => Ok(()),
            Actor::Customer(me) if ticket.person.as_ref() != Some(me) => {
                Err(Refusal::NotYourTicket)
            }
            Actor::Customer(_) | Actor::System => Ok(()),
            _ if self.actor.allowed_counters().is_none() => Ok(()),
            _ => self.authorize_queue(&ticket.queue),
        }
    }
}
