//! Group commit: appends to many subjects that would wait for the disk one after the other, written
//! in one batch.
//!
//! A server that syncs does so once for each append, and once for an atomic batch (NATS's ADR-50),
//! after three syncs for the folder in which it gathers the batch. Each entry of a batch keeps its
//! own expectation. A refused batch has written nothing: its appends are made one by one, and each
//! learns what is wrong with it alone.

use crate::connection::{CallError, Connection};
use crate::streams::{StreamKind, Streams};
use async_nats::HeaderMap;
use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
};
use async_nats::jetstream::ErrorCode;
use bytes::Bytes;
use paihao_chassis::entropy;
use paihao_contracts::streams::Log;
use paihao_ledger::{Position, Unavailable};
use parking_lot::Mutex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Appends under way to a log above which others wait.
const MAX_SINGLE_APPENDS: usize = 32;

/// Time that a batch takes whatever its size. Appends that take less one by one go without.
const BATCH_TIME: Duration = Duration::from_millis(8);

/// Fewest entries of a batch.
const MIN_BATCH_ENTRIES: usize = 32;

/// Most entries of a batch. A server takes 1,000.
const MAX_BATCH_ENTRIES: usize = 256;

/// Most bytes of the entries of a batch, which the server holds in memory where streams are
/// replicated.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// Time without batches after the stream has said that it takes none.
const DISABLED_PAUSE: Duration = Duration::from_secs(60);

/// Group commits of all logs.
pub(crate) struct GroupCommits {
    connection: Arc<Connection>,
    streams: Arc<Streams>,
    takes_batches: bool,
    by_log: Mutex<BTreeMap<&'static str, Arc<GroupCommit>>>,
}

impl GroupCommits {
    pub(crate) fn new(connection: Arc<Connection>, streams: Arc<Streams>) -> GroupCommits {
        let takes_batches = connection.takes_batches();
        GroupCommits { connection, streams, takes_batches, by_log: Mutex::default() }
    }

    /// Returns the group commit of a log; `None` if the server takes no batches.
    pub(crate) fn of(&self, log: &Log) -> Option<Arc<GroupCommit>> {
        if !self.takes_batches {
            return None;
        }
        let mut by_log = self.by_log.lock();
        let group = by_log.entry(log.name).or_insert_with(|| {
            let writer = BatchWriter {
                connection: Arc::clone(&self.connection),
                streams: Arc::clone(&self.streams),
                kind: StreamKind::Log(*log),
            };
            Arc::new(GroupCommit { writer, queue: Mutex::default() })
        });
        Some(Arc::clone(group))
    }
}

/// Group commit of one log.
pub(crate) struct GroupCommit {
    writer: BatchWriter,
    queue: Mutex<CommitQueue>,
}

