//! One log of the ledger: its entries, their retention and the state of its consumers.

use super::claims::{ClaimedBatch, Claims};
use paihao_contracts::streams::{Consumer, Keep, Log};
use paihao_ledger::{Entry, ExpectedPosition, Position, StoredEntry, Subject};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Log with everything that was ever appended to it.
pub(super) struct LogState {
    log: Log,
    entries: BTreeMap<u64, StoredEntry>,
    newest: BTreeMap<Subject, u64>,
    consumers: BTreeMap<&'static str, ConsumerState>,
    /// Every entry, also those that have aged out. Its length is the newest position.
    past: Vec<StoredEntry>,
}

#[derive(Default)]
struct ConsumerState {
    cursor: u64,
    handed: Claims,
}

impl LogState {
    pub(super) fn new(log: Log) -> LogState {
        LogState {
            log,
            entries: BTreeMap::new(),
            newest: BTreeMap::new(),
            consumers: BTreeMap::new(),
            past: Vec::new(),
        }
    }

    /// Removes what has aged out.
    pub(super) fn expire(&mut self, now_ms: i64) {
        let Some(retention) = self.log.retention else { return };
        let kept_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let cutoff_ms = now_ms.saturating_sub(kept_ms);
        while let Some(oldest) = self.entries.first_entry()
            && oldest.get().at_ms <= cutoff_ms
        {
            let (position, entry) = oldest.remove_entry();
            self.forget_newest(&entry.subject, position);
        }
    }

    fn forget_newest(&mut self, subject: &Subject, position: u64) {
        if self.newest.get(subject) == Some(&position) {
            self.newest.remove(subject);
        }
    }

    /// Appends if the expectation holds; otherwise returns the position found.
    pub(super) fn append(
        &mut self,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: &Entry,
        now_ms: i64,
    ) -> Result<StoredEntry, Option<Position>> {
        let found = self.newest.get(subject).copied().map(Position);
        let holds = match expect {
            ExpectedPosition::Any => true,
            ExpectedPosition::Empty => found.is_none(),
            ExpectedPosition::At(position) => found == Some(position),
        };
        if !holds {
            return Err(found);
        }
        let carried = entry.carried_headers();
        let headers = carried.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let position = self.past.len() as u64 + 1;
        let stored = StoredEntry {
            position: Position(position),
            subject: subject.clone(),
            at_ms: now_ms,
            entry: Entry { payload: entry.payload.clone(), headers },
        };
        let former = self.newest.insert(subject.clone(), position);
        if let (Keep::Newest, Some(former)) = (self.log.keep, former) {
            self.entries.remove(&former);
        }
        self.entries.insert(position, stored.clone());
        self.past.push(stored.clone());
        Ok(stored)
    }

    pub(super) fn last(&self, subject: &Subject) -> Option<StoredEntry> {
        self.entries.get(self.newest.get(subject)?).cloned()
    }

    pub(super) fn head(&self) -> Position {
        self.entries.last_key_value().map_or(Position::START, |(position, _)| Position(*position))
    }

    pub(super) fn get(&self, position: Position) -> Option<StoredEntry> {
        self.entries.get(&position.0).cloned()
    }

    pub(super) fn erase(&mut self, position: Position) {
        if let Some(erased) = self.entries.remove(&position.0) {
            self.forget_newest(&erased.subject, position.0);
        }
    }

    /// Position of the newest entry that there ever was.
    pub(super) fn largest(&self) -> Position {
        Position(self.past.len() as u64)
    }

    /// Next entries after a position, oldest first, of one subject or of all.
    pub(super) fn page_after(
        &self,
        after: Position,
        subject: Option<&Subject>,
        limit: usize,
    ) -> Vec<StoredEntry> {
        let later = self.entries.range((Bound::Excluded(after.0), Bound::Unbounded));
        let wanted = later
            .map(|(_, entry)| entry)
            .filter(|entry| subject.is_none_or(|subject| entry.subject == *subject));
        wanted.take(limit).cloned().collect()
    }

    /// Every entry that was ever appended.
    pub(super) fn past(&self) -> &[StoredEntry] {
        &self.past
    }

    /// Claims up to `limit` entries for a member of a consumer, redeliveries first.
    pub(super) fn claim(&mut self, consumer: &Consumer, limit: usize, now_ms: i64) -> ClaimedBatch {
        let mut state = self.consumers.remove(consumer.name).unwrap_or_default();
        let due_ms = now_ms + consumer.ack_wait.as_millis() as i64;
        let mut claimed = Vec::new();
        for position in state.handed.due(now_ms, limit) {
            match self.entries.get(&position) {
                Some(entry) => {
                    claimed.push((entry.clone(), state.handed.take_again(position, due_ms)));
                }
                // The entry has aged out while it waited.
                None => state.handed.remove(position),
            }
        }
        for entry in self.page_after(Position(state.cursor), None, limit - claimed.len()) {
            state.cursor = entry.position.0;
            state.handed.take_first(entry.position.0, due_ms);
            claimed.push((entry, 1));
        }
        let next_due_ms = state.handed.next_due_ms();
        self.consumers.insert(consumer.name, state);
        ClaimedBatch { claimed, next_due_ms }
    }

    /// Claims of a consumer.
    pub(super) fn claims(&mut self, consumer: &Consumer) -> &mut Claims {
        &mut self.consumers.entry(consumer.name).or_default().handed
    }

    /// Number of entries that a consumer has not acknowledged.
    pub(super) fn backlog(&self, consumer: &Consumer) -> usize {
        let (cursor, handed) = self
            .consumers
            .get(consumer.name)
            .map_or((0, 0), |state| (state.cursor, state.handed.len()));
        handed + self.entries.range((Bound::Excluded(cursor), Bound::Unbounded)).count()
    }
}
