//! The ledger from a cursor on, as the public events of one site.
//!
//! Whether nothing is missing is found out by reading from the entry at the cursor itself: if it
//! still stands, so does everything after it.

use super::cursor::Cursor;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::names::LEDGER;
use paihao_contracts::public::{EventId, PublicEvent, publish};
use paihao_ledger::{Followed, Ledger, Position, Recorded, Subject};
use std::time::Duration;

/// How long the ledger may take to show what it is known to hold.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why reading does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// What comes after the cursor may no longer be all there.
    Gone,
    /// A newer program wrote to this site's ledger.
    Newer,
    /// The ledger does not answer.
    Unavailable,
}

/// A reader of one site.
pub(crate) struct Reading {
    site: Subject,
    /// Where the ledger ended when the reading began.
    pub(crate) head: Position,
    entries: BoxStream<'static, Followed>,
    /// The first entry, if it has been looked at already.
    first: Option<Recorded>,
    /// Events up to this one have been read before.
    known: Option<EventId>,
    reached: Option<Position>,
}

/// What one entry of the ledger brings.
pub(crate) struct Step {
    /// Where it stands.
    pub(crate) position: Position,
    /// Nothing if it is another site's.
    pub(crate) events: Vec<PublicEvent>,
}

impl Reading {
    /// Of entries that a test made up.
    #[cfg(test)]
    pub(super) fn of(site: Subject, entries: BoxStream<'static, Followed>) -> Reading {
        let head = Position(u64::MAX);
        Reading { site, head, entries, first: None, known: None, reached: None }
    }

    pub(super) async fn begin(
        ledger: &dyn Ledger,
        site: Subject,
        after: Cursor,
    ) -> Result<Reading, Stopped> {
        let head = ledger.head(&LEDGER).await.map_err(|_| Stopped::Unavailable)?;
        let (anchor, known) = match after {
            Cursor::Beginning => (None, None),
            Cursor::Now if head == Position::START => (None, None),
            Cursor::Now => (Some(head), Some(u32::MAX)),
            Cursor::Event(id) => (Some(Position(id.position)), Some(id.index)),
            Cursor::Commit(position) => (Some(Position(position)), Some(u32::MAX)),
        };
        let Some(anchor) = anchor else {
            let entries = follow(ledger, Position::START).await?;
            return Ok(Reading { site, head, entries, first: None, known: None, reached: None });
        };
        if anchor > head || anchor == Position::START {
            return Err(Stopped::Gone);
        }
        let mut entries = follow(ledger, Position(anchor.0 - 1)).await?;
        let first = match tokio::time::timeout(PATIENCE, entries.next()).await {
            Ok(Some(Followed::Entry(first))) => first,
            Ok(_) => return Err(Stopped::Gone),
            Err(_) => return Err(Stopped::Unavailable),
        };
        if first.position != anchor {
            return Err(Stopped::Gone);
        }
        let known = known.map(|index| EventId { position: anchor.0, index });
        Ok(Reading { site, head, entries, first: Some(first), known, reached: None })
    }

    /// How far the ledger has been read.
    pub(crate) fn reached(&self) -> Option<Cursor> {
        self.reached.map(|position| Cursor::Commit(position.0))
    }

    /// The next entry; waits while there is none. Nothing is lost when it is not waited for.
    pub(crate) async fn next(&mut self) -> Result<Step, Stopped> {
        let recorded = match self.first.take() {
            Some(first) => first,
            None => match self.entries.next().await {
                Some(Followed::Entry(recorded)) => recorded,
                Some(Followed::Restarted) => return Err(Stopped::Gone),
                None => return Err(Stopped::Unavailable),
            },
        };
        let position = recorded.position;
        let mut events = match recorded.subject == self.site {
            true => read(&recorded).ok_or(Stopped::Newer)?,
            false => Vec::new(),
        };
        if let Some(known) = self.known {
            events.retain(|event| event.id > known);
        }
        self.reached = Some(position);
        Ok(Step { position, events })
    }
}

async fn follow(
    ledger: &dyn Ledger,
    after: Position,
) -> Result<BoxStream<'static, Followed>, Stopped> {
    ledger.follow(&LEDGER, after).await.map_err(|_| Stopped::Unavailable)
}

fn read(recorded: &Recorded) -> Option<Vec<PublicEvent>> {
    let commit: Commit = serde_json::from_slice(&recorded.entry.payload).ok()?;
    let known = commit.v <= COMMIT_VERSION;
    known.then(|| publish(recorded.position.0, &commit).collect())
}
