//! Has a webhook told again what happened in a time.

use super::past::instant;
use super::staff::idempotency_key;
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::openapi::answer::Accepted;
use crate::http::openapi::{ANY_KEY, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::projections::feed::cursor::Cursor;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use paihao_chassis::entropy;
use paihao_contracts::names::{LEDGER, WEBHOOKS, webhook_replay};
use paihao_contracts::public::PublicEvent;
use paihao_contracts::webhook::{WebhookMessage, hook_name};
use paihao_ledger::{Entry, Position};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes a request may have.
const BODY_LIMIT: usize = 4096;

/// Events that are told again on one wish.
const MOST: usize = 10_000;

/// How long the ledger is looked through.
const LOOKING: Duration = Duration::from_secs(10);

/// Messages put on the queue at once.
const AT_ONCE: usize = 32;

/// How long a wish is remembered.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

pub(super) fn routes() -> Routes {
    let routes = Routes::new().get(
        "/api/v1/sites/{site}/webhooks",
        list,
        op("webhooks", "Who is told what happens at a site", ANY_KEY),
    );
    routes.post(
        "/api/v1/sites/{site}/webhooks/{id}/replay",
        replay,
        op("replay_webhook", "Has a webhook told again what happened in a time", ANY_KEY)
            .takes::<Wanted>()
            .keyed()
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
#[schemars(rename = "Webhook")]
struct Hook {
    id: String,
    /// The types of event that it is told of.
    events: BTreeSet<String>,
}

async fn list(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
) -> Result<Json<Vec<Hook>>, Problem> {
    asker.at(&door, &site)?;
    let hooks = door.book.webhooks.get(&site).cloned().unwrap_or_default();
    Ok(Json(hooks.into_iter().map(|(id, events)| Hook { id, events }).collect()))
}

/// Which time.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ReplayWanted")]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// `2026-11-23T10:42:00+08:00`, or without an offset by the site's clocks.
    from: String,
    /// The end, which is not told any more; now without one.
    to: Option<String>,
}

/// What was queued.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Replayed")]
struct Done {
    /// How many events.
    queued: usize,
}

/// A wish, as long as it is remembered.
#[derive(Serialize, Deserialize)]
struct Wish {
    /// Hash of what was asked for.
    body: String,
    /// What was answered, once it was.
    done: Option<Done>,
}

async fn replay(
    State(door): State<Door>,
    Path((site, id)): Path<(String, String)>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Accepted<Done>, Problem> {
    asker.at(&door, &site)?;
    let of_site = door.book.webhooks.get(&site);
    let types = of_site.and_then(|hooks| hooks.get(&id)).ok_or(&refusals::UNKNOWN_WEBHOOK)?;
    let body = body::read(body, BODY_LIMIT).await?;
    let (from, to) = range(&door, &site, &body)?;
    let key = idempotency_key(&headers)?.map_or_else(|| entropy::token(16), str::to_owned);
    let name = format!("{}\0{site}\0{id}\0{key}", asker.name);
    let name = webhook_replay(&hex::encode(Sha256::digest(name)));
    let asked = hex::encode(Sha256::digest(&body));
    let accepted = |done| Ok(Accepted(done));
    if let Some(wish) = remembered(&door, &name).await {
        match wish {
            Wish { body, .. } if body != asked => {
                return Err(Problem::new(&refusals::IDEMPOTENCY_KEY_REUSED));
            }
            Wish { done: Some(done), .. } => return accepted(done),
            // It broke off, or goes on: what it has queued is not queued twice.
            Wish { done: None, .. } => {}
        }
    }
    remember(&door, &name, &Wish { body: asked.clone(), done: None }).await;
    let events = happened(&door, &site, types, from, to).await?;
    let done = Done { queued: events.len() };
    enqueue(&door, &site, &id, &name, events).await?;
    tracing::info!(site, webhook = id, staff = &*asker.name, queued = done.queued, "told again");
    let queued = done.queued;
    remember(&door, &name, &Wish { body: asked, done: Some(done) }).await;
    accepted(Done { queued })
}

/// From and to, in Unix milliseconds.
fn range(door: &Door, site: &str, body: &[u8]) -> Result<(i64, i64), Problem> {
    let malformed = |detail: String| Problem::new(&refusals::MALFORMED_REQUEST).detail(detail);
    let wanted: Wanted = body::object(body)?;
    let book = door.lines.book(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let read = |name: &str, text: &str| {
        let detail = format!("{name}: use 2026-11-23T10:42:00+08:00, or without the offset");
        instant(text, &book.calendar).ok_or_else(|| malformed(detail))
    };
    let now = door.clock.now_ms();
    let from = read("from", &wanted.from)?;
    let to = wanted.to.map_or(Ok(now), |to| read("to", &to))?;
    if from >= to {
        return Err(malformed("from: has to be before to".to_owned()));
    }
    if LEDGER.kept.is_some_and(|kept| from < now - kept.as_millis() as i64) {
        return Err(Problem::new(&refusals::PAST_GONE));
    }
    Ok((from, to))
}

/// Events of these types from the one time on and before the other.
async fn happened(
    door: &Door,
    site: &str,
    types: &BTreeSet<String>,
    from: i64,
    to: i64,
) -> Result<Vec<PublicEvent>, Problem> {
    let book = door.lines.book(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let mut reading = door.feed.read(&book.subject, Cursor::Beginning).await?;
    let (mut events, mut reached) = (Vec::new(), Position::START);
    let deadline = Instant::now() + LOOKING;
    while reached < reading.head {
        let step = timeout_at(deadline, reading.next()).await;
        let step = step.map_err(|_| &refusals::LEDGER_UNAVAILABLE)??;
        reached = step.position;
        let is_wanted = |event: &PublicEvent| {
            (from..to).contains(&event.at) && types.contains(event.happened.name())
        };
        events.extend(step.events.into_iter().filter(is_wanted));
        if events.len() > MOST {
            return Err(Problem::new(&refusals::REPLAY_TOO_LARGE));
        }
    }
    Ok(events)
}

async fn enqueue(
    door: &Door,
    site: &str,
    id: &str,
    wish: &str,
    events: Vec<PublicEvent>,
) -> Result<(), Problem> {
    let (hook, since) = (hook_name(site, id), door.clock.now_ms());
    let put = |event: PublicEvent| {
        let event = PublicEvent { replay: true, ..event };
        let message = WebhookMessage { v: 1, hook: hook.clone(), since, event };
        async move {
            let key = format!("{}/{wish}", message.key());
            let entry = Entry::new(message.encode());
            door.ledger.enqueue(&WEBHOOKS, &key, entry, Duration::ZERO).await.map(drop)
        }
    };
    let all = stream::iter(events.into_iter().map(put)).buffered(AT_ONCE).try_collect::<()>();
    all.await.map_err(|error| {
        tracing::warn!(%error, "a replay could not be queued");
        Problem::new(&refusals::LEDGER_UNAVAILABLE)
    })
}

/// Without the cache every wish is new: then something is told twice, marked as it is.
async fn remembered(door: &Door, name: &str) -> Option<Wish> {
    let stored = door.cache.get(name).await.ok().flatten()?;
    serde_json::from_slice(&stored).ok()
}

async fn remember(door: &Door, name: &str, wish: &Wish) {
    let value = Bytes::from(serde_json::to_vec(wish).expect("string keys only"));
    if let Err(error) = door.cache.put(name, value, REMEMBERED).await {
        tracing::warn!(%error, "a wish for a replay is not remembered");
    }
}
