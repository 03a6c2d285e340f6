//! Bounds of the file: the size from which it takes nothing more, and that of the write-ahead log
//! at which the log is folded into the file and begins anew.

use crate::open::BUSY_TIMEOUT;
use crate::reader::ReaderGate;
use paihao_ledger::Unavailable;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Size of the write-ahead log from which it is folded into the file. One transaction may add to it
/// before that.
pub(crate) const MAX_WAL_BYTES: u64 = 16 << 20;

/// Bounds that the writer keeps.
pub(crate) struct WriterBounds {
    path: PathBuf,
    max_bytes: Option<u64>,
    gate: ReaderGate,
    /// Size of the write-ahead log at which it is folded next.
    next_fold_bytes: u64,
    /// True since a write has failed, until one succeeds.
    is_failing: bool,
}

impl WriterBounds {
    pub(crate) fn new(path: &Path, max_bytes: Option<u64>, gate: ReaderGate) -> WriterBounds {
        WriterBounds {
            path: path.to_owned(),
            max_bytes,
            gate,
            next_fold_bytes: MAX_WAL_BYTES,
            is_failing: false,
        }
    }

    /// Returns the reason why the file takes nothing more, if it is full.
    pub(crate) fn full(&self, connection: &Connection) -> Option<Unavailable> {
        let limit = self.max_bytes?;
        match used_bytes(connection) {
            Ok(used) if used >= limit => Some(Unavailable(format!(
                "the file is full: {used} of {limit} bytes, see ledger.max_mb"
            ))),
            _ => None,
        }
    }

    /// Logs a failure of a write and the end of failures. A full disk may have room once the
    /// write-ahead log has been folded into the file.
    pub(crate) fn note_commit(
        &mut self,
        connection: &Connection,
        committed: Result<(), Unavailable>,
    ) {
        let was_failing = std::mem::replace(&mut self.is_failing, committed.is_err());
        match committed {
            Err(error) => {
                if !was_failing {
                    tracing::error!(%error, "cannot write the ledger's file");
                }
                self.fold(connection);
            }
            Ok(()) if was_failing => tracing::info!("the ledger's file can be written again"),
            Ok(()) => {}
        }
    }

    /// Folds the write-ahead log into the file if it has become large. The readers of this process
    /// let the writer pass. One of another program may keep the log from beginning anew; it is
    /// tried again when the log has grown by as much.
    pub(crate) fn fold_large_wal(&mut self, connection: &Connection) {
        if wal_bytes(&self.path) < self.next_fold_bytes {
            return;
        }
        self.fold(connection);
        let left = wal_bytes(&self.path);
        if left >= MAX_WAL_BYTES {
            tracing::warn!(
                bytes = left,
                "another program reads the ledger's file for long, its write-ahead log grows"
            );
        }
        self.next_fold_bytes = left + MAX_WAL_BYTES;
    }

    /// Folds the write-ahead log into the file and truncates it.
    pub(crate) fn fold(&self, connection: &Connection) {
        let _passed = self.gate.shut();
        let truncated = connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
            .and(connection.busy_timeout(BUSY_TIMEOUT));
        if let Err(error) = truncated {
            tracing::debug!(%error, "cannot truncate the write-ahead log, retrying later");
        }
    }
}

/// Size of the file without its free pages, in bytes.
pub(crate) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(pages * pragma("page_size")?)
}

/// Size of the write-ahead log in bytes.
pub(crate) fn wal_bytes(path: &Path) -> u64 {
    let mut wal_path = path.as_os_str().to_owned();
    wal_path.push("-wal");
    std::fs::metadata(wal_path).map_or(0, |wal| wal.len())
}
