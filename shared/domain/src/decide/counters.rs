//! Opening, breaks and closing of counters: one login a counter, and one counter a login.

use super::{Decided, Decider, decided};
use crate::model::actor::Actor;
use crate::model::ids::CounterId;
use crate::model::site::CounterState;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

impl Decider<'_> {
    /// Opens a counter. Staff whose colleague is logged in there take it over from the login that
    /// they saw.
    pub(super) fn open_counter(&self, counter: &CounterId, from: Option<&Arc<str>>) -> Decided {
        let login = self.actor_login();
        let current = self.site.counter(counter).login;
        let is_bound = self.actor.allowed_counters().is_some();
        let is_others = current.is_some() && current != login && current.as_ref() != from;
        if is_bound && is_others {
            return Err(Refusal::CounterTaken(counter.clone()));
        }
        if let Some(other) = self.other_counter_of_actor(counter) {
            return Err(Refusal::ElsewhereLoggedIn(other));
        }
        let left = self.counters_no_longer_allowed();
        let mut events: Vec<_> =
            left.map(|counter| Event::CounterClosed { counter: counter.clone() }).collect();
        events.push(Event::CounterOpened { counter: counter.clone(), login });
        decided(Outcome::CounterOpen(counter.clone()), events)
    }

    fn actor_login(&self) -> Option<Arc<str>> {
        match self.actor {
            Actor::Staff { name, .. } | Actor::Api { name, .. } | Actor::Manager(name) => {
                Some(name.clone())
            }
            Actor::Customer(_) | Actor::Holder(_) | Actor::System => None,
        }
    }

    /// Another counter at which the actor is logged in, if the rules allow only one.
    fn other_counter_of_actor(&self, counter: &CounterId) -> Option<CounterId> {
        if self.rules.several_counters {
            return None;
        }
        let mut others = self.counters_of_actor().filter(|id| *id != counter);
        others.find(|id| self.may_use(id)).cloned()
    }

    /// Counters with a login of the actor, who has been moved to others, or which the owner has
    /// removed.
    fn counters_no_longer_allowed(&self) -> impl Iterator<Item = &CounterId> {
        self.counters_of_actor().filter(|id| !self.may_use(id))
    }

    /// Returns whether the actor may still be at a counter.
    fn may_use(&self, id: &CounterId) -> bool {
        let is_allowed = self.actor.allowed_counters().is_none_or(|allowed| allowed.contains(id));
        is_allowed && self.rules.counters.contains_key(id)
    }

    /// Counters at which this member of staff is logged in.
    fn counters_of_actor(&self) -> impl Iterator<Item = &CounterId> {
        let name = match self.actor {
            Actor::Staff { name, .. } => Some(name),
            _ => None,
        };
        let counters = self.site.counters.iter();
        let is_theirs = move |login: &Option<Arc<str>>| name.is_some() && login.as_ref() == name;
        counters.filter(move |(_, counter)| is_theirs(&counter.login)).map(|(id, _)| id)
    }

    /// Begins a break. The ticket that is at the counter stays there and is the last one.
    pub(super) fn break_counter(&self, counter: &CounterId) -> Decided {
        if self.site.counter(counter).state == CounterState::Offline {
            return Err(Refusal::CounterClosed(counter.clone()));
        }
        let event = Event::CounterPaused { counter: counter.clone() };
        decided(Outcome::CounterPaused(counter.clone()), vec![event])
    }

    /// Closes a counter. The ticket that is there stays and is the last one: it is finished by
    /// anyone who works at this counter.
    pub(super) fn close_counter(&self, counter: &CounterId) -> Decided {
        let event = Event::CounterClosed { counter: counter.clone() };
        decided(Outcome::CounterClosed(counter.clone()), vec![event])
    }
}
