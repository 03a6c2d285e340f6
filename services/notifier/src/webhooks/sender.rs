//! Takes messages from the webhooks' queue and posts each until it is taken, for a day at most.

use super::client::{Client, NotTaken};
use super::{Hook, Settings, retry, signature};
use crate::drain::drain;
use crate::share::Shares;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::entropy;
use paihao_contracts::streams::WEBHOOKS;
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::{Delivery, Ledger};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Messages in hand at once, of however many webhooks.
const MOST: usize = 1024;

/// When to look again at a message that a newer program wrote.
const NEWER_LATER: Duration = Duration::from_secs(30);

/// The header by which a receiver knows what it has taken before.
const EVENT_ID: &str = "Paihao-Event-Id";

pub(super) async fn run(
    settings: Arc<Settings>,
    client: Client,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    // A place more than the webhooks have together: one to find out that all are taken.
    let in_flight = (settings.in_flight * settings.hooks.len() + 1).min(MOST);
    let shares = Shares::new(settings.in_flight);
    let sender = Sender { settings, client, clock, shares };
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.is_cancelled() {
        match ledger.work(&WEBHOOKS, in_flight).await {
            Ok(messages) => {
                backoff.reset();
                drain(messages, in_flight, &stop, |delivery| sender.settle(delivery)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the sender of webhooks cannot join its queue yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

struct Sender {
    settings: Arc<Settings>,
    client: Client,
    clock: Arc<dyn Clock>,
    shares: Shares,
}

impl Sender {
    async fn settle(&self, delivery: Delivery) {
        let payload = &delivery.recorded.entry.payload;
        let message: WebhookMessage = match serde_json::from_slice(payload) {
            Ok(message) => message,
            // An event of a type that this program does not know yet.
            Err(_) if serde_json::from_slice::<serde_json::Value>(payload).is_ok() => {
                let _ = delivery.again(NEWER_LATER).await;
                return;
            }
            Err(error) => {
                tracing::error!(%error, "a webhook's message cannot be read");
                let _ = delivery.never(&format!("not a message of a known form: {error}")).await;
                return;
            }
        };
        let age = since(message.since, self.clock.now_ms());
        let Some(_place) = self.shares.take(&message.hook) else {
            let _ = delivery.again(entropy::jitter(retry::no_place(age), 0.2)).await;
            return;
        };
        let sent = match self.settings.hooks.get(&message.hook) {
            Some(hook) => self.post(hook, &message).await,
            // Another replica's configuration may be newer than ours, or older.
            None => Err(NotTaken("no webhook of this name is configured".to_owned())),
        };
        let (hook, id) = (message.hook.to_string(), message.event.id);
        let (result, told) = match (sent, retry::wait(age)) {
            (Ok(()), _) => {
                let late = since(message.event.at, self.clock.now_ms());
                if !message.event.replay {
                    metrics::histogram!("paihao_webhooks_age_seconds", "hook" => hook.clone())
                        .record(late.as_secs_f64());
                }
                ("sent", delivery.done().await)
            }
            (Err(NotTaken(why)), Some(wait)) => {
                tracing::debug!(hook, %id, why, "a webhook did not take its message yet");
                ("failed", delivery.again(entropy::jitter(wait, 0.2)).await)
            }
            (Err(NotTaken(why)), None) => {
                tracing::warn!(hook, %id, why, "a webhook did not take its message for a day");
                ("given_up", delivery.never(&format!("not taken for 24 hours: {why}")).await)
            }
        };
        metrics::counter!("paihao_webhooks_total", "hook" => hook.clone(), "result" => result)
            .increment(1);
        if let Err(error) = told {
            tracing::debug!(hook, %id, %error, "an acknowledgement was lost; it may be sent twice");
        }
    }

    async fn post(&self, hook: &Hook, message: &WebhookMessage) -> Result<(), NotTaken> {
        let body = serde_json::to_vec(&message.event).expect("string keys only");
        let seconds = self.clock.now_ms().div_euclid(1000);
        let signature = signature::sign(&hook.secrets, seconds, &body);
        let id = message.event.id.to_string();
        let headers = [(signature::HEADER, &*signature), (EVENT_ID, &*id)];
        self.client.post(&hook.url, headers, body).await
    }
}

fn since(then_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis((now_ms - then_ms).max(0) as u64)
}
