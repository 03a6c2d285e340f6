//! Redrive worker: requeues dead letters on an operator's request.
//!
//! A notice is requeued under a key of its own, because its original key already has a recorded
//! outcome. It keeps its place in the order of its ticket, so a later notice supersedes it, and it
//! is stale after its validity. A notice is requeued only if WeChat certainly does not have it.

use crate::delivery::outcome_log;
use crate::delivery::ticket_order;
use crate::ports::{Ports, StoreUnavailable};
use futures::StreamExt;
use paihao_contracts::dead_letter::{
    DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT, redrive_key,
};
use paihao_contracts::notice::{DeliveryOutcome, Notice};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, OUTCOMES, REDRIVER, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::worker::Source;
use paihao_ledger::{
    Delivery, Disposition, Entry, Handler, Ledger, LogItem, Position, StoredEntry, Unavailable,
    Worker,
};
use std::time::Duration;

/// Most resolutions handled at once.
const MAX_IN_FLIGHT: usize = 8;

/// Delay after a store did not answer.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Delay for an entry of a newer program version, so that a newer replica may take it.
const NEWER_VERSION_RETRY_DELAY: Duration = Duration::from_secs(30);

/// Longest wait for reading a dead letter from its log.
const LETTER_READ_TIMEOUT: Duration = Duration::from_secs(10);

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
            RedriveCommand::Redrive { letter, newest } => {
                match redrive(&self.ports, letter, newest).await {
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
    Redrive { letter: Position, newest: u32 },
}

fn parse_command(recorded: &StoredEntry) -> RedriveCommand {
    let mut parts = recorded.subject.parts();
    let (Some(HANDLED_SUBJECT), Some(letter)) = (parts.next(), parts.next()) else {
        return RedriveCommand::Ignore;
    };
    match serde_json::from_slice(&recorded.entry.payload) {
        Ok(DeadLetterResolution { v: 1, action: did, .. }) => match (did, letter.parse()) {
            (DeadLetterAction::Redriven { newest }, Ok(letter)) => {
                RedriveCommand::Redrive { letter: Position(letter), newest }
            }
            _ => RedriveCommand::Ignore,
        },
        _ => RedriveCommand::NewerVersion,
    }
}

async fn redrive(ports: &Ports, letter: Position, newest: u32) -> Result<(), StoreUnavailable> {
    let Some(letter) = read_letter(&*ports.ledger, letter).await? else {
        tracing::warn!(position = letter.0, "a dead letter aged out before its redrive");
        return Ok(());
    };
    let Some(Cause { origin, key, .. }) = Cause::from_dead_letter(&letter.entry) else {
        return Ok(());
    };
    let key = redrive_key(&key);
    match &*origin {
        name if name == NOTICES.name => requeue_notice(ports, letter.entry, key, newest).await?,
        name if name == WEBHOOKS.name => requeue_webhook(ports, letter.entry, &key).await?,
        _ => return Ok(()),
    }
    metrics::counter!("paihao_notifier_redriven_total", "origin" => origin).increment(1);
    Ok(())
}

/// Reads the dead letter at a position. `None` if it has aged out.
async fn read_letter(
    ledger: &dyn Ledger,
    at: Position,
) -> Result<Option<StoredEntry>, StoreUnavailable> {
    let before = Position(at.0.saturating_sub(1));
    let mut entries = ledger.follow(&DEAD_LETTERS, before).await?;
    let first = tokio::time::timeout(LETTER_READ_TIMEOUT, entries.next()).await;
    match first.map_err(|_| Unavailable("a letter was not read in time".to_owned()))? {
        Some(LogItem::Entry(recorded)) if recorded.position == at => Ok(Some(recorded)),
        _ => Ok(None),
    }
}

async fn requeue_notice(
    ports: &Ports,
    letter: Entry,
    key: String,
    newest: u32,
) -> Result<(), StoreUnavailable> {
    let Ok(notice) = serde_json::from_slice::<Notice>(&letter.payload) else { return Ok(()) };
    let subject = outcome_log::outcome_subject(&notice.account, &notice.key);
    let ended = ports.ledger.last(&OUTCOMES, &subject).await?;
    let ended = ended.and_then(|last| serde_json::from_slice(&last.entry.payload).ok());
    let was_not_taken = matches!(&ended, Some(OutcomeRecord::Ended(ended)) if matches!(
        ended.outcome, DeliveryOutcome::Refused { .. } | DeliveryOutcome::Unrenderable { .. } | DeliveryOutcome::GaveUp { .. }
    ));
    if !was_not_taken {
        tracing::warn!(key = notice.key, "not redriving a notice that WeChat may have");
        return Ok(());
    }
    let notice = Notice { key, ..notice };
    if ticket_order::is_ordered(&notice) {
        ticket_order::register_redriven(&*ports.cache, &notice, newest).await?;
    }
    let payload = serde_json::to_vec(&notice).expect("string keys only");
    let entry = Entry { payload: payload.into(), ..letter };
    ports.ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
    Ok(())
}

/// Requeues a webhook message. It is retried for another day.
async fn requeue_webhook(ports: &Ports, letter: Entry, key: &str) -> Result<(), StoreUnavailable> {
    let Ok(message) = serde_json::from_slice::<WebhookMessage>(&letter.payload) else {
        return Ok(());
    };
    let message = WebhookMessage { since: ports.clock.now_ms(), ..message };
    let entry = Entry { payload: message.encode().into(), ..letter };
    ports.ledger.enqueue(&WEBHOOKS, key, entry, Duration::ZERO).await?;
    Ok(())
}
