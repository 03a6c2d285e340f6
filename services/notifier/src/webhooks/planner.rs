//! Reads commits, shared with the other replicas, and puts their events on the webhooks' queue.

use super::Settings;
use crate::drain::drain;
use futures::{StreamExt, TryStreamExt, stream};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::public_event::to_public_events;
use paihao_contracts::streams::{LEDGER, WEBHOOK_PLANNER, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::{Delivery, Entry, Ledger, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Commits planned at once.
const IN_FLIGHT: usize = 16;

/// Messages of one commit that are put on the queue at once.
const AT_ONCE: usize = 16;

/// When to look again at a commit that a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

pub(super) async fn run(
    settings: Arc<Settings>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.is_cancelled() {
        match ledger.consume(&LEDGER, &WEBHOOK_PLANNER, IN_FLIGHT).await {
            Ok(commits) => {
                backoff.reset();
                let settle = |commit| settle(&settings, &*ledger, clock.now_ms(), commit);
                drain(commits, IN_FLIGHT, &stop, settle).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the planner of webhooks cannot join its consumer yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

async fn settle(settings: &Settings, ledger: &dyn Ledger, now_ms: i64, delivery: Delivery) {
    let position = delivery.recorded.position.0;
    let settled = match serde_json::from_slice::<Commit>(&delivery.recorded.entry.payload) {
        Ok(commit) if commit.v <= COMMIT_VERSION => {
            match enqueue(ledger, plan(settings, position, &commit, now_ms)).await {
                Ok(()) => delivery.done().await,
                Err(error) => {
                    tracing::warn!(%error, "webhooks could not be queued; they are planned again");
                    delivery.again(Duration::from_secs(1)).await
                }
            }
        }
        Ok(_) => delivery.again(NEWER_LATER).await,
        Err(error) => {
            tracing::error!(position, %error, "a commit cannot be told to webhooks");
            delivery.never(&format!("not a commit of a known form: {error}")).await
        }
    };
    if let Err(error) = settled {
        tracing::debug!(%error, "a commit's acknowledgement was lost; it will be planned again");
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
