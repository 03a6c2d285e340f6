//! One work queue of the ledger.

use super::claims::{ClaimedBatch, Claims};
use paihao_contracts::streams::WorkQueue;
use paihao_ledger::{EnqueueOutcome, Entry, Position, QueueBacklog, StoredEntry, Subject};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time for which a key is remembered.
const DUPLICATE_WINDOW_MS: i64 = 120_000;

/// Work queue with its messages.
pub(super) struct QueueState {
    subject: Subject,
    ack_wait: Duration,
    newest: u64,
    messages: BTreeMap<u64, QueuedMessage>,
    claims: Claims,
    /// Times at which keys were enqueued.
    keys: BTreeMap<String, i64>,
}

struct QueuedMessage {
    key: String,
    at_ms: i64,
    entry: Entry,
}

impl QueueState {
    pub(super) fn new(queue: &WorkQueue) -> QueueState {
        QueueState {
            subject: Subject::new(&[queue.name]).expect("a queue has a plain name"),
            ack_wait: queue.ack_wait,
            newest: 0,
            messages: BTreeMap::new(),
            claims: Claims::default(),
            keys: BTreeMap::new(),
        }
    }

    pub(super) fn enqueue(
        &mut self,
        key: &str,
        entry: &Entry,
        delay: Duration,
        now_ms: i64,
    ) -> EnqueueOutcome {
        let enqueued_at = self.keys.get(key).copied();
        if enqueued_at.is_some_and(|at_ms| at_ms > now_ms - DUPLICATE_WINDOW_MS) {
            return EnqueueOutcome::Duplicate;
        }
        self.keys.insert(key.to_owned(), now_ms);
        self.newest += 1;
        let carried = entry.carried_headers();
        let headers = carried.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let entry = Entry { payload: entry.payload.clone(), headers };
        self.messages
            .insert(self.newest, QueuedMessage { key: key.to_owned(), at_ms: now_ms, entry });
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.claims.add(self.newest, now_ms.saturating_add(delay_ms));
        EnqueueOutcome::New
    }

    /// Claims up to `limit` messages that are due.
    pub(super) fn claim(&mut self, limit: usize, now_ms: i64) -> ClaimedBatch {
        let due_ms = now_ms + self.ack_wait.as_millis() as i64;
        let mut claimed = Vec::new();
        for position in self.claims.due(now_ms, limit) {
            let attempt = self.claims.take_again(position, due_ms);
            let message = &self.messages[&position];
            let stored = StoredEntry {
                position: Position(position),
                subject: self.subject.clone(),
                at_ms: message.at_ms,
                entry: message.entry.clone(),
            };
            claimed.push((stored, attempt));
        }
        ClaimedBatch { claimed, next_due_ms: self.claims.next_due_ms() }
    }

    pub(super) fn claims(&mut self) -> &mut Claims {
        &mut self.claims
    }

    /// Removes a message and returns its key and content, if it is still there.
    pub(super) fn remove(&mut self, position: u64) -> Option<(String, Entry)> {
        self.claims.remove(position);
        self.messages.remove(&position).map(|message| (message.key, message.entry))
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn backlog(&self) -> QueueBacklog {
        QueueBacklog {
            messages: self.messages.len() as u64,
            oldest_at_ms: self.messages.values().map(|message| message.at_ms).min(),
        }
    }
}
