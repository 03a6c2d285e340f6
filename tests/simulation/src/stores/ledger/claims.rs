//! Claims of messages by workers: attempts, and the time at which each is delivered again.

use paihao_ledger::StoredEntry;
use std::collections::BTreeMap;

/// Claimed messages, each with the number of its attempt.
pub(super) struct ClaimedBatch {
    pub(super) claimed: Vec<(StoredEntry, u64)>,
    /// Time at which the next message is due, in Unix milliseconds.
    pub(super) next_due_ms: Option<i64>,
}

/// Messages that wait for a delivery or for its acknowledgement, by position.
#[derive(Default)]
pub(super) struct Claims(BTreeMap<u64, Claim>);

struct Claim {
    attempt: u64,
    due_ms: i64,
}

impl Claims {
    /// Adds a message that is delivered at this time at the earliest.
    pub(super) fn add(&mut self, position: u64, due_ms: i64) {
        self.0.insert(position, Claim { attempt: 0, due_ms });
    }

    /// Adds a message that is being delivered for the first time.
    pub(super) fn take_first(&mut self, position: u64, due_ms: i64) {
        self.0.insert(position, Claim { attempt: 1, due_ms });
    }

    /// Counts one more delivery of a message and returns its number.
    pub(super) fn take_again(&mut self, position: u64, due_ms: i64) -> u64 {
        let claim = self.0.entry(position).or_insert(Claim { attempt: 0, due_ms });
        claim.attempt += 1;
        claim.due_ms = due_ms;
        claim.attempt
    }

    /// Positions of the messages that are due, the longest due first.
    pub(super) fn due(&self, now_ms: i64, limit: usize) -> Vec<u64> {
        let mut due: Vec<_> = self
            .0
            .iter()
            .filter(|(_, claim)| claim.due_ms <= now_ms)
            .map(|(position, claim)| (claim.due_ms, *position))
            .collect();
        due.sort_unstable();
        due.into_iter().take(limit).map(|(_, position)| position).collect()
    }

    /// Sets another due time, unless another worker has claimed the message since. `counted` is the
    /// number of deliveries that count.
    pub(super) fn reschedule(&mut self, position: u64, attempt: u64, counted: u64, due_ms: i64) {
        if let Some(claim) = self.0.get_mut(&position).filter(|claim| claim.attempt == attempt) {
            *claim = Claim { attempt: counted, due_ms };
        }
    }

    pub(super) fn remove(&mut self, position: u64) {
        self.0.remove(&position);
    }

    pub(super) fn next_due_ms(&self) -> Option<i64> {
        self.0.values().map(|claim| claim.due_ms).min()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
