//! Reads commits, shared with the other replicas, and writes into the history what they say of visits
//! that have ended. A commit may be written twice; whoever reads the history counts a visit once.

use crate::drain::drain;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::streams::{HISTORY, LEDGER, VISIT_WRITER};
use paihao_contracts::visit::history_entry;
use paihao_ledger::{AppendError, Delivery, Entry, Expect, Ledger};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Commits worked on at once.
const IN_FLIGHT: usize = 64;

/// When to look again at a commit that a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

pub(crate) async fn run(ledger: Arc<dyn Ledger>, stop: CancellationToken) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.is_cancelled() {
        match ledger.consume(&LEDGER, &VISIT_WRITER, IN_FLIGHT).await {
            Ok(commits) => {
                backoff.reset();
                drain(commits, IN_FLIGHT, &stop, |commit| settle(&*ledger, commit)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the historian cannot join its consumer yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

async fn settle(ledger: &dyn Ledger, delivery: Delivery) {
    let settled = match serde_json::from_slice::<Commit>(&delivery.recorded.entry.payload) {
        Ok(commit) if commit.v <= COMMIT_VERSION => match write(ledger, &delivery, &commit).await {
            Ok(()) => delivery.done().await,
            Err(error) => {
                tracing::warn!(%error, "the history could not be written; it is tried again");
                delivery.again(Duration::from_secs(1)).await
            }
        },
        Ok(_) => delivery.again(NEWER_LATER).await,
        // The planner says so, and keeps it.
        Err(_) => delivery.done().await,
    };
    if let Err(error) = settled {
        tracing::debug!(%error, "a commit's acknowledgement was lost; it will be written again");
    }
}

async fn write(
    ledger: &dyn Ledger,
    delivery: &Delivery,
    commit: &Commit,
) -> Result<(), AppendError> {
    let recorded = &delivery.recorded;
    let Some(said) = history_entry(recorded.position.0, commit) else { return Ok(()) };
    let entry = Entry::new(serde_json::to_vec(&said).expect("string keys only"));
    ledger.append(&HISTORY, &recorded.subject, Expect::Anything, entry).await?;
    metrics::counter!("paihao_notifier_visits_total").increment(said.records.len() as u64);
    Ok(())
}
