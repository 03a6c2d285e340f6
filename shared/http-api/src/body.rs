//! Request bodies: read up to a limit, parsed as a JSON object.

use crate::{ApiState, Problem};
use axum::body::{Body, Bytes};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of a body too large that are still read and thrown away before it is refused: closing the
/// connection in the middle of a body loses the response too.
const MAX_DISCARDED_BYTES: usize = 64 << 20;

/// Time that is spent on discarding such a body.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Time in which a body has to be there: a sender that trickles does not hold a connection.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a body of at most `limit` bytes, within half a minute.
///
/// # Errors
/// If the body is larger, breaks off or takes longer.
pub async fn read<S: ApiState>(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let read = timeout(BODY_TIMEOUT, read_to_end::<S>(body, limit)).await;
    read.unwrap_or_else(|_| {
        let detail = format!("the body was not there within {} s", BODY_TIMEOUT.as_secs());
        Err(Problem::new(S::MALFORMED_REQUEST).with_detail(detail))
    })
}

async fn read_to_end<S: ApiState>(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    // Most bodies come in one piece, which needs no copy.
    let mut only = Bytes::new();
    let mut read = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(S::MALFORMED_REQUEST).with_detail("the body broke off"))?;
        if only.len() + read.len() + chunk.len() > limit {
            let mut remaining = MAX_DISCARDED_BYTES;
            let discard = async {
                while let Some(Ok(chunk)) = chunks.next().await {
                    remaining = remaining.saturating_sub(chunk.len());
                    if remaining == 0 {
                        break;
                    }
                }
            };
            // A slower sender loses its connection.
            let _ = timeout(DISCARD_TIMEOUT, discard).await;
            let detail = format!("more than {limit} bytes");
            return Err(Problem::new(S::BODY_TOO_LARGE).with_detail(detail));
        }
        if only.is_empty() && read.is_empty() {
            only = chunk;
        } else {
            read.extend_from_slice(&std::mem::take(&mut only));
            read.extend_from_slice(&chunk);
        }
    }
    Ok(if read.is_empty() { only } else { read.into() })
}

/// Reads a body of at most `limit` bytes and parses it like [`parse_object`].
///
/// # Errors
/// If the body is larger, breaks off or is not such an object.
pub async fn read_json<S: ApiState, T: DeserializeOwned>(
    body: Body,
    limit: usize,
) -> Result<T, Problem> {
    parse_object::<S, T>(&read::<S>(body, limit).await?)
}

/// Parses a JSON object. An empty body stands for `{}`.
///
/// # Errors
/// If it is no object or lacks what the type needs.
pub fn parse_object<S: ApiState, T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let malformed = |detail: String| Problem::new(S::MALFORMED_REQUEST).with_detail(detail);
    // serde takes an array as well, its items for the fields in the order of their declaration.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("the body is no JSON object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_state::TestState;

    async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
        super::read::<TestState>(body, limit).await
    }

    #[tokio::test]
    async fn a_body_at_the_limit_is_read_and_one_beyond_is_refused() {
        assert_eq!(read(Body::from("x".repeat(10)), 10).await.unwrap().len(), 10);
        let refused = read(Body::from("x".repeat(11)), 10).await.unwrap_err();
        assert_eq!(refused.kind().code, "body_too_large");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_without_an_end_is_refused_all_the_same() {
        let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0u8; 1 << 16]));
        let refused = read(Body::from_stream(endless), 10).await.unwrap_err();
        assert_eq!(refused.kind().code, "body_too_large");
        let stuck = futures::stream::iter([Ok::<_, std::io::Error>("xxxxxxxxxxxxxxxx")])
            .chain(futures::stream::pending());
        let refused = read(Body::from_stream(stuck), 10).await.unwrap_err();
        assert_eq!(refused.kind().code, "body_too_large");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_refused_after_half_a_minute() {
        let trickle = |pause_ms| {
            futures::stream::unfold(0, move |sent| async move {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                (sent < 20).then(|| (Ok::<_, std::io::Error>("x"), sent + 1))
            })
        };
        assert_eq!(read(Body::from_stream(trickle(1_000)), 100).await.unwrap().len(), 20);
        let refused = read(Body::from_stream(trickle(2_000)), 100).await.unwrap_err();
        assert_eq!(refused.kind().code, "malformed_request");
    }

    #[test]
    fn an_object_is_parsed_and_an_array_is_not() {
        #[derive(serde::Deserialize)]
        struct Ticket {
            number: Option<String>,
        }
        let parse = |body: &str| parse_object::<TestState, Ticket>(body.as_bytes());
        assert_eq!(parse("").unwrap().number, None);
        assert_eq!(parse(" {\"number\": \"A1\"}").unwrap().number.as_deref(), Some("A1"));
        assert_eq!(parse("[\"A1\"]").err().unwrap().kind().code, "malformed_request");
    }
}
