//! Planner: consumes commits and puts their notices on the work queue.

use crate::delivery::planned_order;
use crate::planning::plan::plan;
use crate::ports::StoreError;
use paihao_cache::Cache;
use paihao_contracts::commit::Commit;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::streams::{LEDGER, NOTICES, PLANNER};
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Ledger, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Most commits planned at once.
const MAX_IN_FLIGHT: usize = 64;

/// Delay after a store did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Creates the worker of the planner's consumer.
pub(crate) fn worker(ledger: Arc<dyn Ledger>, cache: Arc<dyn Cache>) -> Worker<impl Handler> {
    let planner = handler(ledger.clone(), cache);
    Worker::new(ledger, Source::Consumer(LEDGER, PLANNER), MAX_IN_FLIGHT, planner)
}

/// Creates the handler of the planner's consumer.
pub(crate) fn handler(
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
) -> impl Handler<Message = Commit> {
    Planner { ledger, cache }
}

struct Planner {
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
}

impl Handler for Planner {
    type Message = Commit;

    async fn handle(&self, commit: Commit, delivery: &Delivery) -> Result<Disposition, NewerForm> {
        match enqueue_notices(&*self.ledger, &*self.cache, delivery, &commit).await {
            Ok(()) => Ok(Disposition::Ack),
            Err(StoreError::Newer(newer)) => Err(newer),
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(error, "cannot queue the notices of a commit, retrying");
                Ok(Disposition::RetryAfter(RETRY_DELAY))
            }
        }
    }
}

async fn enqueue_notices(
    ledger: &dyn Ledger,
    cache: &dyn Cache,
    delivery: &Delivery,
    commit: &Commit,
) -> Result<(), StoreError> {
    let notices = plan(commit);
    for notice in notices.iter().filter(|notice| planned_order::is_ordered(notice)) {
        planned_order::register_planned(cache, notice).await?;
    }
    for notice in notices {
        let mut entry = Entry::new(serde_json::to_vec(&notice).expect("string keys only"));
        entry.headers = delivery.message.entry.headers.clone();
        ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
        metrics::counter!("paihao_notifier_planned_total").increment(1);
    }
    Ok(())
}
