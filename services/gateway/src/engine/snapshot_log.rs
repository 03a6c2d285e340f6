//! Log of snapshots: restores the sites at a start, and stores the snapshot of one site and the
//! floor of all.

use super::coverage::StoredSnapshot;
use super::replica::PartitionReplica;
use super::view::SiteSnapshot;
use crate::codec::snapshot::SiteSnapshotParts;
use crate::codec::{DecodeError, snapshot as form};
use async_trait::async_trait;
use futures::StreamExt;
use futures::future::OptionFuture;
use paihao_chassis::blocking;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::partitions::Partition;
use paihao_contracts::streams::{Log, SNAPSHOT_FLOOR};
use paihao_ledger::projection::Restore;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
    TRUNCATION_GRACE, Unavailable,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

/// Subject of the floor.
fn floor_subject() -> Subject {
    Subject::new(&[SNAPSHOT_FLOOR]).expect("the name is plain")
}

/// Snapshots that are decoded beside each other.
const DECODED_AHEAD: usize = 4;

/// Snapshot that was read.
struct DecodedSnapshot {
    /// Position of its entry.
    entry: Position,
    subject: Subject,
    /// `None` for the floor, which is no snapshot of a site.
    parts: Option<Result<SiteSnapshotParts, DecodeError>>,
}

/// Decodes a snapshot on another thread. `None` if the log was made anew.
async fn decode(item: LogItem) -> Option<DecodedSnapshot> {
    let LogItem::Entry(StoredEntry { position, subject, entry, .. }) = item else { return None };
    let decoding =
        (subject != floor_subject()).then(|| blocking::run(move || form::decode(&entry.payload)));
    let parts = OptionFuture::from(decoding).await;
    Some(DecodedSnapshot { entry: position, subject, parts })
}

/// Restores the replicas of the sites of a partition from their snapshots.
pub(super) struct SnapshotRestorer {
    ledger: Arc<dyn Ledger>,
    replica: PartitionReplica,
    /// Time since which the ledger is shorter than a snapshot says.
    shorter_since: Option<Instant>,
}

#[async_trait]
impl Restore for SnapshotRestorer {
    async fn restore(&mut self) -> Result<Position, Unavailable> {
        // The floor first: a snapshot that is read later can only include more.
        let floor = self.ledger.last(&self.snapshots(), &floor_subject()).await?;
        let floor = floor.map_or(Position::START, |entry| {
            form::decode_floor(&entry.entry.payload).unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot decode the floor of the snapshots, reading the whole ledger");
                Position::START
            })
        });
        let is_complete = self.restore_sites().await?;
        self.reconcile().await?;
        let floor = if is_complete { floor } else { Position::START };
        self.replica.signals().set_followed(floor);
        Ok(floor)
    }
}

impl SnapshotRestorer {
    pub(super) fn new(ledger: Arc<dyn Ledger>, replica: PartitionReplica) -> SnapshotRestorer {
        SnapshotRestorer { ledger, replica, shorter_since: None }
    }

    fn snapshots(&self) -> Log {
        self.replica.partition.snapshots
    }

    /// Lets a site whose snapshot stands beyond the head of the ledger go on behind its newest
    /// entry. The store has lost entries that it had confirmed; what was answered stays true, and
    /// the lost positions, which are given again, must not count as known.
    async fn reconcile(&mut self) -> Result<(), Unavailable> {
        let partition = &self.replica.partition;
        let head = self.ledger.head(&partition.ledger).await?;
        let mut beyond = self.replica.sites();
        // All entries may have aged out.
        beyond.retain(|site| head > Position::START && site.position() > head);
        if beyond.is_empty() {
            self.shorter_since = None;
            return Ok(());
        }
        if self.shorter_since.get_or_insert_with(Instant::now).elapsed() < TRUNCATION_GRACE {
            return Err(Unavailable("the ledger is shorter than its snapshots say".to_owned()));
        }
        for site in beyond {
            let subject = &site.subject;
            tracing::error!(
                subject = subject.as_str(),
                "the ledger has lost entries that a snapshot includes"
            );
            let newest = self.ledger.last(&partition.ledger, subject).await?;
            site.set_position(newest.map_or(Position::START, |entry| entry.position));
            let void = site.coverage.lock().stored.map(|stored| stored.entry);
            let ledger = &*self.ledger;
            match store_snapshot(ledger, partition, subject, None, site.now(), void).await {
                Ok(Stored::Written(stored, _) | Stored::Known(stored)) => {
                    site.coverage.lock().set_stored(stored);
                }
                Err(error) => return Err(Unavailable(error.to_string())),
            }
        }
        Ok(())
    }

    /// Restores every site that has a snapshot. Returns whether all of them could be decoded.
    async fn restore_sites(&self) -> Result<bool, Unavailable> {
        let mut head = self.ledger.head(&self.snapshots()).await?;
        if head == Position::START {
            return Ok(true);
        }
        let entries = self.ledger.follow(&self.snapshots(), Position::START).await?;
        let mut snapshots = entries.map(decode).buffered(DECODED_AHEAD);
        let mut broken = BTreeSet::new();
        let mut position = Position::START;
        // A snapshot that is replaced meanwhile comes again at the end.
        while position < head {
            let Some(Some(snapshot)) = snapshots.next().await else {
                return Err(Unavailable("the log of snapshots was made anew".to_owned()));
            };
            position = snapshot.entry;
            let subject = snapshot.subject.clone();
            if self.restore_site(snapshot) {
                broken.remove(&subject);
            } else {
                broken.insert(subject);
            }
            if position >= head {
                head = self.ledger.head(&self.snapshots()).await?;
            }
        }
        Ok(broken.is_empty())
    }

