//! Event feed of a site for the owner's other systems: as a stream, and in pages.

use crate::http::access::{AnyRole, SiteAccess};
use crate::http::event_stream::{refused_event, stream_until_revoked};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemDetails};
use crate::http::state::AppState;
use crate::projections::feed::cursor::Cursor;
use crate::projections::feed::{FeedError, FeedMessage, FeedReader};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use paihao_contracts::public_event::PublicEvent;
use paihao_http_api::ApiQuery;
use paihao_http_api::pagination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Time limit of reading the ledger for a page; the next page continues where it ended.
const PAGE_SCAN_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn routes() -> Routes {
    let read = [&refusals::CURSOR_GONE, &refusals::LEDGER_UNAVAILABLE];
    Routes::new()
        .get(
            "/api/v1/sites/{site}/feed",
            subscribe,
            endpoint("feed", "Streams the site's events as they happen")
                .header("Last-Event-ID", "The cursor of somebody who comes back")
                .sends_event::<PublicEvent>("*")
                .sends_event::<ProblemDetails>("refused")
                .refuses(&[&refusals::TOO_MANY_FEEDS, &refusals::TOO_MANY_REQUESTS])
                .refuses(&read),
        )
        .get(
            "/api/v1/sites/{site}/feed/pages",
            page,
            endpoint("feed_pages", "Lists the site's events in pages")
                .refuses(&read)
                .refuses(&[&refusals::TOO_MANY_REQUESTS, &refusals::NEWER_LEDGER]),
        )
}

/// Start of the feed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FeedQuery {
    /// Cursor: an event's id, the `next` of a page, or `now`; the oldest stored event, if left
    /// out.
    after: Option<String>,
    /// Size of the page, 1 to 500; 100 by default.
    limit: Option<usize>,
}

/// Page of events, with the cursor of the next one.
#[derive(Serialize, JsonSchema)]
struct FeedPage {
    events: Vec<PublicEvent>,
    /// Value of `after` for the next request, also when there is nothing more yet.
    next: String,
    /// True if there were more events at the time of the request.
    more: bool,
}

async fn subscribe(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<AnyRole>,
    ApiQuery(query): ApiQuery<FeedQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // A browser that reconnects sends this header; the address still has the first cursor.
    let last_event_id = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let after = parse_cursor(last_event_id.or(query.after.as_deref()))?;
    let own_permit = state.fair_use.feeds.admit(&principal.name, &site)?;
    let permit = state.feed.acquire_stream_permit().map_err(|_| &refusals::TOO_MANY_FEEDS)?;
    let messages = state.feed.stream(start_reading(&state, &site, after).await?, permit);
    let events = stream::unfold((messages, own_permit), async |(mut messages, own_permit)| {
        Some((sse_event(messages.recv().await?), (messages, own_permit)))
    });
    Ok(stream_until_revoked(events, principal, &state))
}

fn sse_event(message: FeedMessage) -> Event {
    match message {
        FeedMessage::Event(event) => Event::default()
            .id(event.id.to_string())
            .event(event.kind.name())
            .json_data(event)
            .expect("string keys only"),
        // An event without data is not dispatched, but its id is remembered.
        FeedMessage::Progress(cursor) => Event::default().id(cursor.to_string()),
        FeedMessage::Stopped(error) => refused_event(&error.into()),
    }
}

async fn page(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<AnyRole>,
    ApiQuery(query): ApiQuery<FeedQuery>,
) -> Result<Json<FeedPage>, Problem> {
    let _permit = state.fair_use.feed_pages.admit(&principal.name, &site)?;
    let limit = pagination::limit::<AppState>(query.limit)?;
    let after = parse_cursor(query.after.as_deref())?;
    let reader = start_reading(&state, &site, after).await?;
    Ok(Json(read_page(reader, after, limit).await?))
}

/// Reads a page, no further than the ledger reached when it began.
async fn read_page(
    mut reader: FeedReader,
    after: Cursor,
    limit: usize,
) -> Result<FeedPage, FeedError> {
    let mut events = Vec::new();
    let mut next = after;
    let deadline = Instant::now() + PAGE_SCAN_TIMEOUT;
    while !reader.has_read_all() {
        let Ok(step) = timeout_at(deadline, reader.next()).await else { break };
        let step = step?;
        next = Cursor::Commit(step.position.0);
        let room = limit - events.len();
        let is_cut = step.events.len() > room;
        events.extend(step.events.into_iter().take(room));
        if let Some(last) = events.last().filter(|_| is_cut) {
            next = Cursor::Event(last.id);
            return Ok(FeedPage { next: next.to_string(), more: true, events });
        }
        if events.len() == limit {
            break;
        }
    }
    let more = !reader.has_read_all();
    if !more {
        // A cursor of a quiet site ages with the ledger, not with the site.
        reader.skip_to_head();
        next = reader.cursor().unwrap_or(Cursor::Beginning);
    }
    if next == Cursor::Now {
        next = Cursor::Beginning;
    }
    Ok(FeedPage { next: next.to_string(), more, events })
}

async fn start_reading(state: &AppState, site: &str, after: Cursor) -> Result<FeedReader, Problem> {
    let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    Ok(state.feed.open(&settings.subject, after).await?)
}

fn parse_cursor(text: Option<&str>) -> Result<Cursor, Problem> {
    let Some(text) = text else { return Ok(Cursor::Beginning) };
    text.parse().map_err(|error| refusals::malformed(format!("after: {error}")))
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        Problem::new(match error {
            FeedError::Gone => &refusals::CURSOR_GONE,
            FeedError::NewerVersion => &refusals::NEWER_LEDGER,
            FeedError::Unavailable => &refusals::LEDGER_UNAVAILABLE,
        })
    }
}
