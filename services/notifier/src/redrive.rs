//! Tries dead letters again, once for each that somebody said so of.
//!
//! A notice comes back under a key of its own, since the key under which it was given up has its
//! recorded end, and takes its old place in its ticket's order: what was told since then supersedes
//! it, and what is no longer true is stale. It comes back only if WeChat surely does not have it.

use crate::ending::Away;
use crate::record;
use crate::{Ports, thread};
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

/// Letters in hand at once.
const IN_FLIGHT: usize = 8;

/// When to look again after a store did not answer.
const LATER: Duration = Duration::from_secs(1);

/// When to look again at what a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

/// How long a letter is waited for that stands in the log.
const READING: Duration = Duration::from_secs(10);

/// Member of the consumer that tries dead letters again.
pub(crate) fn worker(ports: Ports) -> Worker<impl Handler> {
    let ledger = ports.ledger.clone();
    Worker::new(ledger, Source::Consumer(DEAD_LETTERS, REDRIVER), IN_FLIGHT, Redriver { ports })
}

struct Redriver {
    ports: Ports,
}

impl Handler for Redriver {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        match said(&delivery.message) {
            // A letter itself, or one that was dropped.
            Said::Nothing => Disposition::Ack,
            Said::Newer => Disposition::RetryAfter(NEWER_LATER),
            Said::Again { letter, newest } => match again(&self.ports, letter, newest).await {
                Ok(()) => Disposition::Ack,
                Err(Away(error)) => {
                    tracing::warn!(error, "a dead letter cannot be tried again yet");
                    Disposition::RetryAfter(LATER)
                }
            },
        }
    }
}

enum Said {
    Nothing,
    Newer,
    Again { letter: Position, newest: u32 },
}

fn said(recorded: &StoredEntry) -> Said {
    let mut parts = recorded.subject.parts();
    let (Some(HANDLED_SUBJECT), Some(letter)) = (parts.next(), parts.next()) else {
        return Said::Nothing;
    };
    match serde_json::from_slice(&recorded.entry.payload) {
        Ok(DeadLetterResolution { v: 1, action: did, .. }) => match (did, letter.parse()) {
            (DeadLetterAction::Redriven { newest }, Ok(letter)) => {
                Said::Again { letter: Position(letter), newest }
            }
            _ => Said::Nothing,
        },
        _ => Said::Newer,
    }
}

async fn again(ports: &Ports, letter: Position, newest: u32) -> Result<(), Away> {
    let Some(letter) = read(&*ports.ledger, letter).await? else {
        tracing::warn!(position = letter.0, "a dead letter has aged out before it was tried again");
        return Ok(());
    };
    let Some(Cause { origin, key, .. }) = Cause::from_dead_letter(&letter.entry) else {
        return Ok(());
    };
    let key = redrive_key(&key);
    match &*origin {
        name if name == NOTICES.name => notice(ports, letter.entry, key, newest).await?,
        name if name == WEBHOOKS.name => webhook(ports, letter.entry, &key).await?,
        _ => return Ok(()),
    }
    metrics::counter!("paihao_notifier_redriven_total", "origin" => origin).increment(1);
    Ok(())
}

/// The entry at a position, if it is still there.
async fn read(ledger: &dyn Ledger, at: Position) -> Result<Option<StoredEntry>, Away> {
    let before = Position(at.0.saturating_sub(1));
    let mut entries = ledger.follow(&DEAD_LETTERS, before).await?;
    let first = tokio::time::timeout(READING, entries.next()).await;
    match first.map_err(|_| Unavailable("a letter was not read in time".to_owned()))? {
        Some(LogItem::Entry(recorded)) if recorded.position == at => Ok(Some(recorded)),
        _ => Ok(None),
    }
}

async fn notice(ports: &Ports, letter: Entry, key: String, newest: u32) -> Result<(), Away> {
    let Ok(notice) = serde_json::from_slice::<Notice>(&letter.payload) else { return Ok(()) };
    let subject = record::subject(&notice.account, &notice.key);
    let ended = ports.ledger.last(&OUTCOMES, &subject).await?;
    let ended = ended.and_then(|last| serde_json::from_slice(&last.entry.payload).ok());
    let was_not_taken = matches!(&ended, Some(OutcomeRecord::Ended(ended)) if matches!(
        ended.fate, DeliveryOutcome::Refused { .. } | DeliveryOutcome::Unspeakable { .. } | DeliveryOutcome::GaveUp { .. }
    ));
    if !was_not_taken {
        tracing::warn!(key = notice.key, "WeChat may have this notice: it is not tried again");
        return Ok(());
    }
    let notice = Notice { key, ..notice };
    if thread::ordered(&notice) {
        thread::note_again(&*ports.cache, &notice, newest).await?;
    }
    let payload = serde_json::to_vec(&notice).expect("string keys only");
    let entry = Entry { payload: payload.into(), ..letter };
    ports.ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
    Ok(())
}

/// A message that was not taken for a day is tried for another.
async fn webhook(ports: &Ports, letter: Entry, key: &str) -> Result<(), Away> {
    let Ok(message) = serde_json::from_slice::<WebhookMessage>(&letter.payload) else {
        return Ok(());
    };
    let message = WebhookMessage { since: ports.clock.now_ms(), ..message };
    let entry = Entry { payload: message.encode().into(), ..letter };
    ports.ledger.enqueue(&WEBHOOKS, key, entry, Duration::ZERO).await?;
    Ok(())
}
