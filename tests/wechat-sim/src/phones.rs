//! The page that plays the customers' phones, and the news it lives on.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast::error::RecvError;

use crate::world::Shared;

/// Nothing but the page's own files runs or is shown on it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

pub(crate) fn routes() -> Router<Shared> {
    let page = || async { file("text/html; charset=utf-8", include_str!("assets/phones.html")) };
    let style = || async { file("text/css; charset=utf-8", include_str!("assets/phones.css")) };
    let script =
        || async { file("text/javascript; charset=utf-8", include_str!("assets/phones.js")) };
    Router::new()
        .route("/", get(page))
        .route("/phones", get(page))
        .route("/sim/phones.css", get(style))
        .route("/sim/phones.js", get(script))
        .route("/sim/events", get(events))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers =
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, text).into_response()
}

/// Every new line and code; `again` when some were missed and the page must read afresh.
async fn events(
    State(world): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let news = stream::unfold(world.news.subscribe(), |mut news| async {
        let event = match news.recv().await {
            Ok(news_item) => Event::default().event(news_item.event).data(news_item.json),
            Err(RecvError::Lagged(_)) => Event::default().event("again").data("{}"),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), news))
    });
    let stopped = world.stop.clone().cancelled_owned();
    let news = news.take_until(stopped);
    Sse::new(news).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
