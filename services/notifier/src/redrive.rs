//! Redrive worker: requeues dead letters on an operator's request.
//!
//! A notice is requeued under a key of its own, because its original key already has a recorded
//! outcome. It keeps its place in the order of its ticket, so a later notice supersedes it, and it
//! is stale after its validity. A notice is requeued only if WeChat certainly does not have it.

use crate::delivery::outcome_log;
use crate::delivery::ticket_order;
use crate::ports::{Ports, StoreUnavailable};
use paihao_contracts::dead_letter::{
    DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT, redrive_key,
};
use paihao_contracts::notice::{DeliveryOutcome, Notice};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, OUTCOMES, REDRIVER, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Position, StoredEntry, Worker};
use std::time::Duration;

/// Most resolutions handled at once.
const MAX_IN_FLIGHT: usize = 8;

/// Delay after a store did not answer.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Delay for an entry of a newer program version, so that a newer replica may take it.
const NEWER_VERSION_RETRY_DELAY: Duration = Duration::from_secs(30);

/// Creates the worker of the redrive consumer.
pub(crate) fn worker(ports: Ports) -> Worker<impl Handler> {
    let ledger = ports.ledger.clone();
    Worker::new(ledger, Source::Consumer(DEAD_LETTERS, REDRIVER), MAX_IN_FLIGHT, Redriver { ports })
}

struct Redriver {
    ports: Ports,
}

impl Handler for Redriver {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        match parse_command(&delivery.message) {
            // The dead letter itself, or the resolution to drop it.
            RedriveCommand::Ignore => Disposition::Ack,
            RedriveCommand::NewerVersion => Disposition::RetryAfter(NEWER_VERSION_RETRY_DELAY),
            RedriveCommand::Redrive { dead_letter, newest } => {
                match redrive(&self.ports, dead_letter, newest).await {
                    Ok(()) => Disposition::Ack,
                    Err(StoreUnavailable(error)) => {
                        tracing::warn!(error, "cannot redrive a dead letter, retrying");
                        Disposition::RetryAfter(STORE_RETRY_DELAY)
                    }
                }
            }
        }
    }
}

enum RedriveCommand {
    Ignore,
    NewerVersion,
    Redrive { dead_letter: Position, newest: u32 },
}

fn parse_command(recorded: &StoredEntry) -> RedriveCommand {
    let mut parts = recorded.subject.parts();
    let (Some(HANDLED_SUBJECT), Some(dead_letter)) = (parts.next(), parts.next()) else {
        return RedriveCommand::Ignore;
    };
    match serde_json::from_slice(&recorded.entry.payload) {
        Ok(DeadLetterResolution { v: 1, action, .. }) => match (action, dead_letter.parse()) {
            (DeadLetterAction::Redriven { newest }, Ok(dead_letter)) => {
                RedriveCommand::Redrive { dead_letter: Position(dead_letter), newest }
            }
            _ => RedriveCommand::Ignore,
        },
        _ => RedriveCommand::NewerVersion,
    }
}

async fn redrive(
    ports: &Ports,
    dead_letter: Position,
    newest: u32,
) -> Result<(), StoreUnavailable> {
    let Some(dead_letter) = ports.ledger.get(&DEAD_LETTERS, dead_letter).await? else {
        tracing::warn!(position = dead_letter.0, "a dead letter aged out before its redrive");
        return Ok(());
    };
    let Some(Cause { origin, key, .. }) = Cause::from_dead_letter(&dead_letter.entry) else {
        return Ok(());
    };
    let key = redrive_key(&key);
    match &*origin {
        name if name == NOTICES.name => {
            requeue_notice(ports, dead_letter.entry, key, newest).await?
        }
        name if name == WEBHOOKS.name => requeue_webhook(ports, dead_letter.entry, &key).await?,
        _ => return Ok(()),
    }
    metrics::counter!("paihao_notifier_redriven_total", "origin" => origin).increment(1);
    Ok(())
}

async fn requeue_notice(
    ports: &Ports,
    dead_letter: Entry,
    key: String,
    newest: u32,
) -> Result<(), StoreUnavailable> {
    let Ok(notice) = serde_json::from_slice::<Notice>(&dead_letter.payload) else { return Ok(()) };
    let subject = outcome_log::outcome_subject(&notice.account, &notice.key);
    let newest_record = ports.ledger.last(&OUTCOMES, &subject).await?;
    let record = newest_record.and_then(|last| serde_json::from_slice(&last.entry.payload).ok());
    let is_undelivered = match &record {
        Some(OutcomeRecord::Ended(ended)) => matches!(
            ended.outcome,
            DeliveryOutcome::Refused { .. }
                | DeliveryOutcome::Unrenderable { .. }
                | DeliveryOutcome::GaveUp { .. }
        ),
        _ => false,
    };
    if !is_undelivered {
        tracing::warn!(key = notice.key, "not redriving a notice that WeChat may have");
        return Ok(());
    }
    let notice = Notice { key, ..notice };
    if ticket_order::is_ordered(&notice) {
        ticket_order::register_redriven(&*ports.cache, &notice, newest).await?;
    }
    let payload = serde_json::to_vec(&notice).expect("string keys only");
    let entry = Entry { payload: payload.into(), ..dead_letter };
    ports.ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
    Ok(())
}

/// Requeues a webhook message. It is retried for another day.
async fn requeue_webhook(
    ports: &Ports,
    dead_letter: Entry,
    key: &str,
) -> Result<(), StoreUnavailable> {
    let Ok(message) = serde_json::from_slice::<WebhookMessage>(&dead_letter.payload) else {
        return Ok(());
    };
    let message = WebhookMessage { since: ports.clock.now_ms(), ..message };
    let entry = Entry { payload: message.encode().into(), ..dead_letter };
    ports.ledger.enqueue(&WEBHOOKS, key, entry, Duration::ZERO).await?;
    Ok(())
}
