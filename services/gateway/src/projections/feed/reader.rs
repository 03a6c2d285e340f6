//! Reader of the ledger from a cursor on, as the public events of one site.
//!
//! The entry at the cursor itself is read first: if the ledger still has it, then nothing after it
//! is missing.

use super::cursor::Cursor;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::commit::Commit;
use paihao_contracts::envelope;
use paihao_contracts::public_event::{EventId, PublicEvent, to_public_events};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Ledger, LogItem, Position, StoredEntry, Subject};
use std::time::Duration;

/// Longest wait for an entry that the ledger is known to hold.
const FIRST_ENTRY_TIMEOUT: Duration = Duration::from_secs(5);

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

/// Reader of one site's events.
pub(crate) struct FeedReader {
    site: Subject,
    /// Head of the ledger when reading began.
    pub(crate) head: Position,
    entries: BoxStream<'static, LogItem>,
    /// First entry, if it has been read already.
    first: Option<StoredEntry>,
    /// Last event that was read before.
    after: Option<EventId>,
    reached: Option<Position>,
}

/// Events of one entry of the ledger.
pub(crate) struct FeedBatch {
    /// Position of the entry.
    pub(crate) position: Position,
    /// Public events of the entry; none if it is of another site.
    pub(crate) events: Vec<PublicEvent>,
}

impl FeedReader {
    /// Creates a reader of a test's entries.
    #[cfg(test)]
    pub(super) fn from_entries(site: Subject, entries: BoxStream<'static, LogItem>) -> FeedReader {
        let head = Position(u64::MAX);
        FeedReader { site, head, entries, first: None, after: None, reached: None }
    }

    pub(super) async fn open(
        ledger: &dyn Ledger,
        site: Subject,
        after: Cursor,
    ) -> Result<FeedReader, FeedError> {
        let head = ledger.head(&LEDGER).await.map_err(|_| FeedError::Unavailable)?;
        let (anchor, last_index) = match after {
            Cursor::Beginning => (None, None),
            Cursor::Now if head == Position::START => (None, None),
            Cursor::Now => (Some(head), Some(u32::MAX)),
            Cursor::Event(id) => (Some(Position(id.position)), Some(id.index)),
            Cursor::Commit(position) => (Some(Position(position)), Some(u32::MAX)),
        };
        let Some(anchor) = anchor else {
            let entries = follow(ledger, Position::START).await?;
            return Ok(FeedReader { site, head, entries, first: None, after: None, reached: None });
        };
        if anchor > head || anchor == Position::START {
            return Err(FeedError::Gone);
        }
        let mut entries = follow(ledger, Position(anchor.0 - 1)).await?;
        let first = match tokio::time::timeout(FIRST_ENTRY_TIMEOUT, entries.next()).await {
            Ok(Some(LogItem::Entry(first))) => first,
            Ok(_) => return Err(FeedError::Gone),
            Err(_) => return Err(FeedError::Unavailable),
        };
        if first.position != anchor {
            return Err(FeedError::Gone);
        }
        let after = last_index.map(|index| EventId { position: anchor.0, index });
        Ok(FeedReader { site, head, entries, first: Some(first), after, reached: None })
    }

    /// Returns the cursor up to which the ledger has been read.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.reached.map(|position| Cursor::Commit(position.0))
    }

    /// Reads the next entry, and waits while there is none. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Result<FeedBatch, FeedError> {
        let stored = match self.first.take() {
            Some(first) => first,
            None => match self.entries.next().await {
                Some(LogItem::Entry(stored)) => stored,
                Some(LogItem::Restarted) => return Err(FeedError::Gone),
                None => return Err(FeedError::Unavailable),
            },
        };
        let position = stored.position;
        let mut events = if stored.subject == self.site {
            decode_events(&stored).ok_or(FeedError::NewerVersion)?
        } else {
            Vec::new()
        };
        if let Some(last) = self.after {
            events.retain(|event| event.id > last);
        }
        self.reached = Some(position);
        Ok(FeedBatch { position, events })
    }
}

async fn follow(
    ledger: &dyn Ledger,
    after: Position,
) -> Result<BoxStream<'static, LogItem>, FeedError> {
    ledger.follow(&LEDGER, after).await.map_err(|_| FeedError::Unavailable)
}

/// Returns the events of an entry. `None` if this program cannot read it, as the engine cannot.
fn decode_events(stored: &StoredEntry) -> Option<Vec<PublicEvent>> {
    let commit: Commit = envelope::decode(&stored.entry.payload).ok()?;
    Some(to_public_events(stored.position.0, &commit).collect())
}
