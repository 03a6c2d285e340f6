//! Confirmation of a read by a quorum of the servers that hold a stream.
//!
//! A read is answered by the server that takes itself for the stream's leader. One that is cut off,
//! or was frozen, does so for some seconds after the others have elected another, and does not know
//! what they have stored since. Before a read, the leader is made to commit the deletion of the
//! sequence 0, which no stream has: it changes nothing, and only a leader with a quorum can.

use crate::connection::{CallError, Connection};
use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use bytes::Bytes;
use paihao_ledger::Unavailable;
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// What servers answer once they have committed the deletion, by their version and by whether the
/// stream is empty. Other descriptions of the same code come without a commit, as where the stream
/// forbids deletions.
const NOTHING_DELETED: [&str; 2] = ["no message found", "stream store EOF"];

const NO_SEQUENCE: &[u8] = br#"{"seq":0,"no_erase":true}"#;

/// Confirmations of one stream. Concurrent reads share one.
#[derive(Default)]
pub(crate) struct Quorum {
    /// Number of confirmations that were begun.
    begun: AtomicU64,
    /// Number and result of the newest one that has ended.
    ended: Mutex<(u64, Option<Unavailable>)>,
}

impl Quorum {
    /// Waits until a quorum has confirmed the leader at some instant after the call.
    pub(crate) async fn confirm(
        &self,
        connection: &Connection,
        stream: &str,
    ) -> Result<(), Unavailable> {
        let begun_before = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.lock().await;
        if ended.0 <= begun_before {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            *ended = (number, commit_nothing(connection, stream).await.err());
        }
        ended.1.clone().map_or(Ok(()), Err)
    }
}

#[derive(Deserialize)]
struct DeletionResponse {
    error: Option<DeletionError>,
}

#[derive(Deserialize)]
struct DeletionError {
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl DeletionError {
    fn says_nothing_deleted(&self) -> bool {
        let is = |code: ErrorCode| code.0 == self.err_code;
        is(ErrorCode::SEQUENCE_NOT_FOUND)
            || (is(ErrorCode::STREAM_MESSAGE_DELETE_FAILED)
                && NOTHING_DELETED.contains(&&*self.description))
    }
}

async fn commit_nothing(connection: &Connection, stream: &str) -> Result<(), Unavailable> {
    let subject = format!("$JS.API.STREAM.MSG.DELETE.{stream}");
    let call = connection.request(subject, HeaderMap::new(), Bytes::from_static(NO_SEQUENCE));
    let response = call.await.map_err(|error| match error {
        CallError::NoResponders => Unavailable("no server has JetStream".to_owned()),
        CallError::Unavailable(unavailable) => unavailable,
    })?;
    let response = serde_json::from_slice::<DeletionResponse>(&response.payload).ok();
    match response.and_then(|response| response.error) {
        Some(error) if error.says_nothing_deleted() => Ok(()),
        Some(DeletionError { description, .. }) => {
            Err(Unavailable(format!("the stream's leader was not confirmed: {description}")))
        }
        None => Err(Unavailable("NATS sent an unknown response".to_owned())),
    }
}
