//! A new file into which a backup is restored. It gets its name when it is complete.

use crate::entries::write_headers;
use crate::messages::insert_restored;
use crate::open::{OpenError, connect, lock, migrate};
use async_trait::async_trait;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, LEDGER, Log, WorkQueue};
use paihao_ledger::backup::restore::Placement;
use paihao_ledger::backup::{ConsumerProgress, QueuedMessage, RestoreError, RestoreTarget};
use paihao_ledger::{Position, StoredEntry};
use rusqlite::{Connection, params};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Positions that are left out behind the ledger, so that none is given twice that was given after
/// the backup. All logs of a file share them.
const POSITION_GAP: u64 = 1_000_000;

/// Rows of one transaction.
const MAX_BATCH_ROWS: usize = 1_000;

/// A file to be restored.
pub struct SqliteRestore {
    path: PathBuf,
    open: Option<OpenFile>,
}

struct OpenFile {
    connection: Connection,
    lock: File,
    /// Position of the newest entry.
    last: u64,
    /// True until the ledger, which keeps its positions, is complete.
    before_ledger: bool,
    /// Entries before the ledger, numbered from -1 down until it is complete.
    staged: u64,
    rows: usize,
}

impl SqliteRestore {
    /// Creates the target of this name.
    pub fn new(path: &Path) -> SqliteRestore {
        SqliteRestore { path: path.to_owned(), open: None }
    }

    fn name(&self) -> String {
        format!("the file {}", self.path.display())
    }

    fn partial_path(&self) -> PathBuf {
        with_suffix(&self.path, ".restoring")
    }

    fn open(&mut self) -> Result<&mut OpenFile, RestoreError> {
        self.open.as_mut().ok_or_else(|| RestoreError::Store("it has not been begun".to_owned()))
    }
}

impl OpenFile {
    /// Counts a row, and ends the transaction after so many.
    fn written(&mut self) -> Result<(), RestoreError> {
        self.rows += 1;
        if self.rows.is_multiple_of(MAX_BATCH_ROWS) {
            self.connection.execute_batch("COMMIT; BEGIN").map_err(failed)?;
        }
        Ok(())
    }
}

