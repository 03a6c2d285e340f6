//! A dead letter is tried again, or dropped: recorded once, whoever is first and at whichever replica.

use super::Letter;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use paihao_contracts::dead_letter::{HANDLED, Handling, LetterHandled};
use paihao_contracts::names::DEAD_LETTERS;
use paihao_ledger::{AppendError, Entry, Expect, Subject};
use std::sync::Arc;

/// What somebody wants done with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Try it again.
    Redrive,
    /// Forget it.
    Drop,
}

impl Wanted {
    fn is(self, did: &Handling) -> bool {
        match self {
            Wanted::Redrive => matches!(did, Handling::Redriven { .. }),
            Wanted::Drop => *did == Handling::Dropped,
        }
    }
}

impl Door {
    /// Has it done, unless it was; refused if something else was done. The letter as it is now.
    pub(crate) async fn handle(
        &self,
        letter: &Letter,
        wanted: Wanted,
        by: &str,
    ) -> Result<Arc<Letter>, Problem> {
        if wanted == Wanted::Redrive && !letter.about.redrivable {
            return Err(Problem::new(&refusals::NOT_REDRIVABLE));
        }
        let handled = match &letter.handled {
            Some(handled) => handled.clone(),
            None => self.record(letter, wanted, by).await?,
        };
        if !wanted.is(&handled.did) {
            return Err(Problem::new(&refusals::LETTER_HANDLED));
        }
        self.letters.handle(letter.position, handled);
        self.letters.count();
        self.letters.at(letter.position).ok_or_else(|| Problem::new(&refusals::UNKNOWN_LETTER))
    }

    async fn record(
        &self,
        letter: &Letter,
        wanted: Wanted,
        by: &str,
    ) -> Result<LetterHandled, Problem> {
        let did = match wanted {
            Wanted::Drop => Handling::Dropped,
            Wanted::Redrive => Handling::Redriven { newest: self.newest_told(letter) },
        };
        let handled = LetterHandled { v: 1, at: self.clock.now_ms(), by: by.to_owned(), did };
        let subject =
            Subject::new(&[HANDLED, &letter.position.to_string()]).expect("a word and a number");
        let entry = Entry::new(serde_json::to_vec(&handled).expect("string keys only"));
        match self.ledger.append(&DEAD_LETTERS, &subject, Expect::Nothing, entry).await {
            Ok(_) => {
                let did = if wanted == Wanted::Drop { "dropped" } else { "redriven" };
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
    fn newest_told(&self, letter: &Letter) -> u32 {
        let of = letter.about.site.as_deref().zip(letter.about.ticket);
        of.map_or(0, |(site, (day, ticket))| self.fates.newest(site, day, ticket))
    }
}
