//! The ledger from a cursor on, as the public events of one site.
//!
//! Whether nothing is missing is found out by reading from the entry at the cursor itself: if it
//! still stands, so does everything after it.

use super::cursor::Cursor;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::public_event::{EventId, PublicEvent, to_public_events};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Ledger, LogItem, Position, StoredEntry, Subject};
use std::time::Duration;

/// How long the ledger may take to show what it is known to hold.
const FIRST_ENTRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why reading does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedError {
    /// What comes after the cursor may no longer be all there.
    Gone,
    /// A newer program wrote to this site's ledger.
    NewerVersion,
    /// The ledger does not answer.
    Unavailable,
}

/// A reader of one site.
pub(crate) struct FeedReader {
    site: Subject,
    /// Where the ledger ended when the reading began.
    pub(crate) head: Position,
    entries: BoxStream<'static, LogItem>,
    /// The first entry, if it has been looked at already.
    first: Option<StoredEntry>,
    /// Events up to this one have been read before.
    after: Option<EventId>,
    reached: Option<Position>,
}

/// What one entry of the ledger brings.
pub(crate) struct FeedBatch {
    /// Where it stands.
    pub(crate) position: Position,
    /// Nothing if it is another site's.
    pub(crate) events: Vec<PublicEvent>,
}

impl FeedReader {
    /// Of entries that a test made up.
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
        let (anchor, known) = match after {
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
        let known = known.map(|index| EventId { position: anchor.0, index });
        Ok(FeedReader { site, head, entries, first: Some(first), after: known, reached: None })
    }

    /// How far the ledger has been read.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.reached.map(|position| Cursor::Commit(position.0))
    }

    /// The next entry; waits while there is none. Nothing is lost when it is not waited for.
    pub(crate) async fn next(&mut self) -> Result<FeedBatch, FeedError> {
        let recorded = match self.first.take() {
            Some(first) => first,
            None => match self.entries.next().await {
                Some(LogItem::Entry(recorded)) => recorded,
                Some(LogItem::Restarted) => return Err(FeedError::Gone),
                None => return Err(FeedError::Unavailable),
            },
        };
        let position = recorded.position;
        let mut events = match recorded.subject == self.site {
            true => decode_events(&recorded).ok_or(FeedError::NewerVersion)?,
            false => Vec::new(),
        };
        if let Some(known) = self.after {
            events.retain(|event| event.id > known);
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

fn decode_events(recorded: &StoredEntry) -> Option<Vec<PublicEvent>> {
    let commit: Commit = serde_json::from_slice(&recorded.entry.payload).ok()?;
    let known = commit.v <= COMMIT_VERSION;
    known.then(|| to_public_events(recorded.position.0, &commit).collect())
}
