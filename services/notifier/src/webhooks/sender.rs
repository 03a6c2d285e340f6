//! Webhook sender: consumes the webhook queue and posts each message until it is accepted, for at
//! most a day.

use super::client::{Client, PostError};
use super::delivery_log::DeliveryLog;
use super::settings::{Settings, WebhookEndpoint};
use super::{retry, signature, standard_signature};
use crate::stored_time;
use paihao_chassis::clock::Clock;
use paihao_chassis::entropy;
use paihao_chassis::permits::Permits;
use paihao_contracts::envelope::{self, Form, MalformedForm, NewerForm};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::public_event::{PublicEvent, PublicEventKind};
use paihao_contracts::streams::WEBHOOKS;
use paihao_contracts::webhook::WebhookMessage;
use paihao_contracts::webhook_deliveries::WebhookDelivery;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Ledger, Worker};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Most messages in progress at once, over all webhooks.
const MAX_IN_FLIGHT: usize = 1024;

/// Delay for an event of a type that only a newer program knows.
const UNKNOWN_TYPE_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Reason of dead letters while a webhook is paused.
const PAUSED_REASON: &str = "the webhook is paused: it has failed for days";

/// Header by which a receiver detects duplicates.
const EVENT_ID_HEADER: &str = "Paihao-Event-Id";

/// Creates the worker of the webhook queue.
pub(super) fn worker(
    settings: Arc<Settings>,
    client: Client,
    log: Arc<DeliveryLog>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
) -> Worker<impl Handler> {
    // One more than the webhooks' permits together, to find out that all are in use.
    let in_flight = (settings.in_flight * settings.endpoints.len() + 1).min(MAX_IN_FLIGHT);
    let sender = handler(ledger.partitions(), settings, client, log, clock);
    Worker::new(ledger, Source::Queue(WEBHOOKS), in_flight, sender)
}

/// Creates the handler of the webhook queue.
pub(super) fn handler(
    partitions: Partitions,
    settings: Arc<Settings>,
    client: Client,
    log: Arc<DeliveryLog>,
    clock: Arc<dyn Clock>,
) -> impl Handler<Message = WebhookMessage> {
    let is_divided = partitions != Partitions::ONE;
    WebhookSender { is_divided, settings, client, log, clock, permits: Permits::default() }
}

struct WebhookSender {
    /// True if the ledger has several partitions.
    is_divided: bool,
    settings: Arc<Settings>,
    client: Client,
    log: Arc<DeliveryLog>,
    clock: Arc<dyn Clock>,
    permits: Permits<Arc<str>>,
}

impl Handler for WebhookSender {
    type Message = WebhookMessage;

    async fn handle(
        &self,
        message: WebhookMessage,
        delivery: &Delivery,
    ) -> Result<Disposition, NewerForm> {
        let age = stored_time::age(message.since, self.clock.now_ms(), delivery.attempt);
        let of_hook = (message.hook.clone(), self.settings.in_flight);
        let Some(_permit) = self.permits.try_acquire([of_hook]) else {
            let delay = entropy::jitter(retry::permit_retry_delay(age), 0.2);
            return Ok(Disposition::RetryAfter(delay));
        };
        let hook = message.hook.to_string();
        if self.log.is_paused(&message.hook) {
            metrics::counter!("paihao_webhooks_total", "hook" => hook, "result" => "paused")
                .increment(1);
            return Ok(Disposition::DeadLetter(PAUSED_REASON.to_owned()));
        }
        let sent = match self.settings.endpoints.get(&message.hook) {
            Some(hook) => self.post(hook, &message).await,
            // The configuration of another replica may be newer or older.
            None => Err(PostError::unanswered("no webhook of this name is configured")),
        };
        let id = message.event.id;
        let is_test = message.event.kind == PublicEventKind::WebhookTest {};
        let (result, disposition) = match (sent, retry::retry_delay(age)) {
            // Whoever asked for a test sees in the log how it went.
            (Err(_), _) if is_test => ("failed", Disposition::Ack),
            (Ok(_), _) => {
                if !message.event.replay {
                    let age_ms = self.clock.now_ms().saturating_sub(message.event.at).max(0);
                    metrics::histogram!("paihao_webhooks_age_seconds", "hook" => hook.clone())
                        .record(age_ms as f64 / 1000.0);
                }
                ("sent", Disposition::Ack)
            }
            (Err(PostError { reason, .. }), Some(wait)) => {
                tracing::debug!(hook, %id, reason, "cannot deliver a webhook message, retrying");
                ("failed", Disposition::RetryAfter(entropy::jitter(wait, 0.2)))
            }
            (Err(PostError { reason, .. }), None) => {
                tracing::warn!(hook, %id, reason, "cannot deliver a webhook message for a day, giving up");
                ("given_up", Disposition::DeadLetter(format!("not taken for 24 hours: {reason}")))
            }
        };
        metrics::counter!("paihao_webhooks_total", "hook" => hook, "result" => result).increment(1);
        Ok(disposition)
    }

    /// Event types are added without a new version, so one that is unknown here is no mistake.
    fn give_up(&self, delivery: &Delivery, error: &MalformedForm) -> Disposition {
        if has_unknown_type(&delivery.message.entry.payload) {
            return Disposition::RetryAfter(UNKNOWN_TYPE_RETRY_DELAY);
        }
        tracing::error!(%error, "cannot decode a webhook message");
        Disposition::DeadLetter(error.to_string())
    }
}

impl WebhookSender {
    /// Id by which a receiver of several sites tells the messages apart: positions are those of a
    /// partition, so that two sites can have an event of one id.
    fn message_id(&self, event: &PublicEvent) -> String {
        let PublicEvent { id, site, .. } = event;
        if self.is_divided { format!("{site}-{id}") } else { id.to_string() }
    }

    async fn post(
        &self,
        hook: &WebhookEndpoint,
        message: &WebhookMessage,
    ) -> Result<u16, PostError> {
        let body = serde_json::to_vec(&message.event).expect("string keys only");
        let seconds = self.clock.now_ms().div_euclid(1000);
        let signature = signature::sign(&hook.secrets, seconds, &body);
        let id = self.message_id(&message.event);
        let standard = standard_signature::sign(&hook.secrets, &id, seconds, &body);
        let headers = [
            (signature::SIGNATURE_HEADER, &*signature),
            (EVENT_ID_HEADER, &*id),
            (standard_signature::ID_HEADER, &*id),
            (standard_signature::TIMESTAMP_HEADER, &*seconds.to_string()),
            (standard_signature::SIGNATURE_HEADER, &*standard),
        ];
        let (begun, at) = (Instant::now(), self.clock.now_ms());
        let posted = self.client.post(&hook.url, headers, body).await;
        let (status, error) = match &posted {
            Ok(status) => (Some(*status), None),
            Err(PostError { status, reason }) => (*status, Some(reason.clone())),
        };
        self.log.add(
            &message.hook,
            WebhookDelivery {
                at,
                id: message.event.id,
                kind: message.event.kind.name().to_owned(),
                status,
                error,
                duration_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX),
            },
        );
        posted
    }
}

fn has_unknown_type(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct TypedEvent {
        #[serde(rename = "type")]
        name: String,
    }
    #[derive(serde::Deserialize)]
    struct TypedMessage {
        event: TypedEvent,
    }
    impl Form for TypedMessage {
        const NAME: &'static str = WebhookMessage::NAME;
        const VERSION: u32 = WebhookMessage::VERSION;
    }
    envelope::decode::<TypedMessage>(payload)
        .is_ok_and(|message| !PublicEventKind::TYPES.contains(&&*message.event.name))
}
