//! Handling of dead letters: a letter is redriven or dropped, which is recorded once, by the first
//! request at any replica.

use super::{DeadLetter, DeadLetterProjection};
use crate::projections::delivery_status::DeliveryStatusProjection;
use paihao_chassis::clock::Clock;
use paihao_contracts::dead_letter::{DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT};
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::streams::DEAD_LETTERS;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Subject};
use std::sync::Arc;

/// Requested action on a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestedAction {
    /// Queue the letter again.
    Redrive,
    /// Drop the letter.
    Drop,
}

impl RequestedAction {
    fn matches(self, action: &DeadLetterAction) -> bool {
        match self {
            RequestedAction::Redrive => matches!(action, DeadLetterAction::Redriven { .. }),
            RequestedAction::Drop => *action == DeadLetterAction::Dropped,
        }
    }
}

/// Reason why a letter is not handled as requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandleError {
    /// Only notices and webhook messages that this program can read are tried again.
    #[error("a letter of this kind cannot be tried again")]
    NotRedrivable,
    /// The other action was recorded before.
    #[error("the letter has been handled otherwise")]
    AlreadyHandled,
    /// The letter is no longer kept.
    #[error("there is no such letter")]
    UnknownLetter,
    /// A newer program wrote the letter, or how it was handled.
    #[error("a newer program wrote what this one cannot read")]
    NewerVersion,
    /// The ledger did not answer.
    #[error("the ledger did not answer")]
    LedgerUnavailable,
}

/// Handler of dead letters, which records each action in their log.
pub(crate) struct DeadLetterHandler {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) letters: DeadLetterProjection,
    pub(crate) delivery_status: DeliveryStatusProjection,
}

impl DeadLetterHandler {
    /// Records the action unless one was recorded before, and returns the letter after it.
    pub(crate) async fn handle(
        &self,
        letter: &DeadLetter,
        requested: RequestedAction,
        by: &str,
    ) -> Result<Arc<DeadLetter>, HandleError> {
        let is_redrive = requested == RequestedAction::Redrive;
        if self.letters.newer().is_some() || (is_redrive && letter.subject.needs_newer) {
            return Err(HandleError::NewerVersion);
        }
        if is_redrive && !letter.subject.redrivable {
            return Err(HandleError::NotRedrivable);
        }
        let handled = match &letter.handled {
            Some(handled) => handled.clone(),
            None => self.record_handling(letter, requested, by).await?,
        };
        if !requested.matches(&handled.action) {
            return Err(HandleError::AlreadyHandled);
        }
        self.letters.set_handled(letter.position, handled);
        self.letters.update_gauge();
        self.letters.get(letter.position).ok_or(HandleError::UnknownLetter)
    }

    async fn record_handling(
        &self,
        letter: &DeadLetter,
        requested: RequestedAction,
        by: &str,
    ) -> Result<DeadLetterResolution, HandleError> {
        let action = match requested {
            RequestedAction::Drop => DeadLetterAction::Dropped,
            RequestedAction::Redrive => {
                DeadLetterAction::Redriven { newest: self.latest_notice_order(letter) }
            }
        };
        let handled =
            DeadLetterResolution { v: 1, at: self.clock.now_ms(), by: by.to_owned(), action };
        let subject = Subject::new(&[HANDLED_SUBJECT, &letter.position.to_string()])
            .expect("a word and a number");
        let entry = Entry::new(serde_json::to_vec(&handled).expect("string keys only"));
        match self.ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Empty, entry).await {
            Ok(_) => {
                let did = if requested == RequestedAction::Drop { "dropped" } else { "redriven" };
                metrics::counter!("paihao_gateway_dead_letters_handled_total", "did" => did)
                    .increment(1);
                tracing::info!(letter = letter.position, by, did, "dead letter handled");
                Ok(handled)
            }
            Err(AppendError::Conflict { .. }) => {
                let last = self.ledger.last(&DEAD_LETTERS, &subject).await;
                let recorded = last.map_err(|_| HandleError::LedgerUnavailable)?;
                let recorded = recorded.ok_or(HandleError::AlreadyHandled)?;
                envelope::decode(&recorded.entry.payload).map_err(|error| match error {
                    ReadError::Newer(_) => HandleError::NewerVersion,
                    ReadError::Malformed(_) => HandleError::AlreadyHandled,
                })
            }
            Err(_) => Err(HandleError::LedgerUnavailable),
        }
    }

    /// Returns the order number of the newest known notice of the letter's ticket, which the worker
    /// that sends the letter again may not have.
    fn latest_notice_order(&self, letter: &DeadLetter) -> u32 {
        let key = letter.subject.site.as_deref().zip(letter.subject.ticket);
        key.map_or(0, |(site, (day, ticket))| self.delivery_status.latest_order(site, day, ticket))
    }
}
