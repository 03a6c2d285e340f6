//! What the owner decided about a site: its queues and counters.

use crate::ids::{CounterId, QueueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules of one site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Its queues.
    pub queues: BTreeMap<QueueId, QueueRules>,
    /// Its counters.
    pub counters: BTreeMap<CounterId, CounterRules>,
}

/// The rules of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRules {
    /// What customers read: 存取款.
    pub name: Arc<str>,
    /// In front of its numbers: `A`.
    pub prefix: Arc<str>,
    /// Minutes one customer keeps a counter busy, until the queue's own history says better.
    pub minutes: u32,
    /// Seconds a called customer has to come.
    pub grace_seconds: u32,
    /// Whether numbers are given out.
    pub open: bool,
}

/// The rules of one counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRules {
    /// What customers read: 3号窗口.
    pub name: Arc<str>,
    /// Whom it serves.
    pub queues: Vec<QueueId>,
}

impl Rules {
    /// The counters that serve a queue.
    pub fn counters_of<'a>(
        &'a self,
        queue: &'a QueueId,
    ) -> impl Iterator<Item = &'a CounterId> + 'a {
        self.counters.iter().filter(|(_, rules)| rules.queues.contains(queue)).map(|(id, _)| id)
    }
}