/// Message of an append, with its expectation among the headers.
pub(crate) struct BatchMessage {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// Answer to an append that asks to be made.
pub(crate) enum Admission {
    /// It is to be made now, by itself.
    Single(SinglePermit),
    /// It was written in a batch.
    Written(Position),
}

/// Permit of an append that is made by itself, which ends with it.
pub(crate) struct SinglePermit(Arc<GroupCommit>);

impl Drop for SinglePermit {
    fn drop(&mut self) {
        self.0.advance(CommitQueue::end_single);
    }
}

/// Append that waits for its admission.
struct WaitingAppend {
    message: BatchMessage,
    admission: oneshot::Sender<Result<Admission, Unavailable>>,
}

/// Appends of a log that are under way, and those that wait.
#[derive(Default)]
struct CommitQueue {
    singles: usize,
    batch_under_way: bool,
    waiting: VecDeque<WaitingAppend>,
    /// End of the last append that left others waiting.
    ended_at: Option<Instant>,
    /// Time from one such end to the next, smoothed.
    append_time: Duration,
    disabled_until: Option<Instant>,
}

/// Appends that are admitted.
#[derive(Default)]
struct Released {
    singles: Vec<WaitingAppend>,
    batch: Vec<WaitingAppend>,
}

impl CommitQueue {
    fn takes_batches(&self) -> bool {
        self.disabled_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Records the end of an append that was made by itself.
    fn end_single(&mut self) {
        self.singles -= 1;
        let now = Instant::now();
        let since = self.ended_at.replace(now).map(|ended_at| now - ended_at);
        if self.waiting.is_empty() {
            self.ended_at = None;
        } else if let Some(since) = since {
            self.append_time = (self.append_time * 7 + since) / 8;
        }
    }

    /// Returns whether a batch is faster than all that waits one by one.
    fn is_batch_due(&self) -> bool {
        let count = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        self.waiting.len() >= MIN_BATCH_ENTRIES
            && self.append_time.saturating_mul(count) >= BATCH_TIME
    }

    /// Takes the appends that are admitted now, and counts them as under way.
    fn release(&mut self) -> Released {
        let mut released = Released::default();
        if self.batch_under_way {
            return released;
        }
        let takes_batches = self.takes_batches();
        if takes_batches && self.is_batch_due() {
            // Whoever no longer waits must not be written later.
            self.waiting.retain(|waiting| !waiting.admission.is_closed());
            let batch = self.take_batch();
            if batch.len() >= MIN_BATCH_ENTRIES {
                self.batch_under_way = true;
                released.batch = batch;
                return released;
            }
            batch.into_iter().rev().for_each(|waiting| self.waiting.push_front(waiting));
        }
        while !takes_batches || self.singles < MAX_SINGLE_APPENDS {
            let Some(waiting) = self.waiting.pop_front() else { break };
            if !waiting.admission.is_closed() {
                self.singles += 1;
                released.singles.push(waiting);
            }
        }
        released
    }

    /// Takes the oldest appends that wait, one of each subject: in a batch the server compares an
    /// expectation with what was there before.
    fn take_batch(&mut self) -> Vec<WaitingAppend> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut subjects = BTreeSet::new();
        let mut others = VecDeque::new();
        while let Some(waiting) = self.waiting.pop_front() {
            let size = waiting.message.payload.len();
            let has_room = batch.is_empty()
                || (batch.len() < MAX_BATCH_ENTRIES && bytes + size <= MAX_BATCH_BYTES);
            if has_room && subjects.insert(waiting.message.subject.clone()) {
                bytes += size;
                batch.push(waiting);
            } else {
                others.push_back(waiting);
            }
        }
        self.waiting = others;
        batch
    }
}

impl GroupCommit {
    /// Waits until an append may be made, or has been. After an error it may have been written.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        message: impl FnOnce() -> BatchMessage,
    ) -> Result<Admission, Unavailable> {
        {
            let mut queue = self.queue.lock();
            let has_room = queue.singles < MAX_SINGLE_APPENDS || !queue.takes_batches();
            if has_room && queue.waiting.is_empty() && !queue.batch_under_way {
                queue.singles += 1;
                return Ok(Admission::Single(SinglePermit(Arc::clone(self))));
            }
        }
        Box::pin(self.wait(message())).await
    }

    async fn wait(self: &Arc<Self>, message: BatchMessage) -> Result<Admission, Unavailable> {
        let (admission, answer) = oneshot::channel();
        self.advance(|queue| queue.waiting.push_back(WaitingAppend { message, admission }));
        match tokio::time::timeout(self.writer.connection.timeout(), answer).await {
            Ok(Ok(admitted)) => admitted,
            Ok(Err(_)) => Err(Unavailable("the batch of an append was given up".to_owned())),
            Err(_) => Err(Unavailable("NATS is behind with its appends".to_owned())),
        }
    }

    /// Changes the queue, and begins what it releases.
    fn advance(self: &Arc<Self>, change: impl FnOnce(&mut CommitQueue)) {
        let released = {
            let mut queue = self.queue.lock();
            change(&mut queue);
            queue.release()
        };
        for waiting in released.singles {
            let _ = waiting.admission.send(Ok(Admission::Single(SinglePermit(Arc::clone(self)))));
        }
        if !released.batch.is_empty() {
            #[expect(clippy::disallowed_methods, reason = "ends within the timeout of a call")]
            tokio::spawn(Arc::clone(self).write(released.batch));
        }
    }

    /// Writes a batch, and answers its appends.
    async fn write(self: Arc<Self>, batch: Vec<WaitingAppend>) {
        let (messages, admissions): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.message, waiting.admission)).unzip();
        let written = self.writer.write(messages).await;
        // Refused appends are counted before the end of the batch releases others.
        let singles =
            if matches!(written, Ok(BatchOutcome::Refused { .. })) { admissions.len() } else { 0 };
        let disabled = matches!(
            written,
            Ok(BatchOutcome::Refused { disabled: true } | BatchOutcome::NotABatch)
        );
        self.advance(|queue| {
            (queue.batch_under_way, queue.ended_at) = (false, None);
            queue.singles += singles;
            if disabled {
                queue.disabled_until = Some(Instant::now() + DISABLED_PAUSE);
            }
        });
        for (index, admission) in admissions.into_iter().enumerate() {
            let answer = match &written {
                Ok(BatchOutcome::Written { first }) => {
                    Ok(Admission::Written(Position(first.0 + index as u64)))
                }
                Ok(BatchOutcome::Refused { .. }) => {
                    Ok(Admission::Single(SinglePermit(Arc::clone(&self))))
                }
                Ok(BatchOutcome::NotABatch) => {
                    Err(Unavailable("the NATS server takes no batches".to_owned()))
                }
                Err(unavailable) => Err(unavailable.clone()),
            };
            let _ = admission.send(answer);
        }
    }
}

