//! Replay of the events of a time range to a webhook.

use super::as_of::parse_instant;
use crate::http::access::{AnyRole, ManagerScope, SiteAccess};
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
use paihao_contracts::envelope::{Form, read_stored};
use paihao_contracts::public_event::PublicEvent;
use paihao_contracts::streams::{LEDGER, WEBHOOKS, webhook_replay_key};
use paihao_contracts::webhook::{WebhookMessage, hook_name};
use paihao_http_api::body;
use paihao_ledger::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// Largest number of events of one replay.
const MAX_REPLAYED_EVENTS: usize = 10_000;

/// Time limit for reading the ledger.
const REPLAY_SCAN_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of messages that are put on the queue at once.
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
                &refusals::TOO_MANY_REQUESTS,
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

impl Form for ReplayRecord {
    const NAME: &'static str = "webhook replay";
    const VERSION_IF_ABSENT: Option<u32> = Some(1);
}

async fn replay(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
    SiteAccess { principal, .. }: SiteAccess<ManagerScope>,
    headers: HeaderMap,
    body: Body,
) -> Result<Accepted<ReplayWebhookResult>, Problem> {
    let hooks = state.deployment.webhooks.get(&site);
    let types = hooks.and_then(|hooks| hooks.get(&id)).ok_or(&refusals::UNKNOWN_WEBHOOK)?;
    let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?;
    let (from, to) = parse_range(&state, &site, &body)?;
    let key = idempotency::key(&headers)?.map_or_else(|| entropy::token(16), str::to_owned);
    let request = format!("{}\0{site}\0{id}\0{key}", principal.name);
    let record_key = webhook_replay_key(&hex::encode(Sha256::digest(request)));
    let body_hash = hex::encode(Sha256::digest(&body));
    if let Some(record) = load_record(&state, &record_key).await? {
        match record {
            ReplayRecord { body, .. } if body != body_hash => {
                return Err(Problem::new(&refusals::IDEMPOTENCY_KEY_REUSED));
            }
            ReplayRecord { done: Some(result), .. } => return Ok(Accepted(result)),
            // It was interrupted, or is under way: no message is queued twice.
            ReplayRecord { done: None, .. } => {}
        }
    }
    let _permit = state.fair_use.replays.admit(&principal.name, &site)?;
    let started = ReplayRecord { body: body_hash.clone(), done: None };
    store_record(&state, &record_key, &started).await;
    let events = matching_events(&state, &site, types, from, to).await?;
    let queued = events.len();
    enqueue(&state, &site, &id, &record_key, events).await?;
    tracing::info!(site, webhook = id, staff = &*principal.name, queued, "replay queued");
    let done = Some(ReplayWebhookResult { queued });
    store_record(&state, &record_key, &ReplayRecord { body: body_hash, done }).await;
    Ok(Accepted(ReplayWebhookResult { queued }))
}

/// Parses the time range of a replay, in Unix milliseconds.
fn parse_range(state: &AppState, site: &str, body: &[u8]) -> Result<(i64, i64), Problem> {
    let request: ReplayWebhookRequest = body::parse_object::<AppState, _>(body)?;
    let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let read = |name: &str, text: &str| {
        let detail = format!("{name}: use 2026-11-23T10:42:00+08:00, or without the offset");
        parse_instant(text, &settings.calendar).ok_or_else(|| refusals::malformed(detail))
    };
    let now = state.clock.now_ms();
    let from = read("from", &request.from)?;
    let to = request.to.map_or(Ok(now), |to| read("to", &to))?;
    if from >= to {
        return Err(refusals::malformed("from: has to be before to"));
    }
    if LEDGER.retention.is_some_and(|retention| from < now - retention.as_millis() as i64) {
        return Err(Problem::new(&refusals::PAST_GONE));
    }
    Ok((from, to))
}

/// Events of these types in the time range, whose end is exclusive.
async fn matching_events(
    state: &AppState,
    site: &str,
    types: &BTreeSet<String>,
    from: i64,
    to: i64,
) -> Result<Vec<PublicEvent>, Problem> {
    let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let mut reader = state.feed.open(&settings.subject, Cursor::Beginning).await?;
    let mut events = Vec::new();
    let deadline = Instant::now() + REPLAY_SCAN_TIMEOUT;
    while !reader.has_read_all() {
        let step = timeout_at(deadline, reader.next()).await;
        let step = step.map_err(|_| &refusals::LEDGER_UNAVAILABLE)??;
        let is_selected = |event: &PublicEvent| {
            (from..to).contains(&event.at) && types.contains(event.kind.name())
        };
        events.extend(step.events.into_iter().filter(is_selected));
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
    record_key: &str,
    events: Vec<PublicEvent>,
) -> Result<(), Problem> {
    let hook = hook_name(site, id);
    let since = state.clock.now_ms();
    let put = |event: PublicEvent| {
        let event = PublicEvent { replay: true, ..event };
        let message = WebhookMessage { v: 1, hook: hook.clone(), since, event };
        async move {
            let key = format!("{}/{record_key}", message.key());
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

/// Loads the record of an idempotency key. Without the cache every request is new: events are then
/// sent twice, marked as replayed.
async fn load_record(state: &AppState, record_key: &str) -> Result<Option<ReplayRecord>, Problem> {
    let Ok(stored) = state.cache.get(record_key).await else { return Ok(None) };
    Ok(read_stored(stored.as_deref()).map_err(|_| &refusals::NEWER_LEDGER)?)
}

async fn store_record(state: &AppState, record_key: &str, record: &ReplayRecord) {
    let value = Bytes::from(serde_json::to_vec(record).expect("string keys only"));
    if let Err(error) = state.cache.put(record_key, value, IDEMPOTENCY_TTL).await {
        tracing::warn!(%error, "cannot store the idempotency key of a replay");
    }
}