#[async_trait]
impl RestoreTarget for SqliteRestore {
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn begin(&mut self) -> Result<(), RestoreError> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io_failed)?;
        }
        let lock = lock(&self.path).map_err(|error| match error {
            OpenError::InUse(_) => RestoreError::InUse(self.name()),
            error => RestoreError::Store(error.to_string()),
        })?;
        if !is_empty(&self.path)? {
            return Err(RestoreError::NotEmpty(self.name()));
        }
        let partial = self.partial_path();
        remove(&partial)?;
        // It names people.
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(io_failed)?;
        let mut connection = connect(&partial).map_err(failed)?;
        migrate(&mut connection, &partial)
            .map_err(|error| RestoreError::Store(error.to_string()))?;
        // The file is synced as a whole at the end.
        connection
            .execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN")
            .map_err(failed)?;
        self.open =
            Some(OpenFile { connection, lock, last: 0, before_ledger: true, staged: 0, rows: 0 });
        Ok(())
    }

    async fn put_entry(
        &mut self,
        log: &Log,
        stored: StoredEntry,
        placement: Placement,
    ) -> Result<Position, RestoreError> {
        let file = self.open()?;
        let number = match placement {
            Placement::Kept => stored.position.0 as i64,
            Placement::Next if file.before_ledger => -(file.staged as i64) - 1,
            Placement::Next => file.last as i64 + 1,
        };
        file.connection
            .prepare_cached(
                "INSERT INTO entries (position, log, subject, at_ms, headers, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    number,
                    log.name,
                    stored.subject.as_str(),
                    stored.at_ms,
                    write_headers(&stored.entry),
                    stored.entry.payload.as_ref()
                ])
            })
            .map_err(failed)?;
        if number < 0 {
            file.staged += 1;
        } else {
            file.last = number as u64;
        }
        file.written()?;
        Ok(Position(file.last))
    }

    async fn end_log(
        &mut self,
        log: &Log,
        last: Position,
        leave_gap: bool,
    ) -> Result<(), RestoreError> {
        let file = self.open()?;
        if *log != LEDGER {
            return Ok(());
        }
        file.last = file.last.max(last.0);
        if leave_gap {
            file.last += POSITION_GAP;
        }
        file.connection
            .execute(
                "UPDATE entries SET position = ?1 - position WHERE position < 0",
                [file.last as i64],
            )
            .map_err(failed)?;
        file.last += file.staged;
        file.before_ledger = false;
        Ok(())
    }

    async fn put_message(
        &mut self,
        queue: &WorkQueue,
        message: QueuedMessage,
    ) -> Result<(), RestoreError> {
        let file = self.open()?;
        insert_restored(&file.connection, queue, &message).map_err(failed)?;
        file.written()
    }

    async fn put_consumer(
        &mut self,
        log: &Log,
        consumer: &Consumer,
        progress: ConsumerProgress,
    ) -> Result<(), RestoreError> {
        let file = self.open()?;
        file.connection
            .execute(
                "INSERT INTO consumers (log, name, cursor) VALUES (?1, ?2, ?3)",
                params![log.name, consumer.name, progress.after.0],
            )
            .map_err(failed)?;
        for position in progress.open {
            file.connection
                .execute(
                    "INSERT INTO handed VALUES (?1, ?2, ?3, 1, 0, 0)",
                    params![log.name, consumer.name, position.0],
                )
                .map_err(failed)?;
            file.written()?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), RestoreError> {
        let partial = self.partial_path();
        let file = self.open.take().ok_or_else(|| failed_text("it has not been begun"))?;
        let OpenFile { connection, lock, last, .. } = file;
        let set = connection
            .execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'entries'", [last as i64])
            .map_err(failed)?;
        if set == 0 {
            connection
                .execute("INSERT INTO sqlite_sequence VALUES ('entries', ?1)", [last as i64])
                .map_err(failed)?;
        }
        connection.execute_batch("COMMIT").map_err(failed)?;
        connection.close().map_err(|(_, error)| failed(error))?;
        File::open(&partial).and_then(|file| file.sync_all()).map_err(io_failed)?;
        for suffix in ["-wal", "-shm"] {
            remove(&with_suffix(&self.path, suffix))?;
        }
        std::fs::rename(&partial, &self.path).map_err(io_failed)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_failed)?;
        }
        lock.set_len(1).map_err(io_failed)
    }

    async fn abandon(&mut self) {
        self.open = None;
        if let Err(error) = remove(&self.partial_path()) {
            tracing::warn!(%error, "cannot remove a file that was not restored");
        }
    }
}

/// Returns whether a file is not there, or is a ledger that holds nothing.
fn is_empty(path: &Path) -> Result<bool, RestoreError> {
    if !path.exists() {
        return Ok(true);
    }
    if path.metadata().map_err(io_failed)?.len() == 0 {
        return Ok(true);
    }
    let mut connection = connect(path).map_err(failed)?;
    migrate(&mut connection, path).map_err(|error| RestoreError::Store(error.to_string()))?;
    let rows: i64 = connection
        .query_row(
            "SELECT (SELECT count(*) FROM entries) + (SELECT count(*) FROM messages)
                  + (SELECT count(*) FROM sqlite_sequence WHERE seq > 0)",
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    Ok(rows == 0)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<(), RestoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_failed(error)),
        _ => Ok(()),
    }
}

fn failed(error: rusqlite::Error) -> RestoreError {
    RestoreError::Store(error.to_string())
}

fn failed_text(error: &str) -> RestoreError {
    RestoreError::Store(error.to_owned())
}

fn io_failed(error: std::io::Error) -> RestoreError {
    RestoreError::Store(error.to_string())
}
