//! Planner: consumes commits and puts their notices on the work queue.

use crate::delivery::planned_order;
use crate::planning::plan::plan_decision;
use crate::ports::StoreError;
use paihao_cache::Cache;
use paihao_chassis::trace::{self, Span, SpanKind};
use paihao_contracts::commit::Commit;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::streams::{LEDGER, NOTICES, PLANNER};
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Ledger, PartTraces, Worker};
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
    trace::note_site(&commit.site.id);
    let planned: Vec<_> =
        commit.decisions.iter().map(|decision| plan_decision(commit, decision)).collect();
    for notice in planned.iter().flatten().filter(|notice| planned_order::is_ordered(notice)) {
        planned_order::register_planned(cache, notice).await?;
    }
    let traces = PartTraces::of(&delivery.message.entry);
    for (index, notices) in planned.into_iter().enumerate() {
        let current = trace::current();
        // The trace of the command that this decision is about, if it is not that of the entry.
        let span = traces.get(index).filter(|_| !notices.is_empty()).map(|trace| {
            let mut span = Span::child_of(trace, SpanKind::Consumer, "plan notices");
            span.site(&commit.site.id);
            current.into_iter().for_each(|current| span.link(current));
            span
        });
        let at = span.as_ref().map(Span::at).or(current);
        for notice in notices {
            let entry = Entry::new(serde_json::to_vec(&notice).expect("string keys only"));
            ledger.enqueue(&NOTICES, &notice.key, entry.in_trace(at), Duration::ZERO).await?;
            metrics::counter!("paihao_notifier_planned_total").increment(1);
        }
    }
    Ok(())
}
