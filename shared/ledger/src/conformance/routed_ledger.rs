//! Ledger whose snapshots go elsewhere than its other logs, or nowhere.

use super::layer::LedgerLayer;
use crate::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
    Unavailable,
};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::streams::{LEDGER, Log, SNAPSHOTS};
use parking_lot::Mutex;
use std::sync::Arc;

/// Ledger with another place for its snapshots.
pub struct RoutedLedger {
    inner: Arc<dyn Ledger>,
    snapshots: SnapshotStore,
    /// Positions after which the ledger was followed.
    pub followed_after: Mutex<Vec<Position>>,
}

/// Place of the snapshots.
pub enum SnapshotStore {
    /// That of the other logs.
    Same,
    /// Another store.
    Other(Arc<dyn Ledger>),
    /// None: no snapshot is found, and none is stored.
    Absent,
}

impl RoutedLedger {
    /// Sends the snapshots elsewhere.
    pub fn new(inner: Arc<dyn Ledger>, snapshots: SnapshotStore) -> Arc<RoutedLedger> {
        Arc::new(RoutedLedger { inner, snapshots, followed_after: Mutex::default() })
    }

    /// Store of a log; `None` if there is none.
    fn store(&self, log: &Log) -> Option<&dyn Ledger> {
        match &self.snapshots {
            SnapshotStore::Other(other) if log.family() == SNAPSHOTS.name => Some(&**other),
            SnapshotStore::Absent if log.family() == SNAPSHOTS.name => None,
            _ => Some(&*self.inner),
        }
    }
}

#[async_trait]
impl LedgerLayer for RoutedLedger {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        match self.store(log) {
            Some(store) => store.append(log, subject, expect, entry).await,
            None => Err(Unavailable("no snapshots here".to_owned()).into()),
        }
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        match self.store(log) {
            Some(store) => store.last(log, subject).await,
            None => Ok(None),
        }
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        match self.store(log) {
            Some(store) => store.head(log).await,
            None => Ok(Position::START),
        }
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        if log.family() == LEDGER.name {
            self.followed_after.lock().push(after);
        }
        match self.store(log) {
            Some(store) => store.follow(log, after).await,
            None => Ok(futures::stream::pending().boxed()),
        }
    }
}
