//! Time of the server that leads the ledger's stream: it dates the entries and lets them age out.

use crate::connection::{CallError, Connection};
use crate::message::unix_millis;
use async_nats::HeaderMap;
use async_nats::datetime::parse_rfc3339;
use bytes::Bytes;
use paihao_ledger::{StoreTime, Unavailable};
use serde::Deserialize;

/// Part of the information on a stream. A server before 2.10 does not say when it answers, but when
/// the newest entry came.
#[derive(Deserialize)]
struct StreamTimes {
    ts: Option<String>,
    state: Option<StreamState>,
}

#[derive(Deserialize)]
struct StreamState {
    last_ts: String,
}

/// Asks for the time by which the stream's entries are dated.
pub(crate) async fn fetch(connection: &Connection, stream: &str) -> Result<StoreTime, Unavailable> {
    let subject = format!("$JS.API.STREAM.INFO.{stream}");
    let response = match connection.request(subject, HeaderMap::new(), Bytes::new()).await {
        Ok(response) => response,
        Err(CallError::Unavailable(unavailable)) => return Err(unavailable),
        Err(CallError::NoResponders) => return Err(Unavailable("JetStream is off".to_owned())),
    };
    read(&response.payload).ok_or_else(|| Unavailable("NATS does not tell the time".to_owned()))
}

/// Reads the time in the server's information on a stream.
pub(crate) fn read(response: &[u8]) -> Option<StoreTime> {
    let times: StreamTimes = serde_json::from_slice(response).ok()?;
    let parse = |text: &str| parse_rfc3339(text).ok().map(unix_millis);
    match (times.ts, times.state) {
        (Some(now), _) => parse(&now).map(StoreTime::Now),
        // Without an entry it is a time before Unix's.
        (None, Some(state)) => parse(&state.last_ts).map(|at| StoreTime::AtLeast(at.max(0))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_answer_is_read_or_that_of_the_newest_entry() {
        let read = |text: &str| read(text.as_bytes());
        let newer = r#"{"ts":"2026-11-20T02:00:00.5Z","state":{"last_ts":"2026-11-19T02:00:00Z"}}"#;
        assert_eq!(read(newer), Some(StoreTime::Now(1_795_140_000_500)));
        let older = r#"{"state":{"last_ts":"2026-11-20T02:00:00Z","messages":1}}"#;
        assert_eq!(read(older), Some(StoreTime::AtLeast(1_795_140_000_000)));
        let empty = r#"{"state":{"last_ts":"0001-01-01T00:00:00Z"}}"#;
        assert_eq!(read(empty), Some(StoreTime::AtLeast(0)));
        assert_eq!(read(r#"{"error":{"code":404}}"#), None);
        assert_eq!(read(r#"{"ts":"soon"}"#), None);
    }
}
