//! SQL statements of work queues.

use crate::consumer_state::append_dead_letter;
use crate::entries::{read_entry, write_headers};
use paihao_contracts::streams::WorkQueue;
use paihao_ledger::backup::QueuedMessage;
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{EnqueueOutcome, Entry, Position, QueueBacklog, StoredEntry, Subject};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// Time for which a key is remembered.
pub(crate) const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Longest delay of a delivery. A due time that lies further ahead was written by a wrong clock,
/// and counts as past.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// Times of a claim, in Unix milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct ClaimTimes {
    pub(crate) now_ms: i64,
    /// Time by which entries have expired.
    pub(crate) expiry_ms: i64,
}

/// Latest due time that is believed.
pub(crate) fn last_due_ms(now_ms: i64) -> i64 {
    now_ms.saturating_add(MAX_DELAY.as_millis() as i64)
}

/// Due time of a delivery after a delay.
pub(crate) fn due_ms(now_ms: i64, delay: Duration) -> i64 {
    now_ms.saturating_add(delay.min(MAX_DELAY).as_millis() as i64)
}

/// Claimed items, each with the number of its attempt.
pub(crate) struct ClaimedBatch {
    pub(crate) claimed: Vec<(StoredEntry, u64)>,
    /// Due time of the next unclaimed item, in Unix milliseconds.
    pub(crate) next_due_ms: Option<i64>,
}

pub(crate) fn enqueue(
    connection: &Connection,
    queue: &WorkQueue,
    key: &str,
    entry: &Entry,
    delay: Duration,
    now_ms: i64,
) -> rusqlite::Result<EnqueueOutcome> {
    let remembered = connection
        .prepare_cached("SELECT at_ms FROM keys WHERE queue = ?1 AND key = ?2")?
        .query_row([queue.name, key], |row| row.get::<_, i64>(0))
        .optional()?;
    // A key from the future was written by a wrong clock.
    let latest_ms = now_ms.saturating_add(DUPLICATE_WINDOW.as_millis() as i64);
    let window = duplicate_cutoff_ms(now_ms) + 1..=latest_ms;
    if remembered.is_some_and(|at_ms| window.contains(&at_ms)) {
        return Ok(EnqueueOutcome::Duplicate);
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO keys (queue, key, at_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![queue.name, key, now_ms])?;
    let due_ms = due_ms(now_ms, delay);
    connection
        .prepare_cached(
            "INSERT INTO messages (queue, key, at_ms, attempt, due_ms, held, headers, payload)
             VALUES (?1, ?2, ?3, 0, ?4, 0, ?5, ?6)",
        )?
        .execute(params![
            queue.name,
            key,
            now_ms,
            due_ms,
            write_headers(entry),
            entry.payload.as_ref()
        ])?;
    Ok(EnqueueOutcome::New)
}

/// Counts the messages that are not acknowledged, and finds the oldest.
pub(crate) fn backlog(
    connection: &Connection,
    queue: &WorkQueue,
) -> rusqlite::Result<QueueBacklog> {
    connection
        .prepare_cached("SELECT count(*), min(at_ms) FROM messages WHERE queue = ?1")?
        .query_row([queue.name], |row| {
            Ok(QueueBacklog { messages: row.get(0)?, oldest_at_ms: row.get(1)? })
        })
}

/// Claims up to `limit` due messages, and returns the due time of the next.
pub(crate) fn claim(
    connection: &Connection,
    queue: &WorkQueue,
    limit: usize,
    now_ms: i64,
) -> rusqlite::Result<ClaimedBatch> {
    let claimed: Vec<(StoredEntry, u64)> = connection
        .prepare_cached(
            "SELECT id, attempt, at_ms, headers, payload FROM messages
             WHERE queue = ?1 AND (due_ms <= ?2 OR due_ms > ?4) ORDER BY due_ms, id LIMIT ?3",
        )?
        .query_map(params![queue.name, now_ms, limit as i64, last_due_ms(now_ms)], |row| {
            let recorded = StoredEntry {
                position: Position(row.get(0)?),
                subject: queue_subject(queue)?,
                at_ms: row.get(2)?,
                entry: read_entry(row, 3)?,
            };
            Ok((recorded, row.get::<_, u64>(1)? + 1))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let due_ms = now_ms.saturating_add(queue.ack_wait.as_millis() as i64);
    for (recorded, attempt) in &claimed {
        connection
            .prepare_cached(
                "UPDATE messages SET attempt = ?2, due_ms = ?3, held = 1 WHERE id = ?1",
            )?
            .execute(params![recorded.position.0, attempt, due_ms])?;
    }
    let next_due_ms = connection
        .prepare_cached("SELECT min(due_ms) FROM messages WHERE queue = ?1")?
        .query_row([queue.name], |row| row.get(0))?;
    Ok(ClaimedBatch { claimed, next_due_ms })
}

pub(crate) fn ack(connection: &Connection, id: Position) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// Sets another due time, unless the message has been claimed by another worker since.
pub(crate) fn reschedule(
    connection: &Connection,
    id: Position,
    attempt: u64,
    counted: u64,
    due_ms: i64,
    held: bool,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE messages SET attempt = ?3, due_ms = ?4, held = ?5
             WHERE id = ?1 AND attempt = ?2",
        )?
        .execute(params![id.0, attempt, counted, due_ms, held])?;
    Ok(())
}

pub(crate) fn dead_letter(
    connection: &Connection,
    queue: &WorkQueue,
    id: Position,
    reason: &str,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let found: Option<(String, Entry)> = connection
        .prepare_cached("SELECT key, headers, payload FROM messages WHERE id = ?1")?
        .query_row([id.0], |row| Ok((row.get(0)?, read_entry(row, 1)?)))
        .optional()?;
    if let Some((key, entry)) = found {
        let cause = Cause { reason: reason.to_owned(), origin: queue.name.to_owned(), key };
        append_dead_letter(connection, queue.name, &cause.to_dead_letter(&entry), now_ms)?;
    }
    ack(connection, id)
}

/// Removes some of the expired keys; true if there may be more.
pub(crate) fn remove_expired_keys(
    connection: &Connection,
    now_ms: i64,
    limit: usize,
) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM keys WHERE (queue, key) IN (
                 SELECT queue, key FROM keys WHERE at_ms <= ?1 ORDER BY at_ms LIMIT ?2)",
        )?
        .execute(params![duplicate_cutoff_ms(now_ms), limit as i64])?;
    Ok(removed == limit)
}

