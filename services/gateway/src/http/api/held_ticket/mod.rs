//! Ticket of a link: its state, once and as a stream, and the actions of its holder.

mod actions;
mod coming;
mod view;

use crate::engine::SiteSnapshot;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use crate::http::ticket_link::{HeldTicket, SiteTicketLink, parse};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use paihao_http_api::sse::{self, Pace};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use view::{HeldTicketView, held_ticket_view};

/// Shortest time between two events of a stream.
const MIN_PUSH_INTERVAL: Duration = Duration::from_millis(200);

/// Interval of keepalive events, at which the quoted wait is computed again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

pub(super) fn routes() -> Routes {
    let reads = |id, summary| {
        endpoint(id, summary).refuses(&[&refusals::UNKNOWN_LINK, &refusals::LEDGER_UNAVAILABLE])
    };
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
) -> Result<Json<HeldTicketView>, Problem> {
    let held = parse(&site, &id)?.resolve_to_show(&state).await?;
    Ok(ticket_now(&state, &held))
}

/// Response after an action, whose decision this replica has applied.
fn current_ticket(
    state: &AppState,
    link: &SiteTicketLink,
) -> Result<Json<HeldTicketView>, Problem> {
    Ok(ticket_now(state, &link.resolve(state)?))
}

fn ticket_now(state: &AppState, held: &HeldTicket) -> Json<HeldTicketView> {
    Json(held_ticket_view(state, held).with_now(state.clock.now_ms()))
}

async fn stream_events(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
    place: StreamPlace,
) -> Result<Response, Problem> {
    let link = parse(&site, &id)?;
    link.resolve_to_show(&state).await?;
    let snapshots = state.engine.watch(&site).ok_or(&refusals::UNKNOWN_LINK)?;
    let permit = state.link_limiter.acquire_stream(&site, &id)?;
    let stop = state.stop.clone();
    let ticket_stream = TicketStream {
        snapshots,
        delivery_changes: state.delivery_status.watch(&site),
        state,
        link,
        pace: Pace::new(MIN_PUSH_INTERVAL),
        last_sent: None,
    };
    let events = stream::unfold((ticket_stream, permit), async |(mut ticket_stream, permit)| {
        let event = ticket_stream.next().await?;
        Some((event, (ticket_stream, permit)))
    });
    let events = place.hold(Box::pin(events));
    Ok(sse::event_stream(events, &stop).into_response())
}

/// State of one stream of a ticket.
struct TicketStream {
    snapshots: watch::Receiver<SiteSnapshot>,
    delivery_changes: watch::Receiver<()>,
    state: AppState,
    link: SiteTicketLink,
    pace: Pace,
    last_sent: Option<HeldTicketView>,
}

/// Keepalive of a stream whose ticket has not changed.
#[derive(Serialize, JsonSchema)]
struct KeepaliveEvent {
    /// Time of the state, in Unix milliseconds.
    now: i64,
}

impl TicketStream {
    /// Waits for the next event: the ticket when it has changed, or a keepalive. Returns `None`
    /// when there is no such ticket any more.
    async fn next(&mut self) -> Option<Event> {
        let keepalive_at = Instant::now() + KEEPALIVE_INTERVAL;
        let first = self.last_sent.is_none();
        loop {
            let reason = if first {
                WakeReason::Changed
            } else {
                self.wait_for_change(keepalive_at).await?
            };
            let held = self.link.resolve(&self.state).ok()?;
            let view = held_ticket_view(&self.state, &held);
            let now = self.state.clock.now_ms();
            let is_same = self.last_sent.as_ref() == Some(&view);
            match reason {
                WakeReason::Changed if is_same => {}
                WakeReason::Idle if is_same => {
                    return Event::default().event("alive").json_data(KeepaliveEvent { now }).ok();
                }
                _ => {
                    self.last_sent = Some(view.clone());
                    let position = self.snapshots.borrow().position.0.to_string();
                    let event = Event::default().event("ticket").id(position);
                    return event.json_data(view.with_now(now)).ok();
                }
            }
        }
    }

    async fn wait_for_change(&mut self, keepalive_at: Instant) -> Option<WakeReason> {
        let changed = tokio::select! {
            changed = self.snapshots.changed() => changed,
            changed = self.delivery_changes.changed() => changed,
            () = sleep_until(keepalive_at) => return Some(WakeReason::Idle),
        };
        changed.ok()?;
        self.pace.keep().await;
        self.snapshots.mark_unchanged();
        self.delivery_changes.mark_unchanged();
        Some(WakeReason::Changed)
    }
}

enum WakeReason {
    Changed,
    Idle,
}
