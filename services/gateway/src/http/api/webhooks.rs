//! Replay of the events of a time range to a webhook.

use super::as_of::parse_instant;
use crate::http::access::{AnyRole, SiteAccess};
use crate::http::idempotency;
use crate::http::openapi::{Accepted, IdempotencyKeyExt};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::projections::feed::cursor::Cursor;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use paihao_chassis::entropy;
use paihao_contracts::public_event::PublicEvent;
use paihao_contracts::streams::{LEDGER, WEBHOOKS, webhook_replay_key};
use paihao_contracts::webhook::{WebhookMessage, hook_name};
use paihao_http_api::body;
use paihao_ledger::{Entry, Position};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes a request may have.
const MAX_BODY_BYTES: usize = 4096;

/// Largest number of events of one replay.
const MAX_REPLAYED_EVENTS: usize = 10_000;

/// Time limit for reading the ledger.
const REPLAY_SCAN_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages put on the queue at once.
const ENQUEUE_CONCURRENCY: usize = 32;

/// Time for which an idempotency key is stored.
const IDEMPOTENCY_TTL: Duration = Duration::from_secs(15 * 60);

pub(super) fn routes() -> Routes {
    let routes = Routes::new().get(
        "/api/v1/sites/{site}/webhooks",
        list,
        endpoint("webhooks", "Lists the webhooks of the site"),
    );
    routes.post(
        "/api/v1/sites/{site}/webhooks/{id}/replay",
        replay,
        endpoint("replay_webhook", "Sends the events of a time range to a webhook again")
            .json_body::<ReplayWebhookRequest>()
            .idempotency_key()
            .refuses(&[
                &refusals::UNKNOWN_WEBHOOK,
                &refusals::REPLAY_TOO_LARGE,
                &refusals::PAST_GONE,
                &refusals::CURSOR_GONE,
                &refusals::LEDGER_UNAVAILABLE,
                &refusals::NEWER_LEDGER,
            ]),
    )
}

/// A webhook of the configuration, without its address and its secret.
#[derive(Serialize, JsonSchema)]
struct WebhookView {
    id: String,
    /// Event types that are sent to it.
    events: BTreeSet<String>,
}

async fn list(
    State(state): State<AppState>,
    SiteAccess { site, .. }: SiteAccess<AnyRole>,
) -> Result<Json<Vec<WebhookView>>, Problem> {
    let hooks = state.deployment.webhooks.get(&site).cloned().unwrap_or_default();
    Ok(Json(hooks.into_iter().map(|(id, events)| WebhookView { id, events }).collect()))
}

/// Time range of a replay.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReplayWebhookRequest {
    /// `2026-11-23T10:42:00+08:00`, or without an offset by the site's clocks.
    from: String,
    /// End of the range, exclusive; now without it.
    to: Option<String>,
}

/// Result of a replay.
#[derive(Serialize, Deserialize, JsonSchema)]
struct ReplayWebhookResult {
    /// Number of events that were queued.
    queued: usize,
}

/// Stored response to an idempotency key.
#[derive(Serialize, Deserialize)]
struct ReplayRecord {
    /// Hash of the request.
    body: String,
    /// Response to the first request, once there is one.
    done: Option<ReplayWebhookResult>,
}

async fn replay(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
    SiteAccess { principal, .. }: SiteAccess<AnyRole>,
    headers: HeaderMap,
    body: Body,
) -> Result<Accepted<ReplayWebhookResult>, Problem> {
    let of_site = state.deployment.webhooks.get(&site);
    let types = of_site.and_then(|hooks| hooks.get(&id)).ok_or(&refusals::UNKNOWN_WEBHOOK)?;
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let (from, to) = parse_range(&state, &site, &body)?;
    let key = idempotency::key(&headers)?.map_or_else(|| entropy::token(16), str::to_owned);
    let name = format!("{}\0{site}\0{id}\0{key}", principal.name);
    let name = webhook_replay_key(&hex::encode(Sha256::digest(name)));
    let asked = hex::encode(Sha256::digest(&body));
    let accepted = |done| Ok(Accepted(done));
    if let Some(wish) = load_record(&state, &name).await {
        match wish {
            ReplayRecord { body, .. } if body != asked => {
                return Err(Problem::new(&refusals::IDEMPOTENCY_KEY_REUSED));
            }
            ReplayRecord { done: Some(done), .. } => return accepted(done),
            // It broke off, or goes on: what it has queued is not queued twice.
            ReplayRecord { done: None, .. } => {}
        }
    }
    store_record(&state, &name, &ReplayRecord { body: asked.clone(), done: None }).await;
    let events = matching_events(&state, &site, types, from, to).await?;
    let done = ReplayWebhookResult { queued: events.len() };
    enqueue(&state, &site, &id, &name, events).await?;
    tracing::info!(
        site,
        webhook = id,
        staff = &*principal.name,
        queued = done.queued,
        "replay queued"
    );
    let queued = done.queued;
    store_record(&state, &name, &ReplayRecord { body: asked, done: Some(done) }).await;
    accepted(ReplayWebhookResult { queued })
}

