//! Publishing with an expectation, and reading back what is newest.

use crate::link::{CallError, Link, unavailable};
use crate::message;
use crate::streams::{Kind, Streams};
use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use paihao_contracts::names::Log;
use paihao_ledger::{AppendError, Entry, Expect, Position, Recorded, Subject, Unavailable};
use serde::Deserialize;
use std::time::Duration;

/// The server is busy with another write to the same subject; it says so and did nothing.
const BUSY: [ErrorCode; 2] = [
    ErrorCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY,
    ErrorCode::STREAM_TOO_MANY_REQUESTS,
];
const WRONG_LAST: [ErrorCode; 2] =
    [ErrorCode::STREAM_WRONG_LAST_SEQUENCE, ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT];
const PAUSE: Duration = Duration::from_millis(20);

/// What became of one publish.
pub(crate) enum Published {
    Stands { position: Position, duplicate: bool },
    Refused(async_nats::jetstream::Error),
}

/// What a stream answers to a publish. The client's own type tries one form after the other, which
/// takes longer than all the rest of an append's own work.
#[derive(Deserialize)]
struct Answer {
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<async_nats::jetstream::Error>,
}

fn published(answer: &[u8]) -> Result<Published, Unavailable> {
    match serde_json::from_slice(answer) {
        Ok(Answer { error: Some(error), .. }) => Ok(Published::Refused(error)),
        Ok(Answer { seq: Some(seq), duplicate, .. }) => {
            Ok(Published::Stands { position: Position(seq), duplicate })
        }
        _ => Err(Unavailable("NATS gave an answer of another kind".to_owned())),
    }
}

/// Publishes to a stream and waits for the acknowledgement. A missing stream is made first.
pub(crate) async fn publish(
    link: &Link,
    streams: &Streams,
    kind: Kind,
    subject: &str,
    headers: &HeaderMap,
    payload: &Bytes,
) -> Result<Published, Unavailable> {
    streams.have(kind).await?;
    for first_try in [true, false] {
        match link.call(subject.to_owned(), headers.clone(), payload.clone()).await {
            Ok(answer) => return published(&answer.payload),
            // No stream took it, so it stands nowhere and may be sent once more.
            Err(CallError::Nobody) if first_try => streams.ensure(kind).await?,
            Err(CallError::Nobody) => break,
            Err(CallError::Unavailable(unavailable)) => return Err(unavailable),
        }
    }
    Err(Unavailable("no stream takes the message".to_owned()))
}

pub(crate) async fn append(
    link: &Link,
    streams: &Streams,
    log: &Log,
    subject: &Subject,
    expect: Expect,
    entry: Entry,
) -> Result<Position, AppendError> {
    if let Err(limit) = message::fits(link, &entry) {
        return Err(AppendError::TooLarge { size: entry.size(), limit });
    }
    let full_subject = streams.namespace().subject(log, subject);
    let mut headers = message::headers(&entry);
    let expected = match expect {
        Expect::Anything => None,
        Expect::Nothing => Some(Position::START),
        Expect::At(position) => Some(position),
    };
    if let Some(Position(sequence)) = expected {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string().as_str());
    }
    let until = tokio::time::Instant::now() + link.timeout();
    loop {
        let kind = Kind::Log(*log);
        let sent = publish(link, streams, kind, &full_subject, &headers, &entry.payload).await?;
        let error = match sent {
            Published::Stands { position, .. } => return Ok(position),
            Published::Refused(error) => error,
        };
        let code = error.error_code();
        if WRONG_LAST.contains(&code) {
            let found = match stated(&error.to_string()) {
                Some(found) => found,
                None => last(link, streams, log, subject).await?.map(|last| last.position),
            };
            // What was expected is there after all: another write is under way, wait for it.
            if found.unwrap_or(Position::START) != expected.unwrap_or(Position::START) {
                return Err(AppendError::Conflict { expected: expect, found });
            }
        } else if code == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM {
            let size = entry.size();
            return Err(AppendError::TooLarge { size, limit: size - 1 });
        } else if !BUSY.contains(&code) {
            return Err(unavailable(&error).into());
        }
        if tokio::time::Instant::now() + PAUSE >= until {
            return Err(unavailable(&error).into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The position in "wrong last sequence: 12", where 0 is none. Some answers do not state it.
fn stated(answer: &str) -> Option<Option<Position>> {
    let (_, rest) = answer.split_once("wrong last sequence: ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let sequence: u64 = digits.parse().ok()?;
    Some((sequence > 0).then_some(Position(sequence)))
}

pub(crate) async fn last(
    link: &Link,
    streams: &Streams,
    log: &Log,
    subject: &Subject,
) -> Result<Option<Recorded>, Unavailable> {
    let kind = Kind::Log(*log);
    streams.have(kind).await?;
    let full_subject = streams.namespace().subject(log, subject);
    let name = streams.name(kind);
    // Asked of the stream's leader: a copy may lag behind what this process has appended.
    let read = link.within(async {
        let stream = link.context().get_stream_no_info(&name).await.map_err(|e| unavailable(&e))?;
        match stream.get_last_raw_message_by_subject(&full_subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(answer)
                    if answer.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(unavailable(&error)),
            },
        }
    });
    Ok(read.await??.map(|message| Recorded {
        position: Position(message.sequence),
        subject: subject.clone(),
        at_ms: message::millis(message.time),
        entry: message::entry(Some(&message.headers), message.payload),
    }))
}

pub(crate) async fn head(streams: &Streams, log: &Log) -> Result<Position, Unavailable> {
    let kind = Kind::Log(*log);
    streams.have(kind).await?;
    let info = streams.look(&streams.name(kind)).await?;
    // An empty stream remembers its last sequence; nobody will ever be shown that.
    let head = info.filter(|info| info.state.messages > 0).map(|info| info.state.last_sequence);
    Ok(Position(head.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_an_acknowledgement_or_a_refusal_or_neither() {
        let stands = |answer: &str| match published(answer.as_bytes()) {
            Ok(Published::Stands { position, duplicate }) => Some((position.0, duplicate)),
            _ => None,
        };
        assert_eq!(stands(r#"{"stream":"S","seq":7}"#), Some((7, false)));
        assert_eq!(
            stands(r#"{"stream":"S","domain":"d","seq":7,"duplicate":true}"#),
            Some((7, true))
        );
        let refused = r#"{"type":"x","error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"S","seq":0}"#;
        match published(refused.as_bytes()) {
            Ok(Published::Refused(error)) => assert!(WRONG_LAST.contains(&error.error_code())),
            _ => panic!("not refused"),
        }
        for neither in ["", "{}", "[]", "+OK", r#"{"seq":"7"}"#] {
            assert!(published(neither.as_bytes()).is_err(), "{neither}");
        }
    }

    #[test]
    fn the_answer_may_state_what_was_found() {
        assert_eq!(stated("wrong last sequence: 12"), Some(Some(Position(12))));
        assert_eq!(
            stated("400: wrong last sequence: 7, error code: 10071"),
            Some(Some(Position(7)))
        );
        assert_eq!(stated("wrong last sequence: 0"), Some(None));
        assert_eq!(stated("wrong last sequence"), None);
    }
}
