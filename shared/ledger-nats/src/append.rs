//! Publishing with an expected sequence, and reading the newest entry.

use crate::connection::{CallError, Connection, unavailable};
use crate::group_commit::{Admission, BatchMessage, GroupCommits};
use crate::message;
use crate::streams::{StreamKind, Streams};
use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{LastRawMessageError, LastRawMessageErrorKind, Stream};
use bytes::Bytes;
use paihao_contracts::streams::Log;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Position, StoredEntry, Subject, Unavailable,
};
use serde::Deserialize;
use std::time::Duration;

/// Errors of a server that is busy with another write to the same subject, and has written nothing.
const BUSY_ERRORS: [ErrorCode; 2] = [
    ErrorCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY,
    ErrorCode::STREAM_TOO_MANY_REQUESTS,
];
const WRONG_LAST_SEQUENCE_ERRORS: [ErrorCode; 2] =
    [ErrorCode::STREAM_WRONG_LAST_SEQUENCE, ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT];
const BUSY_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Result of one publish.
pub(crate) enum PublishOutcome {
    Stored { position: Position, duplicate: bool },
    Rejected(async_nats::jetstream::Error),
}

/// Response of a stream to a publish. The client's own type tries one form after the other, which
/// takes longer than the rest of an append.
#[derive(Deserialize)]
struct PublishResponse {
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<async_nats::jetstream::Error>,
}

pub(crate) fn parse_response(response: &[u8]) -> Result<PublishOutcome, Unavailable> {
    match serde_json::from_slice(response) {
        Ok(PublishResponse { error: Some(error), .. }) => Ok(PublishOutcome::Rejected(error)),
        Ok(PublishResponse { seq: Some(seq), duplicate, .. }) => {
            Ok(PublishOutcome::Stored { position: Position(seq), duplicate })
        }
        _ => Err(Unavailable("NATS sent an unknown response".to_owned())),
    }
}

/// Publishes to a stream and waits for the acknowledgement. A missing stream is created first.
pub(crate) async fn publish(
    connection: &Connection,
    streams: &Streams,
    kind: StreamKind,
    subject: &str,
    headers: impl Fn() -> HeaderMap,
    payload: &Bytes,
) -> Result<PublishOutcome, Unavailable> {
    streams.ensure_once(kind).await?;
    for first_try in [true, false] {
        match connection.request(subject.to_owned(), headers(), payload.clone()).await {
            Ok(response) => return parse_response(&response.payload),
            // No stream accepted the message, so it may be sent once more.
            Err(CallError::NoResponders) if first_try => Box::pin(streams.ensure(kind)).await?,
            Err(CallError::NoResponders) => break,
            Err(CallError::Unavailable(unavailable)) => return Err(unavailable),
        }
    }
    Err(Unavailable("no stream accepts the message".to_owned()))
}

pub(crate) async fn append(
    connection: &Connection,
    streams: &Streams,
    commits: &GroupCommits,
    log: &Log,
    subject: &Subject,
    expect: ExpectedPosition,
    entry: Entry,
) -> Result<Position, AppendError> {
    if let Err(limit) = message::check_size(connection, &entry) {
        return Err(AppendError::TooLarge { size: entry.size(), limit });
    }
    let full_subject = streams.namespace().log_subject(log, subject);
    let expected = match expect {
        ExpectedPosition::Any => None,
        ExpectedPosition::Empty => Some(Position::START),
        ExpectedPosition::At(position) => Some(position),
    };
    let headers = || {
        let mut headers = message::headers(&entry);
        if let Some(Position(sequence)) = expected {
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string().as_str());
        }
        headers
    };
    // Held until this append has ended.
    let _permit = match commits.of(log) {
        None => None,
        Some(group) => {
            let payload = entry.payload.clone();
            let message =
                || BatchMessage { subject: full_subject.clone(), headers: headers(), payload };
            match group.admit(message).await? {
                Admission::Written(position) => return Ok(position),
                Admission::Single(permit) => Some(permit),
            }
        }
    };
    let deadline = tokio::time::Instant::now() + connection.timeout();
    loop {
        let kind = StreamKind::Log(*log);
        let outcome =
            publish(connection, streams, kind, &full_subject, &headers, &entry.payload).await?;
        let error = match outcome {
            PublishOutcome::Stored { position, .. } => return Ok(position),
            PublishOutcome::Rejected(error) => error,
        };
        let code = error.error_code();
        if is_conflict(&error) {
            let found = match parse_last_sequence(&error.to_string()) {
                Some(found) => found,
                None => {
                    let last = Box::pin(last(connection, streams, log, subject)).await?;
                    last.map(|last| last.position)
                }
            };
            // The expected sequence is the newest one after all: another write is in progress, so
            // wait for it.
            if found.unwrap_or(Position::START) != expected.unwrap_or(Position::START) {
                return Err(AppendError::Conflict { expected: expect, found });
            }
        } else if code == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM {
            let size = entry.size();
            return Err(AppendError::TooLarge { size, limit: size - 1 });
        } else if !BUSY_ERRORS.contains(&code) {
            return Err(unavailable(&error).into());
        }
        if tokio::time::Instant::now() + BUSY_RETRY_DELAY >= deadline {
            return Err(unavailable(&error).into());
        }
        tokio::time::sleep(BUSY_RETRY_DELAY).await;
    }
}

