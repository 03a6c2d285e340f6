//! A dead letter is tried again, or dropped: recorded once, whoever is first and at whichever replica.

use super::DeadLetter;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use paihao_contracts::dead_letter::{DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT};
use paihao_contracts::streams::DEAD_LETTERS;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Subject};
use std::sync::Arc;

/// What somebody wants done with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestedAction {
    /// Try it again.
    Redrive,
    /// Forget it.
    Drop,
}

impl RequestedAction {
    fn matches(self, did: &DeadLetterAction) -> bool {
        match self {
            RequestedAction::Redrive => matches!(did, DeadLetterAction::Redriven { .. }),
            RequestedAction::Drop => *did == DeadLetterAction::Dropped,
        }
    }
}

impl AppState {
    /// Has it done, unless it was; refused if something else was done. The letter as it is now.
    pub(crate) async fn handle_dead_letter(
        &self,
        letter: &DeadLetter,
        wanted: RequestedAction,
        by: &str,
    ) -> Result<Arc<DeadLetter>, Problem> {
        if wanted == RequestedAction::Redrive && !letter.subject.redrivable {
            return Err(Problem::new(&refusals::NOT_REDRIVABLE));
        }
        let handled = match &letter.handled {
            Some(handled) => handled.clone(),
            None => self.record_handling(letter, wanted, by).await?,
        };
        if !wanted.matches(&handled.action) {
            return Err(Problem::new(&refusals::LETTER_HANDLED));
        }
        self.dead_letters.set_handled(letter.position, handled);
        self.dead_letters.update_gauge();
        self.dead_letters
            .get(letter.position)
            .ok_or_else(|| Problem::new(&refusals::UNKNOWN_LETTER))
    }

    async fn record_handling(
        &self,
        letter: &DeadLetter,
        wanted: RequestedAction,
        by: &str,
    ) -> Result<DeadLetterResolution, Problem> {
        let did = match wanted {
            RequestedAction::Drop => DeadLetterAction::Dropped,
            RequestedAction::Redrive => {
                DeadLetterAction::Redriven { newest: self.latest_notice_order(letter) }
            }
        };
        let handled =
            DeadLetterResolution { v: 1, at: self.clock.now_ms(), by: by.to_owned(), action: did };
        let subject = Subject::new(&[HANDLED_SUBJECT, &letter.position.to_string()])
            .expect("a word and a number");
        let entry = Entry::new(serde_json::to_vec(&handled).expect("string keys only"));
        match self.ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Empty, entry).await {
            Ok(_) => {
                let did = if wanted == RequestedAction::Drop { "dropped" } else { "redriven" };
                metrics::counter!("paihao_gateway_dead_letters_handled_total", "did" => did)
                    .increment(1);
                tracing::info!(letter = letter.position, by, did, "a dead letter was handled");
                Ok(handled)
            }
            Err(AppendError::Conflict { .. }) => {
                let there = self.ledger.last(&DEAD_LETTERS, &subject).await;
                let there = there.map_err(|_| &refusals::LEDGER_UNAVAILABLE)?;
                let there = there.and_then(|last| serde_json::from_slice(&last.entry.payload).ok());
                Ok(there.ok_or(&refusals::LETTER_HANDLED)?)
            }
            Err(_) => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }

    /// The place in its ticket's order of the newest notice that is known: whoever sends the letter
    /// again may have forgotten it.
    fn latest_notice_order(&self, letter: &DeadLetter) -> u32 {
        let of = letter.subject.site.as_deref().zip(letter.subject.ticket);
        of.map_or(0, |(site, (day, ticket))| self.delivery_status.latest_order(site, day, ticket))
    }
}
