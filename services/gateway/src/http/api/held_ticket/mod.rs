//! A ticket for whoever has its link: its state, live, and the actions of its holder.

mod actions;
mod view;

use crate::engine::SiteSnapshot;
use crate::http::openapi::{ApiResponse, ResponseSpec};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link::{SiteTicketLink, parse};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use paihao_http_api::sse;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use view::{HeldTicketView, held_ticket_view};

/// Shortest time between two events of a stream.
const MIN_PUSH_INTERVAL: Duration = Duration::from_millis(200);

/// This often the stream says that it lives, and looks whether the wait is another one by now.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// Header of responses to a link, which must not be cached.
const NO_STORE_HEADER: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// A ticket to its holder, which nobody on the way keeps.
struct UncachedTicket(HeldTicketView);

impl IntoResponse for UncachedTicket {
    fn into_response(self) -> Response {
        (NO_STORE_HEADER, Json(self.0)).into_response()
    }
}

impl ApiResponse for UncachedTicket {
    fn response_specs() -> Vec<ResponseSpec> {
        Json::<HeldTicketView>::response_specs()
    }
}

pub(super) fn routes() -> Routes {
    let reads = |id, summary| endpoint(id, summary).refuses(&[&refusals::UNKNOWN_LINK]);
    let events = reads("held_ticket_events", "Streams the ticket whenever it changes")
        .sends_event::<HeldTicketView>("ticket")
        .sends_event::<KeepaliveEvent>("alive")
        .refuses(&[&refusals::TOO_MANY_WISHES]);
    Routes::new()
        .get(
            "/api/v1/tickets/{site}/{id}",
            show,
            reads("held_ticket", "Shows the ticket that a link opens, as its holder sees it"),
        )
        .get("/api/v1/tickets/{site}/{id}/events", stream_events, events)
        .merge(actions::routes())
}

async fn show(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
) -> Result<UncachedTicket, Problem> {
    current_ticket(&state, &parse(&site, &id)?)
}

/// The ticket as it stands, and when that was.
fn current_ticket(state: &AppState, asked: &SiteTicketLink) -> Result<UncachedTicket, Problem> {
    let held = asked.resolve(state)?;
    Ok(UncachedTicket(held_ticket_view(state, &held).with_now(state.clock.now_ms())))
}

async fn stream_events(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let asked = parse(&site, &id)?;
    asked.resolve(&state)?;
    let views = state.engine.watch(&site).ok_or(&crate::http::refusals::UNKNOWN_LINK)?;
    let place = state.link_limiter.acquire_stream(&site, &id)?;
    let stop = state.stop.clone();
    let story = TicketStream {
        views,
        delivery_changes: state.delivery_status.watch(&site),
        state,
        link: asked,
        last_sent: None,
    };
    let events = stream::unfold((story, place), async |(mut story, place)| {
        let event = story.next().await?;
        Some((event, (story, place)))
    });
    Ok((NO_STORE_HEADER, sse::event_stream(Box::pin(events), &stop)).into_response())
}

/// State of one stream of a ticket.
struct TicketStream {
    views: watch::Receiver<SiteSnapshot>,
    delivery_changes: watch::Receiver<()>,
    state: AppState,
    link: SiteTicketLink,
    last_sent: Option<HeldTicketView>,
}

/// Nothing has changed, and the server is there.
#[derive(Serialize, JsonSchema)]
struct KeepaliveEvent {
    /// Time of the state, in Unix milliseconds.
    now: i64,
}

impl TicketStream {
    /// The next thing to tell: the ticket, when it stands otherwise than was told; or that nothing
    /// has changed. Ends when there is no such ticket any more.
    async fn next(&mut self) -> Option<Event> {
        let beat = Instant::now() + KEEPALIVE_INTERVAL;
        let first = self.last_sent.is_none();
        loop {
            let waited =
                if first { WakeReason::Changed } else { self.wait_for_change(beat).await? };
            let held = self.link.resolve(&self.state).ok()?;
            let fresh = held_ticket_view(&self.state, &held);
            let now = self.state.clock.now_ms();
            let same = self.last_sent.as_ref() == Some(&fresh);
            match waited {
                WakeReason::Changed if same => {}
                WakeReason::Idle if same => {
                    return Event::default().event("alive").json_data(KeepaliveEvent { now }).ok();
                }
                _ => {
                    self.last_sent = Some(fresh.clone());
                    let position = self.views.borrow().position.0.to_string();
                    let event = Event::default().event("ticket").id(position);
                    return event.json_data(fresh.with_now(now)).ok();
                }
            }
        }
    }

    async fn wait_for_change(&mut self, beat: Instant) -> Option<WakeReason> {
        let changed = tokio::select! {
            changed = self.views.changed() => changed,
            changed = self.delivery_changes.changed() => changed,
            () = sleep_until(beat) => return Some(WakeReason::Idle),
        };
        changed.ok()?;
        // Changes that come together reach a phone as one.
        sleep(MIN_PUSH_INTERVAL).await;
        self.views.mark_unchanged();
        self.delivery_changes.mark_unchanged();
        Some(WakeReason::Changed)
    }
}

enum WakeReason {
    Changed,
    Idle,
}
