//! Reads commits, shared with the other replicas, and puts their notices on the work queue.

use crate::ending::Away;
use crate::plan::plan;
use crate::thread;
use paihao_cache::Cache;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::streams::{LEDGER, NOTICES, PLANNER};
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Ledger, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Commits planned at once.
const IN_FLIGHT: usize = 64;

/// When to plan a commit again after a store did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// When to look again at a commit that a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

/// Member of the consumer that plans notices.
pub(crate) fn worker(ledger: Arc<dyn Ledger>, cache: Arc<dyn Cache>) -> Worker<impl Handler> {
    let planner = Planner { ledger: ledger.clone(), cache };
    Worker::new(ledger, Source::Consumer(LEDGER, PLANNER), IN_FLIGHT, planner)
}

struct Planner {
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
}

impl Handler for Planner {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        match serde_json::from_slice::<Commit>(&delivery.message.entry.payload) {
            Ok(commit) if commit.v <= COMMIT_VERSION => {
                match enqueue(&*self.ledger, &*self.cache, delivery, &commit).await {
                    Ok(()) => Disposition::Ack,
                    Err(Away(error)) => {
                        tracing::warn!(error, "cannot queue the notices of a commit, retrying");
                        Disposition::RetryAfter(RETRY_DELAY)
                    }
                }
            }
            Ok(_) => Disposition::RetryAfter(NEWER_LATER),
            Err(error) => {
                let position = delivery.message.position.0;
                tracing::error!(position, %error, "a commit cannot be planned");
                Disposition::DeadLetter(format!("not a commit of a known form: {error}"))
            }
        }
    }
}

async fn enqueue(
    ledger: &dyn Ledger,
    cache: &dyn Cache,
    delivery: &Delivery,
    commit: &Commit,
) -> Result<(), Away> {
    let notices = plan(commit);
    for notice in notices.iter().filter(|notice| thread::ordered(notice)) {
        thread::note(cache, notice).await?;
    }
    for notice in notices {
        let mut entry = Entry::new(serde_json::to_vec(&notice).expect("string keys only"));
        entry.headers = delivery.message.entry.headers.clone();
        ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
        metrics::counter!("paihao_notifier_planned_total").increment(1);
    }
    Ok(())
}
