//! Webhook planner: consumes commits and puts their events on the webhook queue.

use super::settings::Settings;
use futures::{StreamExt, TryStreamExt, stream};
use paihao_chassis::clock::Clock;
use paihao_chassis::trace;
use paihao_contracts::commit::Commit;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::partitions::Partition;
use paihao_contracts::public_event::to_public_events;
use paihao_contracts::streams::{WEBHOOK_PLANNER, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Ledger, Unavailable, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Most commits of a partition planned at once.
const MAX_IN_FLIGHT: usize = 16;

/// Most messages of one commit that are enqueued at once.
const MAX_CONCURRENT_ENQUEUES: usize = 16;

/// Delay after the ledger did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Creates the worker of the webhook planner's consumer of a partition.
pub(super) fn worker(
    partition: Partition,
    settings: Arc<Settings>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
) -> Worker<impl Handler> {
    let planner = Planner { settings, ledger: ledger.clone(), clock };
    Worker::new(ledger, Source::Consumer(partition.ledger, WEBHOOK_PLANNER), MAX_IN_FLIGHT, planner)
}

struct Planner {
    settings: Arc<Settings>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

impl Handler for Planner {
    type Message = Commit;

    async fn handle(&self, commit: Commit, delivery: &Delivery) -> Result<Disposition, NewerForm> {
        trace::note_site(&commit.site.id);
        let position = delivery.message.position.0;
        let messages = plan(&self.settings, position, &commit, self.clock.now_ms());
        Ok(match enqueue_messages(&*self.ledger, messages).await {
            Ok(()) => Disposition::Ack,
            Err(error) => {
                tracing::warn!(%error, "cannot queue the webhooks of a commit, retrying");
                Disposition::RetryAfter(RETRY_DELAY)
            }
        })
    }
}

/// Returns the messages of a commit for the webhooks of its site.
fn plan(settings: &Settings, position: u64, commit: &Commit, now_ms: i64) -> Vec<WebhookMessage> {
    let site_prefix = format!("{}/", commit.site.id);
    let endpoints = settings.endpoints.iter().filter(|(name, _)| name.starts_with(&site_prefix));
    let mut messages = Vec::new();
    for (name, endpoint) in endpoints {
        let events = to_public_events(position, commit)
            .filter(|event| endpoint.events.contains(event.kind.name()));
        messages.extend(events.map(|event| WebhookMessage {
            v: 1,
            hook: name.clone(),
            since: now_ms,
            event,
        }));
    }
    messages
}

async fn enqueue_messages(
    ledger: &dyn Ledger,
    messages: Vec<WebhookMessage>,
) -> Result<(), Unavailable> {
    let enqueue = |message: WebhookMessage| async move {
        let entry = Entry::new(message.encode()).in_trace(trace::current());
        ledger.enqueue(&WEBHOOKS, &message.key(), entry, Duration::ZERO).await.map(drop)
    };
    stream::iter(messages.into_iter().map(enqueue))
        .buffered(MAX_CONCURRENT_ENQUEUES)
        .try_collect::<()>()
        .await
}
