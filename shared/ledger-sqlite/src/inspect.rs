//! Read-only inspection of the file, for an operator before the first start. It works while a
//! process uses the file.

use crate::entries;
use crate::open::{APPLICATION_ID, MIGRATIONS, OpenError};
use crate::writer_bounds::used_bytes;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Facts about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Size in bytes.
    pub bytes: u64,
    /// Size without what is free for further entries.
    pub used_bytes: u64,
    /// Time of the newest entry, in Unix milliseconds; `None` if there is none.
    pub newest_ms: Option<i64>,
}

/// Checks that the file can be written as a ledger; `None` if it does not exist yet.
pub fn inspect(path: &Path) -> Result<Option<FileInfo>, OpenError> {
    let unusable = |reason: String| OpenError::Unusable { path: path.to_owned(), reason };
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let read_facts = || -> rusqlite::Result<(i64, i64, FileInfo)> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // A writer of ours finishes within milliseconds.
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        let is_ours = application == APPLICATION_ID && version > 0;
        let newest_ms = if is_ours { entries::newest_time(&connection)? } else { None };
        let used_bytes = used_bytes(&connection)?;
        Ok((application, version, FileInfo { bytes, used_bytes, newest_ms }))
    };
    let (application, found, info) = match read_facts() {
        Ok(versions) => versions,
        Err(rusqlite::Error::SqliteFailure(e, _))
            if e.code == rusqlite::ErrorCode::NotADatabase =>
        {
            return Err(OpenError::NotALedger(path.to_owned()));
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    let supported = MIGRATIONS.len() as i64;
    match application {
        _ if bytes == 0 => Ok(Some(info)),
        APPLICATION_ID if found > supported => {
            Err(OpenError::NewerVersion { path: path.to_owned(), found, supported })
        }
        APPLICATION_ID => Ok(Some(info)),
        _ => Err(OpenError::NotALedger(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteLedger, SqliteOptions};
    use std::sync::Arc;

    #[tokio::test]
    async fn an_inspection_works_on_a_ledger_in_use_and_creates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        assert_eq!(inspect(&path).unwrap(), None);
        assert!(!path.exists());
        let ledger = SqliteLedger::open(&path, SqliteOptions::new(Arc::new(|| 1))).unwrap();
        assert!(inspect(&path).unwrap().unwrap().bytes > 0);
        drop(ledger);
        std::fs::write(&path, "somebody's diary, and a long one at that".repeat(40)).unwrap();
        assert!(matches!(inspect(&path), Err(OpenError::NotALedger(_))));
    }
}
