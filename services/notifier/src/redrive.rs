//! Redrive worker: requeues dead letters on an operator's request.
//!
//! A notice is requeued under a key of its own, because its original key already has a recorded
//! outcome. It keeps its place in the order of its ticket, so a later notice supersedes it, and it
//! is stale after its validity. A notice is requeued only if WeChat certainly does not have it.

use crate::delivery::planned_order;
use crate::delivery::takeover::{self, FormerRecords};
use crate::delivery::ticket_log::TicketLog;
use crate::ports::{Ports, StoreError, read_stored};
use paihao_contracts::dead_letter::{
    DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT, redrive_key,
};
use paihao_contracts::envelope::{self, MalformedForm, NewerForm, ReadError};
use paihao_contracts::notice::Notice;
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, REDRIVER, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::worker::Source;
use paihao_ledger::{
    Delivery, Disposition, Entry, Handler, Message, Position, StoredEntry, Worker,
};
use std::time::Duration;

/// Most resolutions handled at once.
const MAX_IN_FLIGHT: usize = 8;

/// Delay after a store did not answer.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Creates the worker of the redrive consumer.
pub(crate) fn worker(ports: Ports) -> Worker<impl Handler> {
    let ledger = ports.ledger.clone();
    Worker::new(ledger, Source::Consumer(DEAD_LETTERS, REDRIVER), MAX_IN_FLIGHT, Redriver { ports })
}

struct Redriver {
    ports: Ports,
}

impl Handler for Redriver {
    type Message = RedriveCommand;

    async fn handle(
        &self,
        command: RedriveCommand,
        _: &Delivery,
    ) -> Result<Disposition, NewerForm> {
        let RedriveCommand::Redrive { dead_letter, newest } = command else {
            return Ok(Disposition::Ack);
        };
        match redrive(&self.ports, dead_letter, newest).await {
            Ok(()) => Ok(Disposition::Ack),
            Err(StoreError::Newer(newer)) => Err(newer),
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(error, "cannot redrive a dead letter, retrying");
                Ok(Disposition::RetryAfter(STORE_RETRY_DELAY))
            }
        }
    }

    /// A dead letter about a dead letter would come back here.
    fn give_up(&self, delivery: &Delivery, error: &MalformedForm) -> Disposition {
        let position = delivery.message.position.0;
        tracing::error!(position, %error, "cannot decode how a dead letter was handled");
        Disposition::Ack
    }
}

/// Entry of the log of dead letters, as the redriver sees it.
enum RedriveCommand {
    /// The dead letter itself, or the resolution to drop it.
    Ignore,
    Redrive {
        dead_letter: Position,
        newest: u32,
    },
}

impl Message for RedriveCommand {
    fn read(stored: &StoredEntry) -> Result<RedriveCommand, ReadError> {
        let mut parts = stored.subject.parts();
        let (Some(HANDLED_SUBJECT), Some(dead_letter)) = (parts.next(), parts.next()) else {
            return Ok(RedriveCommand::Ignore);
        };
        let resolution: DeadLetterResolution = envelope::decode(&stored.entry.payload)?;
        Ok(match (resolution.action, dead_letter.parse()) {
            (DeadLetterAction::Redriven { newest }, Ok(dead_letter)) => {
                RedriveCommand::Redrive { dead_letter: Position(dead_letter), newest }
            }
            _ => RedriveCommand::Ignore,
        })
    }
}

async fn redrive(ports: &Ports, dead_letter: Position, newest: u32) -> Result<(), StoreError> {
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
) -> Result<(), StoreError> {
    let Some(notice) = read_stored::<Notice>(&dead_letter.payload)? else { return Ok(()) };
    let log = TicketLog::load(ports.ledger.clone(), &notice).await?;
    let is_undelivered = match log.end_of(&notice).await? {
        Some(ended) => ended.dead_letter.is_some(),
        None => {
            let records = takeover::load(ports, &notice, false).await?;
            matches!(records, FormerRecords::Ended(Some(_)))
        }
    };
    if !is_undelivered {
        tracing::warn!(key = notice.key, "not redriving a notice that WeChat may have");
        return Ok(());
    }
    let notice = Notice { key, ..notice };
    if planned_order::is_ordered(&notice) {
        planned_order::register_redriven(&*ports.cache, &notice, newest).await?;
    }
    let payload = serde_json::to_vec(&notice).expect("string keys only");
    let entry = Entry { payload: payload.into(), ..dead_letter };
    ports.ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
    Ok(())
}

/// Requeues a webhook message. It is retried for another day.
async fn requeue_webhook(ports: &Ports, dead_letter: Entry, key: &str) -> Result<(), StoreError> {
    let Some(message) = read_stored::<WebhookMessage>(&dead_letter.payload)? else { return Ok(()) };
    let message = WebhookMessage { since: ports.clock.now_ms(), ..message };
    let entry = Entry { payload: message.encode().into(), ..dead_letter };
    ports.ledger.enqueue(&WEBHOOKS, key, entry, Duration::ZERO).await?;
    Ok(())
}
