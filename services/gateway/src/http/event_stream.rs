//! Responses that stream server-sent events.

use crate::http::auth::Principal;
use crate::http::refusals::Problem;
use crate::http::state::AppState;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use paihao_http_api::sse;
use serde::Serialize;

/// Event of this name with its data as JSON.
pub(crate) fn json_event(name: &str, data: impl Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("string keys only")
}

/// Event `refused`, with the details of a problem.
pub(crate) fn refused_event(problem: &Problem) -> Event {
    json_event("refused", problem.body())
}

/// Response that sends the events until the stream or the process ends, or until the principal is
/// no longer valid.
pub(crate) fn stream_until_revoked<S>(events: S, principal: Principal, state: &AppState) -> Response
where
    S: Stream<Item = Event> + Send + 'static,
{
    let revoked = Box::pin(principal.until_revoked(state.clone()));
    let events = Box::pin(events.take_until(revoked));
    sse::event_stream(events, &state.stop).into_response()
}
