//! One ticket, to whoever has its link: how it stands, live, and what its holder may do.

mod acts;
mod seen;
mod turns;

pub(crate) use turns::Turns;

use crate::http::holders::{Asked, asked};
use crate::http::live;
use crate::http::openapi::answer::{Answer, Answered};
use crate::http::openapi::{OPEN, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::lines::View;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use schemars::JsonSchema;
use seen::{TicketSeen, seen};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// A phone is told at most this often.
const BREATH: Duration = Duration::from_millis(200);

/// This often the stream says that it lives, and looks whether the wait is another one by now.
const BEAT: Duration = Duration::from_secs(20);

/// What a link shows is for its holder: nobody on the way is to keep it.
const PRIVATE: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// A ticket to its holder, which nobody on the way keeps.
struct Private(TicketSeen);

impl IntoResponse for Private {
    fn into_response(self) -> Response {
        (PRIVATE, Json(self.0)).into_response()
    }
}

impl Answer for Private {
    fn answered() -> Vec<Answered> {
        Json::<TicketSeen>::answered()
    }
}

pub(super) fn routes() -> Routes {
    let reads = |id, summary| op(id, summary, OPEN).refuses(&[&refusals::UNKNOWN_LINK]);
    let events = reads("held_ticket_events", "The same, whenever it changes")
        .tells::<TicketSeen>("ticket")
        .tells::<Alive>("alive")
        .refuses(&[&refusals::TOO_MANY_WISHES]);
    Routes::new()
        .get(
            "/api/v1/tickets/{site}/{id}",
            show,
            reads("held_ticket", "The ticket that a link opens, as its holder sees it"),
        )
        .get("/api/v1/tickets/{site}/{id}/events", events_of, events)
        .merge(acts::routes())
}

async fn show(
    State(door): State<Door>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Private, Problem> {
    now(&door, &asked(&site, &id)?)
}

/// The ticket as it stands, and when that was.
fn now(door: &Door, asked: &Asked) -> Result<Private, Problem> {
    let held = asked.open(door)?;
    Ok(Private(seen(door, &held).at(door.clock.now_ms())))
}

async fn events_of(
    State(door): State<Door>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let asked = asked(&site, &id)?;
    asked.open(&door)?;
    let views = door.lines.watch(&site).ok_or(&crate::http::refusals::UNKNOWN_LINK)?;
    let place = door.turns.listen(&site, &id)?;
    let stop = door.stop.clone();
    let story = Story { views, fates: door.fates.watch(&site), door, asked, told: None };
    let events = stream::unfold((story, place), async |(mut story, place)| {
        let event = story.next().await?;
        Some((event, (story, place)))
    });
    Ok((PRIVATE, live::sse(Box::pin(events), &stop)).into_response())
}

/// What one phone has been told, and what it waits for.
struct Story {
    views: watch::Receiver<View>,
    fates: watch::Receiver<()>,
    door: Door,
    asked: Asked,
    told: Option<TicketSeen>,
}

/// Nothing has changed, and the server is there.
#[derive(Serialize, JsonSchema)]
struct Alive {
    /// When that was, in Unix milliseconds.
    now: i64,
}

impl Story {
    /// The next thing to tell: the ticket, when it stands otherwise than was told; or that nothing
    /// has changed. Ends when there is no such ticket any more.
    async fn next(&mut self) -> Option<Event> {
        let beat = Instant::now() + BEAT;
        let first = self.told.is_none();
        loop {
            let waited = match first {
                true => Waited::Changed,
                false => self.change(beat).await?,
            };
            let held = self.asked.open(&self.door).ok()?;
            let fresh = seen(&self.door, &held);
            let now = self.door.clock.now_ms();
            let same = self.told.as_ref() == Some(&fresh);
            match waited {
                Waited::Changed if same => {}
                Waited::Long if same => {
                    return Event::default().event("alive").json_data(Alive { now }).ok();
                }
                _ => {
                    self.told = Some(fresh.clone());
                    let position = self.views.borrow().position.0.to_string();
                    let event = Event::default().event("ticket").id(position);
                    return event.json_data(fresh.at(now)).ok();
                }
            }
        }
    }

    async fn change(&mut self, beat: Instant) -> Option<Waited> {
        let changed = tokio::select! {
            changed = self.views.changed() => changed,
            changed = self.fates.changed() => changed,
            () = sleep_until(beat) => return Some(Waited::Long),
        };
        changed.ok()?;
        // Changes that come together reach a phone as one.
        sleep(BREATH).await;
        self.views.mark_unchanged();
        self.fates.mark_unchanged();
        Some(Waited::Changed)
    }
}

enum Waited {
    Changed,
    Long,
}
