//! Reader of the ledger from a cursor on, as the public events of one site.
//!
//! The entry at the cursor itself is looked up first: if the ledger still has it, then nothing
//! after it is missing.

use super::cursor::Cursor;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::commit::Commit;
use paihao_contracts::envelope;
use paihao_contracts::public_event::{EventId, PublicEvent, to_public_events};
use paihao_contracts::streams::Log;
use paihao_ledger::{Ledger, LogItem, Position, StoredEntry, Subject, Unavailable};
use std::sync::Arc;
use std::time::Duration;

/// Reason why reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedError {
    /// Entries after the cursor may have aged out.
    Gone,
    /// A newer program wrote to this site's ledger.
    NewerVersion,
    /// The ledger does not answer.
    Unavailable,
}

/// Time without an entry of the site after which the ledger is asked how far it has come.
const QUIET_INTERVAL: Duration = Duration::from_secs(15);

/// Reader of one site's events.
pub(crate) struct FeedReader {
    ledger: Arc<dyn Ledger>,
    /// Log of the partition of the site.
    log: Log,
    site: Subject,
    /// Head of the log when reading began: a reader that has come so far has all of the site's
    /// entries of that moment.
    pub(crate) head: Position,
    /// Newest entry of the site when reading began.
    last: Position,
    entries: BoxStream<'static, LogItem>,
    /// First entry, if it has been read already.
    first: Option<StoredEntry>,
    /// Last event that was read before.
    after: Option<EventId>,
    reached: Option<Position>,
}

/// Events of one entry of the site, or progress past entries of others.
pub(crate) struct FeedBatch {
    /// Position that has been reached.
    pub(crate) position: Position,
    /// Public events of the entry.
    pub(crate) events: Vec<PublicEvent>,
}

impl FeedReader {
    /// Creates a reader of a test's entries.
    #[cfg(test)]
    pub(super) fn from_entries(
        ledger: Arc<dyn Ledger>,
        site: Subject,
        entries: BoxStream<'static, LogItem>,
    ) -> FeedReader {
        let (head, last) = (Position(u64::MAX), Position(u64::MAX));
        let log = ledger.partition_of(&site).ledger;
        let (first, after, reached) = (None, None, None);
        FeedReader { ledger, log, site, head, last, entries, first, after, reached }
    }

    pub(super) async fn open(
        ledger: Arc<dyn Ledger>,
        site: Subject,
        after: Cursor,
    ) -> Result<FeedReader, FeedError> {
        let log = ledger.partition_of(&site).ledger;
        let head = ledger.head(&log).await?;
        let last = ledger.last(&log, &site).await?;
        let last = last.map_or(Position::START, |stored| stored.position);
        let (anchor, last_index) = match after {
            Cursor::Beginning => (None, None),
            Cursor::Now if head == Position::START => (None, None),
            Cursor::Now => (Some(head), Some(u32::MAX)),
            Cursor::Event(id) => (Some(Position(id.position)), Some(id.index)),
            Cursor::Commit(position) => (Some(Position(position)), Some(u32::MAX)),
        };
        let start = anchor.unwrap_or(Position::START);
        let mut first = None;
        if let Some(anchor) = anchor {
            // The entry at the cursor may be of any site.
            let at_cursor = ledger.get(&log, anchor).await?.ok_or(FeedError::Gone)?;
            first = Some(at_cursor).filter(|stored| stored.subject == site);
        }
        let entries = ledger.follow_subject(&log, &site, start).await?;
        let after =
            anchor.zip(last_index).map(|(anchor, index)| EventId { position: anchor.0, index });
        let reached = anchor.filter(|_| first.is_none());
        Ok(FeedReader { ledger, log, site, head, last, entries, first, after, reached })
    }

    /// Returns the cursor up to which the ledger has been read.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.reached.map(|position| Cursor::Commit(position.0))
    }

    /// Returns true once everything has been read that the ledger had when reading began.
    pub(crate) fn has_read_all(&self) -> bool {
        let reached = self.reached.unwrap_or(Position::START);
        self.first.is_none() && (reached >= self.last || self.last == Position::START)
    }

    /// Notes that all entries up to the head at the beginning have been read: those after the
    /// site's last one are of others.
    pub(crate) fn skip_to_head(&mut self) {
        let reached = self.reached.unwrap_or(Position::START);
        self.reached = Some(reached.max(self.head)).filter(|position| *position != Position::START);
    }

    /// Reads the next entry of the site, and waits while there is none. While only other sites are
    /// busy it returns progress without events. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Result<FeedBatch, FeedError> {
        let stored = match self.first.take() {
            Some(first) => first,
            None => loop {
                match tokio::time::timeout(QUIET_INTERVAL, self.entries.next()).await {
                    Ok(Some(LogItem::Entry(stored))) => break stored,
                    Ok(Some(LogItem::Restarted)) => return Err(FeedError::Gone),
                    Ok(None) => return Err(FeedError::Unavailable),
                    Err(_) => {
                        if let Some(position) = self.quiet_progress().await {
                            self.reached = Some(position);
                            return Ok(FeedBatch { position, events: Vec::new() });
                        }
                    }
                }
            },
        };
        let position = stored.position;
        let mut events = decode_events(&stored).ok_or(FeedError::NewerVersion)?;
        if let Some(last) = self.after {
            events.retain(|event| event.id > last);
        }
        self.reached = Some(position);
        Ok(FeedBatch { position, events })
    }

    /// Returns the head of the ledger, if it is further than what was read and holds nothing more
    /// of the site.
    async fn quiet_progress(&mut self) -> Option<Position> {
        let reached = self.reached.unwrap_or(Position::START);
        let head = self.ledger.head(&self.log).await.ok().filter(|head| *head > reached)?;
        let last = self.ledger.last(&self.log, &self.site).await.ok()?;
        last.is_none_or(|stored| stored.position <= reached).then_some(head)
    }
}

impl From<Unavailable> for FeedError {
    fn from(_: Unavailable) -> FeedError {
        FeedError::Unavailable
    }
}

/// Returns the events of an entry. `None` if this program cannot read it, as the engine cannot.
fn decode_events(stored: &StoredEntry) -> Option<Vec<PublicEvent>> {
    let commit: Commit = envelope::decode(&stored.entry.payload).ok()?;
    Some(to_public_events(stored.position.0, &commit).collect())
}