/// Outcome of a batch.
enum BatchOutcome {
    /// All of it was written, one entry behind the other.
    Written { first: Position },
    /// Nothing of it was written. `disabled` if the stream takes no batches.
    Refused { disabled: bool },
    /// The server knows no batches: it may have written any of the entries.
    NotABatch,
}

struct BatchWriter {
    connection: Arc<Connection>,
    streams: Arc<Streams>,
    kind: StreamKind,
}

impl BatchWriter {
    async fn write(&self, mut messages: Vec<BatchMessage>) -> Result<BatchOutcome, Unavailable> {
        self.streams.ensure_once(self.kind).await?;
        let count = messages.len() as u64;
        let id = entropy::uuid().to_string();
        for (message, sequence) in messages.iter_mut().zip(1_u64..) {
            message.headers.insert(NATS_BATCH_ID, id.as_str());
            message.headers.insert(NATS_BATCH_SEQUENCE, sequence.to_string().as_str());
        }
        let Some(last) = messages.pop() else {
            return Ok(BatchOutcome::Refused { disabled: false });
        };
        let publish_all = async {
            for BatchMessage { subject, headers, payload } in messages {
                self.connection.send(subject, headers, payload).await?;
            }
            Ok::<_, Unavailable>(())
        };
        self.connection.with_timeout(publish_all).await??;
        let BatchMessage { subject, mut headers, payload } = last;
        headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        let response = match self.connection.request(subject, headers, payload).await {
            Ok(response) => response,
            // The stream is gone, and whoever appends by itself sees to that.
            Err(CallError::NoResponders) => return Ok(BatchOutcome::Refused { disabled: false }),
            Err(CallError::Unavailable(unavailable)) => return Err(unavailable),
        };
        parse_response(&response.payload, &id, count)
    }
}

/// Response of a stream to the last message of a batch.
#[derive(Deserialize)]
struct BatchResponse {
    /// Sequence of the last message.
    seq: Option<u64>,
    batch: Option<String>,
    count: Option<u64>,
    error: Option<async_nats::jetstream::Error>,
}

fn parse_response(response: &[u8], id: &str, count: u64) -> Result<BatchOutcome, Unavailable> {
    let parsed: BatchResponse = serde_json::from_slice(response)
        .map_err(|_| Unavailable("NATS sent an unknown response to a batch".to_owned()))?;
    match parsed {
        BatchResponse { error: Some(error), .. } => {
            tracing::debug!(%error, "a batch of appends was refused, making them one by one");
            let disabled = error.error_code() == ErrorCode::ATOMIC_PUBLISH_DISABLED;
            Ok(BatchOutcome::Refused { disabled })
        }
        BatchResponse { seq: Some(last), batch: Some(batch), count: Some(counted), .. }
            if batch == id && counted == count && last >= count =>
        {
            Ok(BatchOutcome::Written { first: Position(last + 1 - count) })
        }
        // A leader of an older version in the cluster tells of the last message alone.
        _ => Ok(BatchOutcome::NotABatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_was_written_if_the_response_names_it_and_all_of_it() {
        let parse = |response: &str| parse_response(response.as_bytes(), "b", 3);
        let written = parse(r#"{"stream":"S","seq":9,"batch":"b","count":3}"#);
        assert!(matches!(written, Ok(BatchOutcome::Written { first: Position(7) })));
        let error = |code: u64| format!(r#"{{"error":{{"code":400,"err_code":{code}}},"seq":0}}"#);
        let refused = |code| match parse(&error(code)) {
            Ok(BatchOutcome::Refused { disabled }) => Some(disabled),
            _ => None,
        };
        assert_eq!(refused(10_071), Some(false), "an expectation");
        assert_eq!(refused(10_174), Some(true), "the stream takes none");
        for other in [
            "{}",
            r#"{"stream":"S","seq":9}"#,
            r#"{"stream":"S","seq":9,"batch":"b","count":2}"#,
            r#"{"stream":"S","seq":9,"batch":"c","count":3}"#,
            r#"{"stream":"S","seq":2,"batch":"b","count":3}"#,
        ] {
            assert!(matches!(parse(other), Ok(BatchOutcome::NotABatch)), "{other}");
        }
        assert!(parse("").is_err() && parse("+OK").is_err());
    }
}
