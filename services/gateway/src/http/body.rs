//! Reads a request's body up to a limit, and refuses a larger one in a way that its sender can hear;
//! and understands it.

use crate::http::refusals::{self, Problem};
use axum::body::{Body, Bytes};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Bytes of a body too large that are still read, and thrown away, before it is refused: a
/// connection that is closed on a sender in the middle of its body loses the refusal with it.
const MAX_DISCARDED_BYTES: usize = 64 << 20;

/// How long such a sender is heard out.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// The body, if it has no more than `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut read = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(&refusals::MALFORMED_REQUEST).with_detail("the body broke off")
        })?;
        if read.len() + chunk.len() > limit {
            let mut left = MAX_DISCARDED_BYTES;
            let hear_out = async {
                while let Some(Ok(chunk)) = chunks.next().await {
                    left = left.saturating_sub(chunk.len());
                    if left == 0 {
                        break;
                    }
                }
            };
            // Whoever is not done by then is not heard out.
            let _ = tokio::time::timeout(DISCARD_TIMEOUT, hear_out).await;
            let detail = format!("more than {limit} bytes");
            return Err(Problem::new(&refusals::BODY_TOO_LARGE).with_detail(detail));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.into())
}

/// The body as a JSON object.
pub(crate) async fn read_json<T: DeserializeOwned>(body: Body, limit: usize) -> Result<T, Problem> {
    parse_object(&read(body, limit).await?)
}

/// The JSON object that a body is; an empty body stands for one without anything in it.
pub(crate) fn parse_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let malformed = |detail: String| Problem::new(&refusals::MALFORMED_REQUEST).with_detail(detail);
    // A list would do as well: its entries would be taken for the fields, in our order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("the body is no JSON object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
