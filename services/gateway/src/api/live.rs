//! Server-sent events from a watched value.

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A comment is sent this often, so that proxies and browsers know that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A response that sends the events until the stream or the process ends.
pub(super) fn sse<S: Stream<Item = Event> + Send + 'static>(
    events: S,
    stop: &CancellationToken,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<S>> {
    let events = paihao_chassis::http::until_stop(events, stop).map(Ok);
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}