    /// Restores a site. Returns `false` if its snapshot cannot be decoded.
    fn restore_site(&self, snapshot: DecodedSnapshot) -> bool {
        let DecodedSnapshot { entry, subject, parts } = snapshot;
        let Some(parts) = parts else { return true };
        let site = self.replica.site(&subject);
        match parts {
            Ok(parts) => {
                site.restore(parts, entry);
                true
            }
            Err(error) => {
                let subject = subject.as_str();
                tracing::warn!(subject, %error, "cannot decode a snapshot, reading the whole ledger");
                if let DecodeError::Newer(newer) = error {
                    self.replica.signals().set_newer(newer);
                    site.await_day();
                }
                false
            }
        }
    }
}

/// Reason why a snapshot was not stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// Another replica has stored one meanwhile, or the store did not answer.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The stored one is of a newer program, which goes on to write it.
    #[error("the stored snapshot was written by a newer program")]
    Newer,
    /// Nothing tells whose site it is.
    #[error("neither settings nor entries name the site")]
    UnknownSite,
}

impl From<Unavailable> for StoreError {
    fn from(error: Unavailable) -> Self {
        StoreError::Append(error.into())
    }
}

/// Result of storing a snapshot.
pub(super) enum Stored {
    /// It was written, with this number of bytes.
    Written(StoredSnapshot, usize),
    /// The stored one includes as much already.
    Known(StoredSnapshot),
}

/// Stores the snapshot of a site, unless the stored one includes as much. With `void` the ledger
/// was made anew: a snapshot at that position, or beyond the head of the ledger, is of the former
/// one and is replaced in any case.
pub(super) async fn store_snapshot(
    ledger: &dyn Ledger,
    partition: &Partition,
    subject: &Subject,
    facts: Option<SiteFacts>,
    snapshot: SiteSnapshot,
    void: Option<Position>,
) -> Result<Stored, StoreError> {
    let last = ledger.last(&partition.snapshots, subject).await?;
    let day = snapshot.site.day();
    let expect = match &last {
        None if day.is_none() => {
            return Ok(Stored::Known(StoredSnapshot { entry: Position::START, day }));
        }
        None => ExpectedPosition::Empty,
        Some(last) => ExpectedPosition::At(last.position),
    };
    if let Some(last) = &last {
        match form::decode_position(&last.entry.payload) {
            Ok(position) => {
                let is_void = match void {
                    Some(void) => {
                        void == last.position || position > ledger.head(&partition.ledger).await?
                    }
                    None => false,
                };
                if position >= snapshot.position && !is_void {
                    return Ok(Stored::Known(StoredSnapshot { entry: last.position, day }));
                }
            }
            Err(DecodeError::Newer(_)) => return Err(StoreError::Newer),
            Err(error) => {
                let subject = subject.as_str();
                tracing::warn!(subject, %error, "replacing a snapshot that cannot be decoded");
            }
        }
    }
    let facts = match facts {
        Some(facts) => facts,
        None => find_facts(ledger, partition, subject, last).await?,
    };
    let log = &partition.snapshots;
    let appended = append_snapshot(ledger, log, subject, &facts, &snapshot, expect).await;
    let (entry, bytes) = match appended {
        // The links of yesterday give way to the line of today.
        Err(AppendError::TooLarge { .. }) if snapshot.previous_day.is_some() => {
            let today = SiteSnapshot { previous_day: None, ..snapshot };
            append_snapshot(ledger, log, subject, &facts, &today, expect).await?
        }
        appended => appended?,
    };
    Ok(Stored::Written(StoredSnapshot { entry, day }, bytes))
}

/// Appends a snapshot. Returns its position and its number of bytes.
async fn append_snapshot(
    ledger: &dyn Ledger,
    log: &Log,
    subject: &Subject,
    facts: &SiteFacts,
    snapshot: &SiteSnapshot,
    expect: ExpectedPosition,
) -> Result<(Position, usize), AppendError> {
    let (facts, snapshot) = (facts.clone(), snapshot.clone());
    let encoding = blocking::run(move || {
        let SiteSnapshot { site, position, previous_day, .. } = &snapshot;
        form::encode(&facts, *position, site, previous_day.as_deref())
    });
    let entry: Entry = encoding.await;
    let bytes = entry.payload.len();
    Ok((ledger.append(log, subject, expect, entry).await?, bytes))
}

/// Returns the facts of a site that is not in the settings, as they were written last.
async fn find_facts(
    ledger: &dyn Ledger,
    partition: &Partition,
    subject: &Subject,
    snapshot: Option<StoredEntry>,
) -> Result<SiteFacts, StoreError> {
    let commit = ledger.last(&partition.ledger, subject).await?;
    let commit = commit.and_then(|commit| crate::codec::decode_facts(&commit.entry.payload));
    let stored = || form::decode_facts(&snapshot?.entry.payload);
    commit.or_else(stored).ok_or(StoreError::UnknownSite)
}

/// Stores the floor of a partition, unless the stored one is as high and no former ledger's. A
/// lower floor is never wrong: more of the ledger is read.
pub(super) async fn store_floor(
    ledger: &dyn Ledger,
    partition: &Partition,
    floor: Position,
    is_void: bool,
) -> Result<(), StoreError> {
    let last = ledger.last(&partition.snapshots, &floor_subject()).await?;
    let mut expect = ExpectedPosition::Empty;
    if let Some(last) = last {
        expect = ExpectedPosition::At(last.position);
        match form::decode_floor(&last.entry.payload) {
            Ok(stored) if stored >= floor && !is_void => return Ok(()),
            Err(DecodeError::Newer(_)) => return Err(StoreError::Newer),
            _ => {}
        }
    }
    let entry = form::encode_floor(floor);
    ledger.append(&partition.snapshots, &floor_subject(), expect, entry).await?;
    Ok(())
}
