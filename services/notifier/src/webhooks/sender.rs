//! Takes messages from the webhooks' queue and posts each until it is taken, for a day at most.

use super::client::{Client, NotTaken};
use super::{Hook, Settings, retry, signature};
use crate::share::Shares;
use paihao_chassis::clock::Clock;
use paihao_chassis::entropy;
use paihao_contracts::streams::WEBHOOKS;
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Ledger, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Messages in hand at once, of however many webhooks.
const MOST: usize = 1024;

/// When to look again at a message that a newer program wrote.
const NEWER_LATER: Duration = Duration::from_secs(30);

/// The header by which a receiver knows what it has taken before.
const EVENT_ID: &str = "Paihao-Event-Id";

/// Member of the webhooks' queue.
pub(super) fn worker(
    settings: Arc<Settings>,
    client: Client,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
) -> Worker<impl Handler> {
    // A place more than the webhooks have together: one to find out that all are taken.
    let in_flight = (settings.in_flight * settings.hooks.len() + 1).min(MOST);
    let shares = Shares::new(settings.in_flight);
    let sender = Sender { settings, client, clock, shares };
    Worker::new(ledger, Source::Queue(WEBHOOKS), in_flight, sender)
}

struct Sender {
    settings: Arc<Settings>,
    client: Client,
    clock: Arc<dyn Clock>,
    shares: Shares,
}

impl Handler for Sender {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        let payload = &delivery.message.entry.payload;
        let message: WebhookMessage = match serde_json::from_slice(payload) {
            Ok(message) => message,
            // An event of a type that this program does not know yet.
            Err(_) if serde_json::from_slice::<serde_json::Value>(payload).is_ok() => {
                return Disposition::RetryAfter(NEWER_LATER);
            }
            Err(error) => {
                tracing::error!(%error, "a webhook's message cannot be read");
                return Disposition::DeadLetter(format!("not a message of a known form: {error}"));
            }
        };
        let age = since(message.since, self.clock.now_ms());
        let Some(_place) = self.shares.take(&message.hook) else {
            return Disposition::RetryAfter(entropy::jitter(retry::no_place(age), 0.2));
        };
        let sent = match self.settings.hooks.get(&message.hook) {
            Some(hook) => self.post(hook, &message).await,
            // Another replica's configuration may be newer than ours, or older.
            None => Err(NotTaken("no webhook of this name is configured".to_owned())),
        };
        let (hook, id) = (message.hook.to_string(), message.event.id);
        let (result, verdict) = match (sent, retry::wait(age)) {
            (Ok(()), _) => {
                let late = since(message.event.at, self.clock.now_ms());
                if !message.event.replay {
                    metrics::histogram!("paihao_webhooks_age_seconds", "hook" => hook.clone())
                        .record(late.as_secs_f64());
                }
                ("sent", Disposition::Ack)
            }
            (Err(NotTaken(why)), Some(wait)) => {
                tracing::debug!(hook, %id, why, "a webhook did not take its message yet");
                ("failed", Disposition::RetryAfter(entropy::jitter(wait, 0.2)))
            }
            (Err(NotTaken(why)), None) => {
                tracing::warn!(hook, %id, why, "a webhook did not take its message for a day");
                ("given_up", Disposition::DeadLetter(format!("not taken for 24 hours: {why}")))
            }
        };
        metrics::counter!("paihao_webhooks_total", "hook" => hook, "result" => result).increment(1);
        verdict
    }
}

impl Sender {
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