fn duplicate_cutoff_ms(now_ms: i64) -> i64 {
    now_ms.saturating_sub(DUPLICATE_WINDOW.as_millis() as i64)
}

fn queue_subject(queue: &WorkQueue) -> rusqlite::Result<Subject> {
    Subject::new(&[queue.name]).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// Returns the next messages of a queue after an id, for a backup.
pub(crate) fn queued_after(
    connection: &Connection,
    queue: &WorkQueue,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<QueuedMessage>> {
    connection
        .prepare_cached(
            "SELECT id, key, at_ms, due_ms, held, attempt, headers, payload FROM messages
             WHERE queue = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(params![queue.name, after, limit as i64], |row| {
            let (due_ms, held): (i64, bool) = (row.get(3)?, row.get(4)?);
            Ok(QueuedMessage {
                place: row.get(0)?,
                key: row.get(1)?,
                at_ms: row.get(2)?,
                // The worker that holds it will not be there.
                due_ms: if held { 0 } else { due_ms },
                attempt: row.get(5)?,
                entry: read_entry(row, 6)?,
            })
        })?
        .collect()
}

/// Adds a message of a backup.
pub(crate) fn insert_restored(
    connection: &Connection,
    queue: &WorkQueue,
    message: &QueuedMessage,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO messages (queue, key, at_ms, attempt, due_ms, held, headers, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
        )?
        .execute(params![
            queue.name,
            message.key,
            message.at_ms,
            message.attempt,
            message.due_ms,
            write_headers(&message.entry),
            message.entry.payload.as_ref()
        ])?;
    Ok(())
}
