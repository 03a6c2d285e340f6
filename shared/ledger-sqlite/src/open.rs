//! Opening of the file: exclusive lock, version check, and migrations.

use paihao_contracts::streams::Log;
use rusqlite::Connection;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Clock that returns Unix milliseconds.
pub(crate) type ClockFn = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Clock by which entries expire.
pub(crate) type AgeClockFn = Arc<dyn Fn() -> Option<i64> + Send + Sync>;

/// Options of a ledger in a file.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Clock in Unix milliseconds, for the times of entries and due times.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Time in Unix milliseconds by which entries expire. `None` while nothing confirms the time:
    /// then nothing expires.
    pub age_clock: Arc<dyn Fn() -> Option<i64> + Send + Sync>,
    /// Largest accepted entry in bytes, payload and headers.
    pub max_entry_bytes: usize,
    /// Logs with another retention than their own.
    pub retention_overrides: Vec<Log>,
    /// Interval at which expired entries are removed from the file.
    pub retention_interval: Duration,
    /// Size of the file from which nothing more is appended or enqueued; `None` for no limit.
    pub max_bytes: Option<u64>,
}

impl SqliteOptions {
    /// Default options: entries up to 1 MiB as on an unconfigured NATS server, removal once a
    /// minute.
    pub fn new(clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Self {
        let age_clock = clock.clone();
        SqliteOptions {
            clock,
            age_clock: Arc::new(move || Some(age_clock())),
            max_entry_bytes: 1 << 20,
            retention_overrides: Vec::new(),
            retention_interval: Duration::from_secs(60),
            max_bytes: None,
        }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("max_entry_bytes", &self.max_entry_bytes)
            .field("retention_interval", &self.retention_interval)
            .finish_non_exhaustive()
    }
}

/// Errors of opening the file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error("{} is in use by another process: stop that one first, or choose another file", .0.display())]
    InUse(PathBuf),
    /// A newer paihao wrote it.
    #[error(
        "{} was written by a newer version of paihao (file version {found}, this one knows up to {supported}): use that version, or another file",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        supported: i64,
    },
    /// The file belongs to another application.
    #[error("{} is not a ledger of paihao: choose another file", .0.display())]
    NotALedger(PathBuf),
    /// It was there and is gone.
    #[error(
        "{} was there and is gone: put a backup in its place, or remove {}.lock to begin with an empty ledger",
        .0.display(), .0.display()
    )]
    Lost(PathBuf),
    /// It cannot be created, read or written.
    #[error("{} cannot be opened: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Error of the system or of SQLite.
        reason: String,
    },
}

/// Only an operator's tool can hold SQLite's lock, and only for a moment.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// "phao": identifies our files among SQLite files.
pub(crate) const APPLICATION_ID: i64 = 0x7068_616f;

/// One step per version; a file of version n has had the first n.
pub(crate) const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];

/// Connection to a locked file, exclusive until both halves are dropped.
pub(crate) struct LockedConnection {
    pub(crate) connection: Connection,
    pub(crate) lock: File,
}

pub(crate) fn open(path: &Path) -> Result<LockedConnection, OpenError> {
    let unusable = |reason: String| OpenError::Unusable { path: path.to_owned(), reason };
    // The lock file stays when the process ends, and is not empty once there has been a ledger.
    let was_there = lock_path(path).metadata().is_ok_and(|lock| lock.len() > 0);
    if was_there && !path.exists() {
        return Err(OpenError::Lost(path.to_owned()));
    }
    let lock = lock(path)?;
    let mut connection = connect(path).map_err(|e| unusable(e.to_string()))?;
    migrate(&mut connection, path)?;
    // Deleted data is overwritten: it may contain personal data.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA journal_size_limit = 4194304;
             UPDATE handed SET due_ms = 0, held = 0 WHERE held = 1;
             UPDATE messages SET due_ms = 0, held = 0 WHERE held = 1;",
        )
        .map_err(|e| unusable(e.to_string()))?;
    require_durable(&connection).map_err(unusable)?;
    lock.set_len(1).map_err(|e| unusable(e.to_string()))?;
    Ok(LockedConnection { connection, lock })
}

/// Reads back how the connection commits: where a file system cannot do it, SQLite goes on in
/// another way without an error.
fn require_durable(connection: &Connection) -> Result<(), String> {
    const FULL: i64 = 2;
    let journal: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|e| e.to_string())?;
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(|e| e.to_string())?;
    if journal == "wal" && synchronous >= FULL {
        Ok(())
    } else {
        Err(format!(
            "the file system does not let SQLite write durably (journal_mode is {journal}, synchronous is {synchronous}): use a local disk"
        ))
    }
}

/// Opens another connection to a file that is locked already.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(crate) fn lock_path(path: &Path) -> PathBuf {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    lock_path.into()
}

/// Locks a file beside the ledger, instead of the ledger itself: the process loses its locks on
/// that when any of its connections to the file is closed.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let unusable =
        |e: std::io::Error| OpenError::Unusable { path: path.to_owned(), reason: e.to_string() };
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(lock_path(path))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(e)) => Err(unusable(e)),
    }
}

pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let unusable =
        |e: rusqlite::Error| OpenError::Unusable { path: path.to_owned(), reason: e.to_string() };
    let pragma = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
    };
    let found = match pragma(connection, "user_version") {
        Err(rusqlite::Error::SqliteFailure(e, _))
            if e.code == rusqlite::ErrorCode::NotADatabase =>
        {
            return Err(OpenError::NotALedger(path.to_owned()));
        }
        found => found.map_err(unusable)?,
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unusable)?;
    let application = pragma(connection, "application_id").map_err(unusable)?;
    if (tables > 0 || found > 0) && application != APPLICATION_ID {
        return Err(OpenError::NotALedger(path.to_owned()));
    }
    let supported = MIGRATIONS.len() as i64;
    if found > supported {
        return Err(OpenError::NewerVersion { path: path.to_owned(), found, supported });
    }
    for (step, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction().map_err(unusable)?;
        transaction
            .execute_batch(sql)
            .and_then(|()| transaction.pragma_update(None, "application_id", APPLICATION_ID))
            .and_then(|()| transaction.pragma_update(None, "user_version", step))
            .and_then(|()| transaction.commit())
            .map_err(unusable)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_cannot_commit_durably_is_refused() {
        // In memory there is no write-ahead log, and SQLite answers the request for one without an
        // error.
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").unwrap();
        let reason = require_durable(&connection).unwrap_err();
        assert!(reason.contains("journal_mode is memory"), "{reason}");

        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("ledger.db")).unwrap();
        require_durable(&opened.connection).unwrap();
        for (pragma, refused) in [("synchronous = NORMAL", true), ("synchronous = EXTRA", false)] {
            opened.connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
            assert_eq!(require_durable(&opened.connection).is_err(), refused, "{pragma}");
        }
        opened
            .connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE")
            .unwrap();
        assert!(require_durable(&opened.connection).is_err());
    }
}
