//! Event feed of a site for the owner's other systems: as a stream, and in pages.

use crate::http::access::{AnyRole, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemDetails};
use crate::http::state::AppState;
use crate::projections::feed::cursor::Cursor;
use crate::projections::feed::{FeedError, FeedMessage, FeedReader};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use paihao_contracts::public_event::PublicEvent;
use paihao_http_api::ApiQuery;
use paihao_http_api::{pagination, sse};
use paihao_ledger::Position;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A page looks through the ledger for this long at most; the next one goes on from there.
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
                .refuses(&[&refusals::TOO_MANY_FEEDS])
                .refuses(&read),
        )
        .get(
            "/api/v1/sites/{site}/feed/pages",
            page,
            endpoint("feed_pages", "Lists the site's events in pages")
                .refuses(&read)
                .refuses(&[&refusals::NEWER_LEDGER]),
        )
}

/// Start of the feed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FeedQuery {
    /// A cursor: an event's id, the `next` of a page, or `now`. The oldest that is kept without
    /// one.
    after: Option<String>,
    /// Of pages: how many events, 1 to 500; 100 unless said.
    limit: Option<usize>,
}

/// Some events, and where the next ones begin.
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
    // A browser that comes back says this instead of what stands in the address.
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let after = parse_cursor(last.or(query.after.as_deref()))?;
    let place = state.feed.acquire_stream_permit().map_err(|_| &refusals::TOO_MANY_FEEDS)?;
    let told = state.feed.stream(start_reading(&state, &site, after).await?, place);
    let events = stream::unfold(told, async |mut told| Some((sse_event(told.recv().await?), told)));
    let events = Box::pin(events).take_until(Box::pin(principal.until_revoked(state.clone())));
    Ok(sse::event_stream(Box::pin(events), &state.stop).into_response())
}

fn sse_event(told: FeedMessage) -> Event {
    match told {
        FeedMessage::Event(event) => Event::default()
            .id(event.id.to_string())
            .event(event.kind.name())
            .json_data(event)
            .expect("string keys only"),
        // Without data nobody is told, but the listener remembers the id.
        FeedMessage::Progress(cursor) => Event::default().id(cursor.to_string()),
        FeedMessage::Stopped(stopped) => {
            let problem = Problem::from(stopped).body();
            Event::default().event("refused").json_data(problem).expect("string keys only")
        }
    }
}

async fn page(
    State(state): State<AppState>,
    SiteAccess { site, .. }: SiteAccess<AnyRole>,
    ApiQuery(query): ApiQuery<FeedQuery>,
) -> Result<Json<FeedPage>, Problem> {
    let limit = pagination::limit::<AppState>(query.limit)?;
    let after = parse_cursor(query.after.as_deref())?;
    let reading = start_reading(&state, &site, after).await?;
    Ok(Json(read_page(reading, after, limit).await?))
}

/// Reads a page, no further than the ledger reached when it began.
async fn read_page(
    mut reading: FeedReader,
    after: Cursor,
    limit: usize,
) -> Result<FeedPage, FeedError> {
    let (mut events, mut next, mut reached) = (Vec::new(), after, Position::START);
    let deadline = Instant::now() + PAGE_SCAN_TIMEOUT;
    while reached < reading.head {
        let Ok(step) = timeout_at(deadline, reading.next()).await else { break };
        let step = step?;
        reached = step.position;
        next = Cursor::Commit(reached.0);
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
    if next == Cursor::Now {
        next = Cursor::Beginning;
    }
    Ok(FeedPage { next: next.to_string(), more: reached < reading.head, events })
}

async fn start_reading(state: &AppState, site: &str, after: Cursor) -> Result<FeedReader, Problem> {
    let book = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    Ok(state.feed.open(&book.subject, after).await?)
}

fn parse_cursor(text: Option<&str>) -> Result<Cursor, Problem> {
    let Some(text) = text else { return Ok(Cursor::Beginning) };
    let read = text.parse::<Cursor>();
    read.map_err(|error| {
        Problem::new(&refusals::MALFORMED_REQUEST).with_detail(format!("after: {error}"))
    })
}

impl From<FeedError> for Problem {
    fn from(stopped: FeedError) -> Self {
        Problem::new(match stopped {
            FeedError::Gone => &refusals::CURSOR_GONE,
            FeedError::NewerVersion => &refusals::NEWER_LEDGER,
            FeedError::Unavailable => &refusals::LEDGER_UNAVAILABLE,
        })
    }
}
