//! Planner: consumes commits and puts their notices on the work queue.

use crate::delivery::planned_order;
use crate::planning::plan::plan_decision;
use crate::ports::StoreError;
use futures::stream::{self, StreamExt, TryStreamExt};
use paihao_cache::Cache;
use paihao_chassis::trace::{self, Span, SpanKind};
use paihao_contracts::commit::Commit;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::partitions::Partition;
use paihao_contracts::streams::{NOTICES, PLANNER};
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Entry, Handler, Ledger, PartTraces, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Most commits of a partition planned at once.
const MAX_IN_FLIGHT: usize = 64;

/// Most writes of one commit at once.
const MAX_CONCURRENT_WRITES: usize = 16;

/// Delay after a store did not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Creates the worker of the planner's consumer of a partition.
pub(crate) fn worker(
    partition: Partition,
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
) -> Worker<impl Handler> {
    let planner = handler(ledger.clone(), cache);
    Worker::new(ledger, Source::Consumer(partition.ledger, PLANNER), MAX_IN_FLIGHT, planner)
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
    let ordered = planned.iter().flatten().filter(|notice| planned_order::is_ordered(notice));
    let registered = ordered.map(|notice| planned_order::register_planned(cache, notice));
    at_once(registered.collect()).await?;
    let traces = PartTraces::of(&delivery.message.entry);
    let mut spans = Vec::new();
    let mut messages = Vec::new();
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
        messages.extend(notices.into_iter().map(|notice| {
            let entry = Entry::new(serde_json::to_vec(&notice).expect("string keys only"));
            (notice.key, entry.in_trace(at))
        }));
        spans.extend(span);
    }
    let enqueued = messages.into_iter().map(|(key, entry): (String, Entry)| async move {
        ledger.enqueue(&NOTICES, &key, entry, Duration::ZERO).await?;
        metrics::counter!("paihao_notifier_planned_total").increment(1);
        Ok(())
    });
    at_once(enqueued.collect()).await
}

/// Runs some of these writes at once. Stores write together what comes together.
async fn at_once<F: Future<Output = Result<(), StoreError>>>(
    writes: Vec<F>,
) -> Result<(), StoreError> {
    stream::iter(writes).buffer_unordered(MAX_CONCURRENT_WRITES).try_collect().await
}
