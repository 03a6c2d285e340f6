//! Actors: the authenticated senders of commands.

use crate::model::ids::{CounterId, Person, TicketId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Sender of a command, authenticated by the interface that it came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Person who acts on their own ticket.
    Customer(Person),
    /// Bearer of a ticket's key, who may act on that ticket alone.
    Holder(TicketId),
    /// Staff member, bound to counters and the queues that these serve.
    Staff {
        /// Login name; may be shown and logged.
        name: Arc<str>,
        /// Counters that this login may use.
        counters: Arc<BTreeSet<CounterId>>,
    },
    /// Manager of the site: has the rights of staff at every counter, and more.
    Manager(Arc<str>),
    /// Program that uses an API key of the owner.
    Api {
        /// Name of the API key.
        name: Arc<str>,
        /// Rights of the API key.
        scope: ApiScope,
    },
    /// Timer or policy of the system itself.
    System,
}

/// Rights of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiScope {
    /// The rights of staff at these counters.
    Counters(Arc<BTreeSet<CounterId>>),
    /// The rights of a manager.
    Manager,
}

/// Role of an actor, without its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "described at the actors of the same names")]
pub enum Role {
    Customer,
    Staff,
    Manager,
    Api,
    System,
}

/// Reference to an actor in the ledger. It never identifies a customer.
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
    /// Role of the actor.
    pub fn role(&self) -> Role {
        match self {
            Actor::Customer(_) | Actor::Holder(_) => Role::Customer,
            Actor::Staff { .. } => Role::Staff,
            Actor::Manager(_) => Role::Manager,
            Actor::Api { .. } => Role::Api,
            Actor::System => Role::System,
        }
    }

    /// Reference under which the ledger records the actor.
    pub fn actor_ref(&self) -> ActorRef {
        match self {
            Actor::Customer(_) | Actor::Holder(_) => ActorRef::Customer,
            Actor::Staff { name, .. } => ActorRef::Staff(name.clone()),
            Actor::Manager(name) => ActorRef::Manager(name.clone()),
            Actor::Api { name, .. } => ActorRef::Api(name.clone()),
            Actor::System => ActorRef::System,
        }
    }

    /// Counters that the actor is bound to; `None` if it may use any.
    pub fn allowed_counters(&self) -> Option<&BTreeSet<CounterId>> {
        match self {
            Actor::Staff { counters, .. }
            | Actor::Api { scope: ApiScope::Counters(counters), .. } => Some(counters),
            _ => None,
        }
    }

    /// Returns `true` for a manager and for an API key with the manager's scope.
    pub fn is_manager(&self) -> bool {
        matches!(self, Actor::Manager(_) | Actor::Api { scope: ApiScope::Manager, .. })
    }
}