/// Returns whether the server refused a message since its expectation does not hold.
pub(crate) fn is_conflict(error: &async_nats::jetstream::Error) -> bool {
    WRONG_LAST_SEQUENCE_ERRORS.contains(&error.error_code())
}

/// Parses the position in "wrong last sequence: 12", where 0 is none. Some responses omit it.
fn parse_last_sequence(response: &str) -> Option<Option<Position>> {
    let (_, tail) = response.split_once("wrong last sequence: ")?;
    let digits = tail.split(|c: char| !c.is_ascii_digit()).next()?;
    let sequence: u64 = digits.parse().ok()?;
    Some((sequence > 0).then_some(Position(sequence)))
}

pub(crate) async fn last(
    connection: &Connection,
    streams: &Streams,
    log: &Log,
    subject: &Subject,
) -> Result<Option<StoredEntry>, Unavailable> {
    // Nobody confirms a stream that is not there.
    streams.ensure_once(StreamKind::Log(*log)).await?;
    let read = || last_unconfirmed(connection, streams, log, subject);
    streams.confirmed(StreamKind::Log(*log), read).await
}

/// The newest entry of a subject as the server knows it that takes itself for the leader.
pub(crate) async fn last_unconfirmed(
    connection: &Connection,
    streams: &Streams,
    log: &Log,
    subject: &Subject,
) -> Result<Option<StoredEntry>, Unavailable> {
    let kind = StreamKind::Log(*log);
    streams.ensure_once(kind).await?;
    let full_subject = &streams.namespace().log_subject(log, subject);
    // The request goes to the stream's leader: a replica may lag behind this process's own appends.
    let name = &streams.name(kind);
    let read = read_message(connection, name, async |stream| {
        stream.get_last_raw_message_by_subject(full_subject).await
    });
    Ok(read.await?.map(|message| StoredEntry {
        position: Position(message.sequence),
        subject: subject.clone(),
        at_ms: message::appended_at(Some(&message.headers), message.time),
        entry: message::entry(Some(&message.headers), message.payload),
    }))
}

pub(crate) async fn get(
    connection: &Connection,
    streams: &Streams,
    log: &Log,
    position: Position,
) -> Result<Option<StoredEntry>, Unavailable> {
    if position == Position::START {
        return Ok(None);
    }
    let kind = StreamKind::Log(*log);
    streams.ensure_once(kind).await?;
    let name = &streams.name(kind);
    let read =
        || read_message(connection, name, async |stream| stream.get_raw_message(position.0).await);
    // What is there stays as it is; only its absence is a claim about the present.
    let message = match read().await? {
        Some(message) => Some(message),
        None => streams.confirmed(kind, read).await?,
    };
    Ok(message.and_then(|message| {
        Some(StoredEntry {
            position: Position(message.sequence),
            subject: streams.namespace().parse_subject(log, &message.subject)?,
            at_ms: message::appended_at(Some(&message.headers), message.time),
            entry: message::entry(Some(&message.headers), message.payload),
        })
    }))
}

