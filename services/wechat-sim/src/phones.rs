//! Web page that shows the customers' phones, and its stream of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::world::SharedState;

/// File of the page: name, content type and content.
struct PageAsset(&'static str, &'static str, &'static str);

macro_rules! scripts {
    ($($name:literal),*) => {
        [$(PageAsset($name, "text/javascript; charset=utf-8", include_str!(concat!("assets/", $name)))),*]
    };
}

const PAGE: &str = include_str!("assets/phones.html");
const STYLE: PageAsset =
    PageAsset("phones.css", "text/css; charset=utf-8", include_str!("assets/phones.css"));
const SCRIPTS: [PageAsset; 9] = scripts!(
    "phones.js",
    "phone.js",
    "chat.js",
    "codes.js",
    "dom.js",
    "http.js",
    "language.js",
    "menu.js",
    "words.js"
);

/// Routes of the page at `/phones`, and of its files.
pub(crate) fn routes() -> Router<SharedState> {
    let files = SCRIPTS.into_iter().chain([STYLE]).fold(Router::new(), |routes, asset| {
        let PageAsset(name, kind, text) = asset;
        let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")];
        routes.route(&format!("/sim/{name}"), get(async move || (headers, text)))
    });
    files
        .route("/phones", get(page))
        .route("/phones/", get(page))
        .route("/sim/api/beside", get(framed_address))
        .route("/sim/events", get(events))
}

/// Route of the page as the first one of a port of its own.
pub(crate) fn first_page() -> Router<SharedState> {
    Router::new().route("/", get(page))
}

/// Serves the page with a policy that allows its own files, and one framed page beside the phones.
async fn page(State(world): State<SharedState>) -> Response {
    let framed_address = world.config.framed_address.as_deref().map_or("'none'", origin);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; frame-src {framed_address}; base-uri 'none'; form-action 'none'"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CACHE_CONTROL, "no-cache".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, PAGE).into_response()
}

/// Returns the scheme, host and port of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |scheme| scheme + 3);
    address[host..].find('/').map_or(address, |path| &address[..host + path])
}

async fn framed_address(State(world): State<SharedState>) -> Json<Value> {
    Json(json!({ "address": world.config.framed_address }))
}

/// Streams each new chat line and code. The event `again` tells the page that it missed some and
/// has to reload them.
async fn events(
    State(world): State<SharedState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let events = stream::unfold(world.page_events.subscribe(), |mut events| async {
        let event = match events.recv().await {
            Ok(page_event) => Event::default().event(page_event.event).data(page_event.json),
            Err(RecvError::Lagged(_)) => Event::default().event("again").data("{}"),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), events))
    });
    let stopped = world.stop.clone().cancelled_owned();
    let events = events.take_until(stopped);
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
