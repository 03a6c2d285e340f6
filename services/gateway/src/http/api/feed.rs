//! What happened at a site, for the owner's other systems: as a stream, and by pages.

use crate::http::asker::Asker;
use crate::http::openapi::{ANY_KEY, Routes, op};
use crate::http::refusals::{self, Problem, ProblemSeen};
use crate::http::state::Door;
use crate::http::{live, paging};
use crate::projections::feed::cursor::Cursor;
use crate::projections::feed::{Reading, Stopped, Told};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use paihao_contracts::public::PublicEvent;
use paihao_ledger::Position;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A page looks through the ledger for this long at most; the next one goes on from there.
const LOOKING: Duration = Duration::from_secs(3);

pub(super) fn routes() -> Routes {
    let read = [&refusals::CURSOR_GONE, &refusals::LEDGER_UNAVAILABLE];
    Routes::new()
        .get(
            "/api/v1/sites/{site}/feed",
            listen,
            op("feed", "Everything that happens at the site, as it happens", ANY_KEY)
                .queried::<Wanted>()
                .header("Last-Event-ID", "The cursor of somebody who comes back")
                .tells::<PublicEvent>("*")
                .tells::<ProblemSeen>("refused")
                .refuses(&[&refusals::TOO_MANY_FEEDS])
                .refuses(&read),
        )
        .get(
            "/api/v1/sites/{site}/feed/pages",
            page,
            op("feed_pages", "Everything that happened at the site, by pages", ANY_KEY)
                .queried::<Wanted>()
                .refuses(&read)
                .refuses(&[&refusals::NEWER_LEDGER]),
        )
}

/// Where to begin.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "FeedQuery")]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// A cursor: an event's id, the `next` of a page, or `now`. The oldest that is kept without one.
    after: Option<String>,
    /// Of pages: how many events, 1 to 500; 100 unless said.
    limit: Option<usize>,
}

/// Some events, and where the next ones begin.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeedPage")]
struct Page {
    events: Vec<PublicEvent>,
    /// To be asked for as `after` next time, also when there is nothing more yet.
    next: String,
    /// Whether there was more when this was asked for.
    more: bool,
}

async fn listen(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    asker.at(&door, &site)?;
    let wanted = understood(wanted)?;
    // A browser that comes back says this instead of what stands in the address.
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let after = cursor(last.or(wanted.after.as_deref()))?;
    let place = door.feed.place().map_err(|_| &refusals::TOO_MANY_FEEDS)?;
    let told = door.feed.stream(begin(&door, &site, after).await?, place);
    let events = stream::unfold(told, async |mut told| Some((event(told.recv().await?), told)));
    let events = Box::pin(events).take_until(Box::pin(asker.until_out(door.clone())));
    Ok(live::sse(Box::pin(events), &door.stop).into_response())
}

fn event(told: Told) -> Event {
    match told {
        Told::Event(event) => Event::default()
            .id(event.id.to_string())
            .event(event.happened.name())
            .json_data(event)
            .expect("string keys only"),
        // Without data nobody is told, but the listener remembers the id.
        Told::Progress(cursor) => Event::default().id(cursor.to_string()),
        Told::Stopped(stopped) => {
            let problem = Problem::from(stopped).body();
            Event::default().event("refused").json_data(problem).expect("string keys only")
        }
    }
}

async fn page(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    asker.at(&door, &site)?;
    let wanted = understood(wanted)?;
    let limit = paging::limit(wanted.limit)?;
    let after = cursor(wanted.after.as_deref())?;
    let reading = begin(&door, &site, after).await?;
    Ok(Json(turned(reading, after, limit).await?))
}

/// Reads a page, no further than the ledger reached when it began.
async fn turned(mut reading: Reading, after: Cursor, limit: usize) -> Result<Page, Stopped> {
    let (mut events, mut next, mut reached) = (Vec::new(), after, Position::START);
    let deadline = Instant::now() + LOOKING;
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
            return Ok(Page { next: next.to_string(), more: true, events });
        }
        if events.len() == limit {
            break;
        }
    }
    if next == Cursor::Now {
        next = Cursor::Beginning;
    }
    Ok(Page { next: next.to_string(), more: reached < reading.head, events })
}

async fn begin(door: &Door, site: &str, after: Cursor) -> Result<Reading, Problem> {
    let book = door.lines.book(site).ok_or(&refusals::UNKNOWN_SITE)?;
    Ok(door.feed.read(&book.subject, after).await?)
}

fn understood(wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Wanted, Problem> {
    let Query(wanted) = wanted.map_err(|rejected| {
        Problem::new(&refusals::MALFORMED_REQUEST).detail(rejected.body_text())
    })?;
    Ok(wanted)
}

fn cursor(text: Option<&str>) -> Result<Cursor, Problem> {
    let Some(text) = text else { return Ok(Cursor::Beginning) };
    let read = text.parse::<Cursor>();
    read.map_err(|error| {
        Problem::new(&refusals::MALFORMED_REQUEST).detail(format!("after: {error}"))
    })
}

impl From<Stopped> for Problem {
    fn from(stopped: Stopped) -> Self {
        Problem::new(match stopped {
            Stopped::Gone => &refusals::CURSOR_GONE,
            Stopped::Newer => &refusals::NEWER_LEDGER,
            Stopped::Unavailable => &refusals::LEDGER_UNAVAILABLE,
        })
    }
}
