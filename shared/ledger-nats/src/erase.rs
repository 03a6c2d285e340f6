//! Erasing of one message of a stream, which the server overwrites.

use crate::connection::{Connection, unavailable};
use crate::streams::{StreamKind, Streams};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::DeleteMessageErrorKind;
use paihao_contracts::streams::Log;
use paihao_ledger::{Position, Unavailable};

/// Errors for a message that is there no longer.
const GONE_ERRORS: [ErrorCode; 2] = [ErrorCode::NO_MESSAGE_FOUND, ErrorCode::SEQUENCE_NOT_FOUND];

/// Erases the entry at a position. `Ok` also if it is there no longer.
pub(crate) async fn erase(
    connection: &Connection,
    streams: &Streams,
    log: &Log,
    position: Position,
) -> Result<(), Unavailable> {
    let kind = StreamKind::Log(*log);
    streams.ensure_once(kind).await?;
    let name = streams.name(kind);
    let jetstream = connection.jetstream();
    let erased = connection.with_timeout(async {
        let stream = jetstream.get_stream_no_info(&name).await.map_err(|e| unavailable(&e))?;
        match stream.delete_message(position.0).await {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                DeleteMessageErrorKind::JetStream(response)
                    if GONE_ERRORS.contains(&response.error_code()) =>
                {
                    Ok(())
                }
                _ => Err(unavailable(&error)),
            },
        }
    });
    erased.await?
}
