//! SQL statements of log entries.

use bytes::Bytes;
use paihao_contracts::streams::{Keep, Log};
use paihao_ledger::{Entry, ExpectedPosition, Position, StoredEntry, Subject};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Latest time of entries that have expired, removed or not.
pub(crate) fn retention_cutoff_ms(log: &Log, now_ms: i64) -> i64 {
    match log.retention {
        Some(kept) => now_ms.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)),
        None => i64::MIN,
    }
}

/// Appends if the expectation holds; otherwise returns the position found. Entries up to
/// `expired_ms` count as absent.
pub(crate) fn append(
    connection: &Connection,
    log: &Log,
    subject: &Subject,
    expect: ExpectedPosition,
    entry: &Entry,
    at_ms: i64,
    expired_ms: i64,
) -> rusqlite::Result<Result<Position, Option<Position>>> {
    if expect != ExpectedPosition::Any {
        let found = connection
            .prepare_cached(
                "SELECT position, at_ms FROM entries WHERE log = ?1 AND subject = ?2
                 ORDER BY position DESC LIMIT 1",
            )?
            .query_row(params![log.name, subject.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .filter(|&(_, at_ms): &(u64, i64)| at_ms > expired_ms)
            .map(|(position, _)| Position(position));
        let holds = match expect {
            ExpectedPosition::At(position) => found == Some(position),
            _ => found.is_none(),
        };
        if !holds {
            return Ok(Err(found));
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO entries (log, subject, at_ms, headers, payload)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            log.name,
            subject.as_str(),
            at_ms,
            write_headers(entry),
            entry.payload.as_ref()
        ])?;
    let position = connection.last_insert_rowid() as u64;
    if log.keep == Keep::Newest {
        connection
            .prepare_cached(
                "DELETE FROM entries WHERE log = ?1 AND subject = ?2 AND position < ?3",
            )?
            .execute(params![log.name, subject.as_str(), position])?;
    }
    Ok(Ok(Position(position)))
}

pub(crate) fn last(
    connection: &Connection,
    log: &Log,
    subject: &Subject,
    now_ms: i64,
) -> rusqlite::Result<Option<StoredEntry>> {
    let last = connection
        .prepare_cached(
            "SELECT position, subject, at_ms, headers, payload FROM entries
             WHERE log = ?1 AND subject = ?2 ORDER BY position DESC LIMIT 1",
        )?
        .query_row(params![log.name, subject.as_str()], entry_from_row)
        .optional()?;
    Ok(last.filter(|last| last.at_ms > retention_cutoff_ms(log, now_ms)))
}

pub(crate) fn head(connection: &Connection, log: &Log, now_ms: i64) -> rusqlite::Result<Position> {
    let newest: Option<(u64, i64)> = connection
        .prepare_cached(
            "SELECT position, at_ms FROM entries WHERE log = ?1 ORDER BY position DESC LIMIT 1",
        )?
        .query_row([log.name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match newest {
        Some((position, at_ms)) if at_ms > retention_cutoff_ms(log, now_ms) => Position(position),
        _ => Position::START,
    })
}

/// Largest position assigned so far, in any log.
pub(crate) fn largest_position(connection: &Connection) -> rusqlite::Result<Position> {
    let largest = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'entries'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(Position(largest.unwrap_or(0)))
}

/// Time of the newest entry of any log.
pub(crate) fn newest_time(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT at_ms FROM entries ORDER BY position DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()
}

/// Returns the entry at a position.
pub(crate) fn get(
    connection: &Connection,
    log: &Log,
    position: Position,
    now_ms: i64,
) -> rusqlite::Result<Option<StoredEntry>> {
    let found = connection
        .prepare_cached(
            "SELECT position, subject, at_ms, headers, payload FROM entries
             WHERE position = ?1 AND log = ?2",
        )?
        .query_row(params![to_sql_position(position), log.name], entry_from_row)
        .optional()?;
    Ok(found.filter(|found| found.at_ms > retention_cutoff_ms(log, now_ms)))
}

/// Returns the next entries of a subject after a position, oldest first.
pub(crate) fn subject_page_after(
    connection: &Connection,
    log: &Log,
    subject: &Subject,
    after: Position,
    limit: usize,
    now_ms: i64,
) -> rusqlite::Result<Vec<StoredEntry>> {
    connection
        .prepare_cached(
            "SELECT position, subject, at_ms, headers, payload FROM entries
             WHERE log = ?1 AND subject = ?2 AND position > ?3 AND at_ms > ?4
             ORDER BY position LIMIT ?5",
        )?
        .query_map(
            params![
                log.name,
                subject.as_str(),
                to_sql_position(after),
                retention_cutoff_ms(log, now_ms),
                limit as i64
            ],
            entry_from_row,
        )?
        .collect()
}

/// Returns the next entries after a position, oldest first.
pub(crate) fn page_after(
    connection: &Connection,
    log: &Log,
    after: Position,
    limit: usize,
    now_ms: i64,
) -> rusqlite::Result<Vec<StoredEntry>> {
    connection
        .prepare_cached(
            "SELECT position, subject, at_ms, headers, payload FROM entries
             WHERE log = ?1 AND position > ?2 AND at_ms > ?3 ORDER BY position LIMIT ?4",
        )?
        .query_map(
            params![
                log.name,
                to_sql_position(after),
                retention_cutoff_ms(log, now_ms),
                limit as i64
            ],
            entry_from_row,
        )?
        .collect()
}

/// Removes some of the expired entries; true if there may be more.
pub(crate) fn remove_expired(
    connection: &Connection,
    log: &Log,
    now_ms: i64,
    limit: usize,
) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM entries WHERE position IN (
                 SELECT position FROM (
                     SELECT position, at_ms FROM entries WHERE log = ?1 ORDER BY position LIMIT ?3
                 ) WHERE at_ms <= ?2)",
        )?
        .execute(params![log.name, retention_cutoff_ms(log, now_ms), limit as i64])?;
    Ok(removed == limit)
}

/// SQLite's integers are signed; a larger position is clamped and stands beyond all entries.
fn to_sql_position(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

fn entry_from_row(row: &Row<'_>) -> rusqlite::Result<StoredEntry> {
    let subject = row.get_ref(1)?.as_str()?;
    Ok(StoredEntry {
        position: Position(row.get(0)?),
        subject: Subject::parse(subject).map_err(|e| {
            rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(e))
        })?,
        at_ms: row.get(2)?,
        entry: read_entry(row, 3)?,
    })
}

/// Reads the columns `headers` and `payload`, which are adjacent.
pub(crate) fn read_entry(row: &Row<'_>, headers: usize) -> rusqlite::Result<Entry> {
    let lines = row.get_ref(headers)?.as_str()?.lines();
    let headers_read = lines.filter_map(|line| line.split_once(':'));
    Ok(Entry {
        headers: headers_read.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        payload: Bytes::copy_from_slice(row.get_ref(headers + 1)?.as_blob()?),
    })
}

pub(crate) fn write_headers(entry: &Entry) -> String {
    entry.carried_headers().map(|(name, value)| format!("{name}:{value}\n")).collect()
}
