//! SQL statements of shared consumers: claims and acknowledgements.

use crate::entries;
use crate::messages::{ClaimTimes, ClaimedBatch, last_due_ms};
use paihao_contracts::streams::{Consumer, DEAD_LETTERS, Log};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{ExpectedPosition, Position, Subject};
use rusqlite::{Connection, OptionalExtension, params};

/// Claims up to `limit` entries, redeliveries first, and returns the due time of the next.
pub(crate) fn claim(
    connection: &Connection,
    log: &Log,
    consumer: &Consumer,
    limit: usize,
    ClaimTimes { now_ms, expiry_ms }: ClaimTimes,
) -> rusqlite::Result<ClaimedBatch> {
    let due_ms = now_ms.saturating_add(consumer.ack_wait.as_millis() as i64);
    let mut claimed = Vec::new();
    let redeliveries: Vec<(u64, u64)> = connection
        .prepare_cached(
            "SELECT position, attempt FROM handed
             WHERE log = ?1 AND consumer = ?2 AND (due_ms <= ?3 OR due_ms > ?5)
             ORDER BY due_ms, position LIMIT ?4",
        )?
        .query_map(
            params![log.name, consumer.name, now_ms, limit as i64, last_due_ms(now_ms)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<rusqlite::Result<_>>()?;
    for (position, attempt) in redeliveries {
        match entries::get(connection, log, Position(position), expiry_ms)? {
            Some(recorded) => {
                connection
                    .prepare_cached(
                        "UPDATE handed SET attempt = ?4, due_ms = ?5, held = 1
                         WHERE log = ?1 AND consumer = ?2 AND position = ?3",
                    )?
                    .execute(params![log.name, consumer.name, position, attempt + 1, due_ms])?;
                claimed.push((recorded, attempt + 1));
            }
            // The entry has expired while it waited.
            None => ack(connection, log, consumer, Position(position))?,
        }
    }
    let cursor: u64 = connection
        .prepare_cached("SELECT cursor FROM consumers WHERE log = ?1 AND name = ?2")?
        .query_row([log.name, consumer.name], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let new =
        entries::page_after(connection, log, Position(cursor), limit - claimed.len(), expiry_ms)?;
    if let Some(newest) = new.last() {
        connection
            .prepare_cached(
                "INSERT INTO consumers (log, name, cursor) VALUES (?1, ?2, ?3)
                 ON CONFLICT (log, name) DO UPDATE SET cursor = excluded.cursor",
            )?
            .execute(params![log.name, consumer.name, newest.position.0])?;
    }
    for recorded in new {
        connection
            .prepare_cached("INSERT INTO handed VALUES (?1, ?2, ?3, 1, ?4, 1)")?
            .execute(params![log.name, consumer.name, recorded.position.0, due_ms])?;
        claimed.push((recorded, 1));
    }
    let next_due_ms = connection
        .prepare_cached("SELECT min(due_ms) FROM handed WHERE log = ?1 AND consumer = ?2")?
        .query_row([log.name, consumer.name], |row| row.get(0))?;
    Ok(ClaimedBatch { claimed, next_due_ms })
}

pub(crate) fn ack(
    connection: &Connection,
    log: &Log,
    consumer: &Consumer,
    position: Position,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM handed WHERE log = ?1 AND consumer = ?2 AND position = ?3")?
        .execute(params![log.name, consumer.name, position.0])?;
    Ok(())
}

/// Sets another due time, unless the entry has been claimed by another worker since.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub(crate) fn reschedule(
    connection: &Connection,
    log: &Log,
    consumer: &Consumer,
    position: Position,
    attempt: u64,
    counted: u64,
    due_ms: i64,
    held: bool,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE handed SET attempt = ?5, due_ms = ?6, held = ?7
             WHERE log = ?1 AND consumer = ?2 AND position = ?3 AND attempt = ?4",
        )?
        .execute(params![log.name, consumer.name, position.0, attempt, counted, due_ms, held])?;
    Ok(())
}

pub(crate) fn dead_letter(
    connection: &Connection,
    log: &Log,
    consumer: &Consumer,
    position: Position,
    reason: &str,
    now_ms: i64,
) -> rusqlite::Result<()> {
    // One that has just expired is a letter all the same.
    if let Some(recorded) = entries::get(connection, log, position, i64::MIN)? {
        let dead_letter =
            Cause::for_log_entry(log.name, &recorded, reason).to_dead_letter(&recorded.entry);
        append_dead_letter(connection, log.name, &dead_letter, now_ms)?;
    }
    ack(connection, log, consumer, position)
}

pub(crate) fn append_dead_letter(
    connection: &Connection,
    origin: &str,
    dead_letter: &paihao_ledger::Entry,
    now_ms: i64,
) -> rusqlite::Result<()> {
    if let Ok(subject) = Subject::new(&[origin]) {
        let _ = entries::append(
            connection,
            &DEAD_LETTERS,
            &subject,
            ExpectedPosition::Any,
            dead_letter,
            now_ms,
            i64::MIN,
        )?;
    }
    Ok(())
}