/// From and to, in Unix milliseconds.
fn parse_range(state: &AppState, site: &str, body: &[u8]) -> Result<(i64, i64), Problem> {
    let malformed = |detail: String| Problem::new(&refusals::MALFORMED_REQUEST).with_detail(detail);
    let wanted: ReplayWebhookRequest = body::parse_object::<AppState, _>(body)?;
    let book = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let read = |name: &str, text: &str| {
        let detail = format!("{name}: use 2026-11-23T10:42:00+08:00, or without the offset");
        parse_instant(text, &book.calendar).ok_or_else(|| malformed(detail))
    };
    let now = state.clock.now_ms();
    let from = read("from", &wanted.from)?;
    let to = wanted.to.map_or(Ok(now), |to| read("to", &to))?;
    if from >= to {
        return Err(malformed("from: has to be before to".to_owned()));
    }
    if LEDGER.retention.is_some_and(|kept| from < now - kept.as_millis() as i64) {
        return Err(Problem::new(&refusals::PAST_GONE));
    }
    Ok((from, to))
}

/// Events of these types from the one time on and before the other.
async fn matching_events(
    state: &AppState,
    site: &str,
    types: &BTreeSet<String>,
    from: i64,
    to: i64,
) -> Result<Vec<PublicEvent>, Problem> {
    let book = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let mut reading = state.feed.open(&book.subject, Cursor::Beginning).await?;
    let (mut events, mut reached) = (Vec::new(), Position::START);
    let deadline = Instant::now() + REPLAY_SCAN_TIMEOUT;
    while reached < reading.head {
        let step = timeout_at(deadline, reading.next()).await;
        let step = step.map_err(|_| &refusals::LEDGER_UNAVAILABLE)??;
        reached = step.position;
        let is_wanted = |event: &PublicEvent| {
            (from..to).contains(&event.at) && types.contains(event.kind.name())
        };
        events.extend(step.events.into_iter().filter(is_wanted));
        if events.len() > MAX_REPLAYED_EVENTS {
            return Err(Problem::new(&refusals::REPLAY_TOO_LARGE));
        }
    }
    Ok(events)
}

async fn enqueue(
    state: &AppState,
    site: &str,
    id: &str,
    wish: &str,
    events: Vec<PublicEvent>,
) -> Result<(), Problem> {
    let (hook, since) = (hook_name(site, id), state.clock.now_ms());
    let put = |event: PublicEvent| {
        let event = PublicEvent { replay: true, ..event };
        let message = WebhookMessage { v: 1, hook: hook.clone(), since, event };
        async move {
            let key = format!("{}/{wish}", message.key());
            let entry = Entry::new(message.encode());
            state.ledger.enqueue(&WEBHOOKS, &key, entry, Duration::ZERO).await.map(drop)
        }
    };
    let all =
        stream::iter(events.into_iter().map(put)).buffered(ENQUEUE_CONCURRENCY).try_collect::<()>();
    all.await.map_err(|error| {
        tracing::warn!(%error, "cannot queue the replay");
        Problem::new(&refusals::LEDGER_UNAVAILABLE)
    })
}

/// Without the cache every request is new: events are then sent twice, marked as replayed.
async fn load_record(state: &AppState, name: &str) -> Option<ReplayRecord> {
    let stored = state.cache.get(name).await.ok().flatten()?;
    serde_json::from_slice(&stored).ok()
}

async fn store_record(state: &AppState, name: &str, wish: &ReplayRecord) {
    let value = Bytes::from(serde_json::to_vec(wish).expect("string keys only"));
    if let Err(error) = state.cache.put(name, value, IDEMPOTENCY_TTL).await {
        tracing::warn!(%error, "cannot store the idempotency key of a replay");
    }
}
