//! Reads commits, shared with the other replicas, and puts their events on the webhooks' queue.

use super::Settings;
use futures::{StreamExt, TryStreamExt, stream};
use paihao_chassis::clock::Clock;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::public_event::to_public_events;
use paihao_contracts::streams::{LEDGER, WEBHOOK_PLANNER, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Ledger, Unavailable, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Commits planned at once.
const IN_FLIGHT: usize = 16;

/// Messages of one commit that are put on the queue at once.
const AT_ONCE: usize = 16;

/// When to plan a commit again after the ledger did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// When to look again at a commit that a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

/// Member of the consumer that plans webhooks.
pub(super) fn worker(
    settings: Arc<Settings>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
) -> Worker<impl Handler> {
    let planner = Planner { settings, ledger: ledger.clone(), clock };
    Worker::new(ledger, Source::Consumer(LEDGER, WEBHOOK_PLANNER), IN_FLIGHT, planner)
}

struct Planner {
    settings: Arc<Settings>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

impl Handler for Planner {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        let position = delivery.message.position.0;
        match serde_json::from_slice::<Commit>(&delivery.message.entry.payload) {
            Ok(commit) if commit.v <= COMMIT_VERSION => {
                let messages = plan(&self.settings, position, &commit, self.clock.now_ms());
                match enqueue(&*self.ledger, messages).await {
                    Ok(()) => Disposition::Ack,
                    Err(error) => {
                        tracing::warn!(%error, "cannot queue the webhooks of a commit, retrying");
                        Disposition::RetryAfter(RETRY_DELAY)
                    }
                }
            }
            Ok(_) => Disposition::RetryAfter(NEWER_LATER),
            Err(error) => {
                tracing::error!(position, %error, "a commit cannot be told to webhooks");
                Disposition::DeadLetter(format!("not a commit of a known form: {error}"))
            }
        }
    }
}

/// What the webhooks of a commit's site are to be told.
fn plan(settings: &Settings, position: u64, commit: &Commit, now_ms: i64) -> Vec<WebhookMessage> {
    let of_site = format!("{}/", commit.site.id);
    let hooks = settings.hooks.iter().filter(|(name, _)| name.starts_with(&of_site));
    let mut messages = Vec::new();
    for (name, hook) in hooks {
        let wanted = to_public_events(position, commit)
            .filter(|event| hook.events.contains(event.kind.name()));
        messages.extend(wanted.map(|event| WebhookMessage {
            v: 1,
            hook: name.clone(),
            since: now_ms,
            event,
        }));
    }
    messages
}

async fn enqueue(ledger: &dyn Ledger, messages: Vec<WebhookMessage>) -> Result<(), Unavailable> {
    let put = |message: WebhookMessage| async move {
        let entry = Entry::new(message.encode());
        ledger.enqueue(&WEBHOOKS, &message.key(), entry, Duration::ZERO).await.map(drop)
    };
    stream::iter(messages.into_iter().map(put)).buffered(AT_ONCE).try_collect::<()>().await
}
