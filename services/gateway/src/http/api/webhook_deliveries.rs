//! Recent deliveries to a webhook, and deliveries for a test.

use crate::http::access::{ManagerScope, SiteAccess};
use crate::http::openapi::{Accepted, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::envelope::read_stored;
use paihao_contracts::public_event::{EventId, PUBLIC_VERSION, PublicEvent, PublicEventKind};
use paihao_contracts::streams::{WEBHOOKS, webhook_deliveries_key};
use paihao_contracts::webhook::{WebhookMessage, hook_name};
use paihao_contracts::webhook_deliveries::{WebhookDeliveries, WebhookDelivery};
use paihao_ledger::Entry;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

pub(super) fn routes() -> Routes {
    let path = |what: &str| format!("/api/v1/sites/{{site}}/webhooks/{{id}}/{what}");
    Routes::new()
        .get(
            &path("deliveries"),
            list,
            endpoint("webhook_deliveries", "Lists the recent deliveries to a webhook").refuses(&[
                &refusals::UNKNOWN_WEBHOOK,
                &refusals::CACHE_UNAVAILABLE,
                &refusals::NEWER_LEDGER,
            ]),
        )
        .post(
            &path("test"),
            test,
            endpoint("test_webhook", "Sends an event of the type webhook_test to a webhook, once")
                .without_idempotency_key("one more test harms nobody")
                .refuses(&[&refusals::UNKNOWN_WEBHOOK, &refusals::LEDGER_UNAVAILABLE]),
        )
}

/// Recent deliveries to a webhook.
#[derive(Serialize, JsonSchema)]
struct WebhookDeliveriesView {
    /// Time of the first failure after the last success, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<i64>,
    /// True if events become dead letters at once: nothing has succeeded for three days. An attempt
    /// an hour finds out whether it works again.
    paused: bool,
    /// The newest 50, the newest first.
    deliveries: Vec<WebhookDeliveryView>,
}

/// One attempt to deliver an event.
#[derive(Serialize, JsonSchema)]
struct WebhookDeliveryView {
    /// Time of the attempt, in Unix milliseconds.
    at: i64,
    /// Id of the event.
    id: EventId,
    /// Type of the event.
    r#type: String,
    /// Status of the answer; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Reason of a failure; absent after a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Milliseconds until the answer, or the failure.
    duration_ms: u32,
}

impl From<WebhookDelivery> for WebhookDeliveryView {
    fn from(delivery: WebhookDelivery) -> WebhookDeliveryView {
        let WebhookDelivery { at, id, kind, status, error, duration_ms } = delivery;
        WebhookDeliveryView { at, id, r#type: kind, status, error, duration_ms }
    }
}

async fn list(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
    _: SiteAccess<ManagerScope>,
) -> Result<Json<WebhookDeliveriesView>, Problem> {
    require_webhook(&state, &site, &id)?;
    let stored = state.cache.get(&webhook_deliveries_key(&hook_name(&site, &id))).await;
    let stored = stored.map_err(|error| {
        tracing::warn!(%error, "cannot read the deliveries to a webhook");
        &refusals::CACHE_UNAVAILABLE
    })?;
    let stored = read_stored::<WebhookDeliveries>(stored.as_deref());
    let stored = stored.map_err(|_| &refusals::NEWER_LEDGER)?.unwrap_or_default();
    Ok(Json(WebhookDeliveriesView {
        failing_since: stored.failing_since,
        paused: stored.paused_since(state.clock.now_ms()).is_some(),
        deliveries: stored.deliveries.into_iter().rev().map(Into::into).collect(),
    }))
}

/// Delivery for a test.
#[derive(Serialize, JsonSchema)]
struct WebhookTestResult {
    /// Id of the event, by which it is found among the deliveries.
    id: EventId,
}

async fn test(
    State(state): State<AppState>,
    Path((site, id)): Path<(String, String)>,
    SiteAccess { principal, .. }: SiteAccess<ManagerScope>,
) -> Result<Accepted<WebhookTestResult>, Problem> {
    require_webhook(&state, &site, &id)?;
    let at = state.clock.now_ms();
    // No entry of the ledger has the position 0, so that the id is no other event's.
    let event_id = EventId { position: 0, index: u32::try_from(at / 1000).unwrap_or(u32::MAX) };
    let event = PublicEvent {
        v: PUBLIC_VERSION,
        id: event_id,
        site: site.as_str().into(),
        at,
        kind: PublicEventKind::WebhookTest {},
        replay: false,
    };
    let message = WebhookMessage { v: 1, hook: hook_name(&site, &id), since: at, event };
    let entry = Entry::new(message.encode());
    let queued = state.ledger.enqueue(&WEBHOOKS, &message.key(), entry, Duration::ZERO).await;
    queued.map_err(|error| {
        tracing::warn!(%error, "cannot queue a test of a webhook");
        &refusals::LEDGER_UNAVAILABLE
    })?;
    tracing::info!(site, webhook = id, staff = &*principal.name, "test of a webhook queued");
    Ok(Accepted(WebhookTestResult { id: event_id }))
}

fn require_webhook(state: &AppState, site: &str, id: &str) -> Result<(), Problem> {
    let hook = state.deployment.webhooks.get(site).and_then(|hooks| hooks.get(id));
    hook.map(drop).ok_or_else(|| Problem::new(&refusals::UNKNOWN_WEBHOOK))
}
