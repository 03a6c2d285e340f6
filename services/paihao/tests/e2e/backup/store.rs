//! Stores of both shapes, empty at first, as sources and targets.

use harness::{NatsServer, nats_server_oldest};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{LEDGER, Log};
use paihao_ledger::backup::{
    BackupSource, RestoreError, RestoreOptions, RestoreTarget, Summary, make_backup, restore,
};
use paihao_ledger::{Ledger, Position};
use paihao_ledger_nats::{NatsBackup, NatsLedger, NatsOptions, NatsRestore};
use paihao_ledger_sqlite::{SqliteBackup, SqliteLedger, SqliteOptions, SqliteRestore};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;

/// Kind of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Sqlite,
    Nats,
    /// The oldest supported server.
    NatsOldest,
}

impl Shape {
    /// Server of the shape.
    pub fn nats(self) -> &'static NatsServer {
        static OLDEST: LazyLock<NatsServer> =
            LazyLock::new(|| NatsServer::start_with(&nats_server_oldest()));
        if self == Shape::NatsOldest { &OLDEST } else { NatsServer::shared() }
    }
}

/// Every pair of a source and a target, with the oldest server once as each.
pub const ALL_PAIRS: [(Shape, Shape); 6] = [
    PAIRS[0],
    PAIRS[1],
    PAIRS[2],
    PAIRS[3],
    (Shape::Sqlite, Shape::NatsOldest),
    (Shape::NatsOldest, Shape::Nats),
];

/// Every pair of a source and a target, with the newest server.
pub const PAIRS: [(Shape, Shape); 4] = [
    (Shape::Sqlite, Shape::Sqlite),
    (Shape::Sqlite, Shape::Nats),
    (Shape::Nats, Shape::Sqlite),
    (Shape::Nats, Shape::Nats),
];

/// A store that is made at its first use.
pub struct Store {
    pub shape: Shape,
    partitions: Partitions,
    folder: TempDir,
    namespace: String,
}

impl Store {
    pub fn new(shape: Shape) -> Store {
        Store::divided(shape, 1)
    }

    /// Store with a ledger in partitions.
    pub fn divided(shape: Shape, partitions: usize) -> Store {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let namespace = format!("keep-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let partitions = Partitions::new(partitions).unwrap();
        Store { shape, partitions, folder: tempfile::tempdir().unwrap(), namespace }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.sqlite")
    }

    fn options(&self) -> NatsOptions {
        let (url, namespace) = (self.shape.nats().url(), self.namespace.clone());
        NatsOptions { url, namespace, partitions: self.partitions, ..NatsOptions::default() }
    }

    /// Opens the store, once the one who had it before has let go of it.
    pub async fn open(&self) -> Arc<dyn Ledger> {
        let mut opened = None;
        harness::wait_until("the store is free", Duration::from_secs(10), async || {
            match self.try_open().await {
                Ok(ledger) => opened = Some(ledger),
                Err(error) => assert!(error.contains("in use"), "{error}"),
            }
            opened.is_some()
        })
        .await;
        opened.unwrap()
    }

    pub async fn try_open(&self) -> Result<Arc<dyn Ledger>, String> {
        match self.shape {
            Shape::Sqlite => {
                let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
                match SqliteLedger::open(self.path(), options) {
                    Ok(ledger) => Ok(Arc::new(ledger)),
                    Err(error) => Err(error.to_string()),
                }
            }
            Shape::Nats | Shape::NatsOldest => match NatsLedger::connect(self.options()).await {
                Ok(ledger) => Ok(Arc::new(ledger)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    pub async fn source(&self) -> Box<dyn BackupSource> {
        match self.shape {
            Shape::Sqlite => Box::new(SqliteBackup::open(&self.path()).unwrap()),
            Shape::Nats | Shape::NatsOldest => {
                Box::new(NatsBackup::connect(self.options()).await.unwrap())
            }
        }
    }

    pub fn target(&self, discard_partial: bool) -> Box<dyn RestoreTarget> {
        match self.shape {
            Shape::Sqlite => Box::new(SqliteRestore::new(&self.path())),
            Shape::Nats | Shape::NatsOldest => {
                let now_ms = || SystemClock.now_ms();
                Box::new(NatsRestore::new(self.options(), discard_partial, now_ms))
            }
        }
    }

    /// Lets the entries of the ledger leave, as their age does.
    pub async fn age_out(&self) {
        match self.shape {
            Shape::Sqlite => {
                let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
                let ledger = open_when_free(&self.path(), options).await;
                let later = SystemClock.now_ms() + 80 * 3_600_000;
                ledger.remove_expired(later).await.unwrap();
                ledger.close().await;
            }
            Shape::Nats | Shape::NatsOldest => {
                let aged = Log { retention: Some(Duration::from_secs(1)), ..LEDGER };
                let options = NatsOptions { retention_overrides: vec![aged], ..self.options() };
                let ledger = NatsLedger::connect(options).await.unwrap();
                harness::wait_until("the entries have left", Duration::from_secs(20), async || {
                    ledger.head(&LEDGER).await.unwrap() == Position::START
                })
                .await;
            }
        }
    }

    /// Makes a backup of the store.
    pub async fn back_up(&self) -> Vec<u8> {
        let source = self.source().await;
        make_backup(&*source, SystemClock.now_ms(), Vec::new()).await.unwrap().0
    }

    /// Restores a backup into the store, once nobody uses it.
    pub async fn restore_when_free(&self, backup: &[u8]) -> Result<Summary, RestoreError> {
        let mut restored = None;
        harness::wait_until("the store is free", Duration::from_secs(40), async || {
            let result = self.restore(backup, false).await;
            if !matches!(result, Err(RestoreError::InUse(_))) {
                restored = Some(result);
            }
            restored.is_some()
        })
        .await;
        restored.unwrap()
    }

    /// Restores a backup into the store.
    pub async fn restore(&self, backup: &[u8], resume: bool) -> Result<Summary, RestoreError> {
        restore(backup, &mut *self.target(false), RestoreOptions { resume }).await
    }
}

async fn open_when_free(path: &Path, options: SqliteOptions) -> SqliteLedger {
    let mut opened = None;
    harness::wait_until("the file is free", Duration::from_secs(10), async || {
        opened = SqliteLedger::open(path, options.clone()).ok();
        opened.is_some()
    })
    .await;
    opened.unwrap()
}
