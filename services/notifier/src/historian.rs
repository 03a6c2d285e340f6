//! Reads commits, shared with the other replicas, and writes into the history what they say of visits
//! that have ended. A commit may be written twice; whoever reads the history counts a visit once.

use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::streams::{HISTORY, LEDGER, VISIT_WRITER};
use paihao_contracts::visit::history_entry;
use paihao_ledger::worker::Source;
use paihao_ledger::{
    AppendError, Delivery, Disposition, Entry, ExpectedPosition, Handler, Ledger, Worker,
};
use std::sync::Arc;
use std::time::Duration;

/// Commits worked on at once.
const IN_FLIGHT: usize = 64;

/// When to write again after the ledger did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// When to look again at a commit that a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

/// Member of the consumer that writes the history.
pub(crate) fn worker(ledger: Arc<dyn Ledger>) -> Worker<impl Handler> {
    let historian = Historian { ledger: ledger.clone() };
    Worker::new(ledger, Source::Consumer(LEDGER, VISIT_WRITER), IN_FLIGHT, historian)
}

struct Historian {
    ledger: Arc<dyn Ledger>,
}

impl Handler for Historian {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        match serde_json::from_slice::<Commit>(&delivery.message.entry.payload) {
            Ok(commit) if commit.v <= COMMIT_VERSION => {
                match write(&*self.ledger, delivery, &commit).await {
                    Ok(()) => Disposition::Ack,
                    Err(error) => {
                        tracing::warn!(%error, "cannot write the history of a commit, retrying");
                        Disposition::RetryAfter(RETRY_DELAY)
                    }
                }
            }
            Ok(_) => Disposition::RetryAfter(NEWER_LATER),
            // The planner logs it, and keeps it as a dead letter.
            Err(_) => Disposition::Ack,
        }
    }
}

async fn write(
    ledger: &dyn Ledger,
    delivery: &Delivery,
    commit: &Commit,
) -> Result<(), AppendError> {
    let recorded = &delivery.message;
    let Some(said) = history_entry(recorded.position.0, commit) else { return Ok(()) };
    let entry = Entry::new(serde_json::to_vec(&said).expect("string keys only"));
    ledger.append(&HISTORY, &recorded.subject, ExpectedPosition::Any, entry).await?;
    metrics::counter!("paihao_notifier_visits_total").increment(said.records.len() as u64);
    Ok(())
}
