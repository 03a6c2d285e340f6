//! Visit writer: consumes commits and appends the visits that ended in them to the visit log.
//!
//! The records of a commit may be written twice. Readers of the log count each visit once.

use paihao_contracts::commit::Commit;
use paihao_contracts::envelope::{MalformedForm, NewerForm};
use paihao_contracts::partitions::Partition;
use paihao_contracts::streams::{HISTORY, VISIT_WRITER};
use paihao_contracts::visit::history_entry;
use paihao_ledger::worker::Source;
use paihao_ledger::{
    AppendError, Delivery, Disposition, Entry, ExpectedPosition, Handler, Ledger, Worker,
};
use std::sync::Arc;
use std::time::Duration;

/// Most commits of a partition handled at once.
const MAX_IN_FLIGHT: usize = 64;

/// Delay after the ledger did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Creates the worker of the visit writer's consumer of a partition.
pub(crate) fn worker(partition: Partition, ledger: Arc<dyn Ledger>) -> Worker<impl Handler> {
    let writer = VisitWriter { ledger: ledger.clone() };
    Worker::new(ledger, Source::Consumer(partition.ledger, VISIT_WRITER), MAX_IN_FLIGHT, writer)
}

struct VisitWriter {
    ledger: Arc<dyn Ledger>,
}

impl Handler for VisitWriter {
    type Message = Commit;

    async fn handle(&self, commit: Commit, delivery: &Delivery) -> Result<Disposition, NewerForm> {
        Ok(match write_visits(&*self.ledger, delivery, &commit).await {
            Ok(()) => Disposition::Ack,
            Err(error) => {
                tracing::warn!(%error, "cannot write the visits of a commit, retrying");
                Disposition::RetryAfter(RETRY_DELAY)
            }
        })
    }

    /// The planner logs it and moves it to the dead letters.
    fn give_up(&self, _: &Delivery, _: &MalformedForm) -> Disposition {
        Disposition::Ack
    }
}

async fn write_visits(
    ledger: &dyn Ledger,
    delivery: &Delivery,
    commit: &Commit,
) -> Result<(), AppendError> {
    let stored = &delivery.message;
    let Some(visits) = history_entry(stored.position.0, commit) else { return Ok(()) };
    let entry = Entry::new(serde_json::to_vec(&visits).expect("string keys only"));
    ledger.append(&HISTORY, &stored.subject, ExpectedPosition::Any, entry).await?;
    metrics::counter!("paihao_notifier_visits_total").increment(visits.records.len() as u64);
    Ok(())
}
