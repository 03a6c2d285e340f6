//! Opening, breaks and closing of counters: one login a counter, and one counter a login.

use super::{Decided, Decider};
use crate::model::actor::Actor;
use crate::model::ids::CounterId;
use crate::model::site::CounterState;
use crate::protocol::event::Event;
use crate::protocol::outcome::Outcome;
use crate::protocol::refusal::Refusal;
use std::sync::Arc;

impl Decider<'_> {
    pub(super) fn open_counter(&self, counter: &CounterId) -> Decided {
        let login = self.actor_login();
        let current = self.site.counter(counter);
        let in_use = current.state != CounterState::Offline;
        if in_use && self.actor.allowed_counters().is_some() && current.login != login {
            return Err(Refusal::CounterTaken(counter.clone()));
        }
        if let Some(other) = self.other_counter_of_actor(counter) {
            return Err(Refusal::ElsewhereLoggedIn(other));
        }
        let event = Event::CounterOpened { counter: counter.clone(), login };
        Ok((Outcome::CounterOpen(counter.clone()), vec![event]))
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
        let Actor::Staff { name, .. } = self.actor else { return None };
        if self.rules.several_counters {
            return None;
        }
        let other_counters = self.site.counters.iter().filter(|(id, _)| *id != counter);
        let mut logged_in =
            other_counters.filter(|(_, counter)| counter.login.as_ref() == Some(name));
        logged_in.next().map(|(id, _)| id.clone())
    }

    pub(super) fn break_counter(&self, counter: &CounterId) -> Decided {
        if self.site.counter(counter).state == CounterState::Offline {
            return Err(Refusal::CounterClosed(counter.clone()));
        }
        self.require_free_counter(counter)?;
        let event = Event::CounterPaused { counter: counter.clone() };
        Ok((Outcome::CounterPaused(counter.clone()), vec![event]))
    }

    pub(super) fn close_counter(&self, counter: &CounterId) -> Decided {
        self.require_free_counter(counter)?;
        let event = Event::CounterClosed { counter: counter.clone() };
        Ok((Outcome::CounterClosed(counter.clone()), vec![event]))
    }
}
