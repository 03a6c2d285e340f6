//! Who asks: already known to be who they say, by the surface that they came through.

use crate::model::ids::{CounterId, Person, TicketId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody about their own ticket.
    Customer(Person),
    /// Whoever shows what opens a ticket, about that ticket.
    Holder(TicketId),
    /// Staff, at their counters and for the queues that these serve.
    Staff {
        /// Their name; may be shown and logged.
        name: Arc<str>,
        /// Where they may sit.
        counters: Arc<BTreeSet<CounterId>>,
    },
    /// Whoever runs the site: everything that staff may do, anywhere in it, and more.
    Manager(Arc<str>),
    /// A program of the owner's.
    Api {
        /// Its name.
        name: Arc<str>,
        /// What it was given.
        scope: ApiScope,
    },
    /// A timer or a policy.
    System,
}

/// What a program of the owner's was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiScope {
    /// What staff may do at these counters.
    Counters(Arc<BTreeSet<CounterId>>),
    /// What a manager may do.
    Manager,
}

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "described at the actors of the same names")]
pub enum Role {
    Customer,
    Staff,
    Manager,
    Api,
    System,
}

/// Who did something, as the ledger keeps it: never says which customer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "described at the actors of the same names")]
pub enum ActorRef {
    Customer,
    Staff(Arc<str>),
    Manager(Arc<str>),
    Api(Arc<str>),
    System,
}

impl Actor {
    /// Its kind.
    pub fn role(&self) -> Role {
        match self {
            Actor::Customer(_) | Actor::Holder(_) => Role::Customer,
            Actor::Staff { .. } => Role::Staff,
            Actor::Manager(_) => Role::Manager,
            Actor::Api { .. } => Role::Api,
            Actor::System => Role::System,
        }
    }

    /// How the ledger names it.
    pub fn actor_ref(&self) -> ActorRef {
        match self {
            Actor::Customer(_) | Actor::Holder(_) => ActorRef::Customer,
            Actor::Staff { name, .. } => ActorRef::Staff(name.clone()),
            Actor::Manager(name) => ActorRef::Manager(name.clone()),
            Actor::Api { name, .. } => ActorRef::Api(name.clone()),
            Actor::System => ActorRef::System,
        }
    }

    /// The counters that it is bound to; `None` if it may go anywhere.
    pub fn allowed_counters(&self) -> Option<&BTreeSet<CounterId>> {
        match self {
            Actor::Staff { counters, .. }
            | Actor::Api { scope: ApiScope::Counters(counters), .. } => Some(counters),
            _ => None,
        }
    }

    /// Whether it has the manager's scope.
    pub fn is_manager(&self) -> bool {
        matches!(self, Actor::Manager(_) | Actor::Api { scope: ApiScope::Manager, .. })
    }
}