/// Reads a message of a stream from its leader, if it is there.
pub(crate) async fn read_message<M>(
    connection: &Connection,
    stream: &str,
    read: impl AsyncFnOnce(Stream<()>) -> Result<M, LastRawMessageError>,
) -> Result<Option<M>, Unavailable> {
    let call = async {
        let stream = connection.jetstream().get_stream_no_info(stream).await;
        match read(stream.map_err(|e| unavailable(&e))?).await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(response)
                    if [ErrorCode::STREAM_NOT_FOUND, ErrorCode::NO_MESSAGE_FOUND]
                        .contains(&response.error_code()) =>
                {
                    Ok(None)
                }
                _ => Err(unavailable(&error)),
            },
        }
    };
    connection.with_timeout(call).await?
}

/// Largest position that was given to an entry so far, there or not.
pub(crate) async fn last_position(streams: &Streams, log: &Log) -> Result<Position, Unavailable> {
    let kind = StreamKind::Log(*log);
    let info = streams.confirmed_info(kind).await?;
    Ok(Position(info.map_or(0, |info| info.state.last_sequence)))
}

pub(crate) async fn head(streams: &Streams, log: &Log) -> Result<Position, Unavailable> {
    let kind = StreamKind::Log(*log);
    streams.ensure_once(kind).await?;
    let info = streams.confirmed_info(kind).await?.filter(|info| info.state.messages > 0);
    // An empty stream reports the sequence of its last, removed entry; no follower will ever
    // receive that.
    let Some(info) = info else { return Ok(Position::START) };
    if info.state.deleted_count.unwrap_or(0) == 0 {
        return Ok(Position(info.state.last_sequence));
    }
    // A restore leaves positions behind the last entry out.
    let connection = streams.connection();
    let (name, subjects) = (&streams.name(kind), &streams.namespace().log_wildcard(log));
    let read = || {
        read_message(connection, name, async |stream| {
            stream.get_last_raw_message_by_subject(subjects).await
        })
    };
    let last = streams.confirmed(kind, read).await?;
    Ok(last.map_or(Position::START, |message| Position(message.sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_an_acknowledgement_or_a_refusal_or_neither() {
        let is_last = |response: &str| match parse_response(response.as_bytes()) {
            Ok(PublishOutcome::Stored { position, duplicate }) => Some((position.0, duplicate)),
            _ => None,
        };
        assert_eq!(is_last(r#"{"stream":"S","seq":7}"#), Some((7, false)));
        assert_eq!(
            is_last(r#"{"stream":"S","domain":"d","seq":7,"duplicate":true}"#),
            Some((7, true))
        );
        let refused = r#"{"type":"x","error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"S","seq":0}"#;
        match parse_response(refused.as_bytes()) {
            Ok(PublishOutcome::Rejected(error)) => {
                assert!(WRONG_LAST_SEQUENCE_ERRORS.contains(&error.error_code()))
            }
            _ => panic!("not refused"),
        }
        for neither in ["", "{}", "[]", "+OK", r#"{"seq":"7"}"#] {
            assert!(parse_response(neither.as_bytes()).is_err(), "{neither}");
        }
    }

    /// It is moved to the heap for each append, and a rare call that it holds makes it larger.
    #[test]
    fn the_future_of_an_append_is_small() {
        type Append<F> = fn(
            &'static Connection,
            &'static Streams,
            &'static GroupCommits,
            &'static Log,
            &'static Subject,
            ExpectedPosition,
            Entry,
        ) -> F;
        fn size<F>(_: Append<F>) -> usize {
            size_of::<F>()
        }
        let bytes = size(append);
        assert!(bytes <= 2_560, "{bytes} bytes");
    }

    #[test]
    fn the_answer_may_state_what_was_found() {
        assert_eq!(parse_last_sequence("wrong last sequence: 12"), Some(Some(Position(12))));
        assert_eq!(
            parse_last_sequence("400: wrong last sequence: 7, error code: 10071"),
            Some(Some(Position(7)))
        );
        assert_eq!(parse_last_sequence("wrong last sequence: 0"), Some(None));
        assert_eq!(parse_last_sequence("wrong last sequence"), None);
    }
}
