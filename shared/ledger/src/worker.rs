//! Workers: each message of a shared consumer or a work queue goes through one handler, several at
//! once.

use crate::{Deliveries, Delivery, Disposition, Ledger, Unavailable};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::trace::{self, Traceparent};
use paihao_chassis::{CancellationToken, Tasks};
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::sync::Arc;
use std::time::Duration;

/// The first wait before a source is joined again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The longest.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Where a worker's messages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The entries of a log, divided among the members of a shared consumer.
    Consumer(Log, Consumer),
    /// A work queue.
    Queue(WorkQueue),
}

impl Source {
    /// The name of the consumer or the queue.
    pub fn name(&self) -> &'static str {
        match self {
            Source::Consumer(_, consumer) => consumer.name,
            Source::Queue(queue) => queue.name,
        }
    }

    async fn join(&self, ledger: &dyn Ledger, limit: usize) -> Result<Deliveries, Unavailable> {
        match self {
            Source::Consumer(log, consumer) => ledger.consume(log, consumer, limit).await,
            Source::Queue(queue) => ledger.consume_queue(queue, limit).await,
        }
    }
}

/// What is done with one message.
pub trait Handler: Send + Sync + 'static {
    /// Handles a message to its end and says whether it is finished, to come again, or to go to the
    /// dead letters. It may handle a message that was handled before: an acknowledgement can be
    /// lost.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Disposition> + Send;
}

/// A member of a shared consumer or of a work queue's workers.
pub struct Worker<H> {
    ledger: Arc<dyn Ledger>,
    source: Source,
    concurrency: usize,
    handler: H,
}

impl<H: Handler> Worker<H> {
    /// Handles at most `concurrency` messages of this source at once, at least one.
    pub fn new(ledger: Arc<dyn Ledger>, source: Source, concurrency: usize, handler: H) -> Self {
        Worker { ledger, source, concurrency: concurrency.max(1), handler }
    }

    /// Starts it as a task without which the process stops.
    pub fn start(self, name: &str, tasks: &Tasks) {
        let stop = tasks.stop().clone();
        tasks.spawn_essential(name, async move { self.run(&stop).await });
    }

    /// Joins the source and handles what it hands out, until the soft stop. From then on no message
    /// is taken; those that were fetched ahead are given back, and those under way are handled to
    /// their end.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(MIN_RETRY_DELAY, MAX_RETRY_DELAY);
        let source = self.source.name();
        while !stop.is_cancelled() {
            match self.source.join(&*self.ledger, self.concurrency).await {
                Ok(deliveries) => {
                    self.drain(deliveries, &mut backoff, stop).await;
                    if !stop.is_cancelled() {
                        tracing::warn!(source, "messages ended, joining again");
                    }
                }
                Err(error) => tracing::warn!(source, %error, "cannot receive messages, retrying"),
            }
            backoff.wait_unless(stop).await;
        }
    }

    /// Handles deliveries until the stop or the end of the deliveries.
    async fn drain(
        &self,
        mut deliveries: Deliveries,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                delivery = deliveries.next(), if under_way.len() < self.concurrency => {
                    let Some(delivery) = delivery else { break };
                    backoff.reset();
                    under_way.push(self.settle(delivery));
                }
            }
        }
        // Others go on with what was fetched ahead while this one finishes.
        drop(deliveries);
        while under_way.next().await.is_some() {}
    }

    /// Handles a delivery as part of the trace that its message carries, and tells the store.
    async fn settle(&self, delivery: Delivery) {
        let here =
            Traceparent::continue_from(delivery.message.entry.header(trace::TRACEPARENT_HEADER));
        trace::scope(here, async {
            let (source, position) = (self.source.name(), delivery.message.position.0);
            let disposition = self.handler.handle(&delivery).await;
            if let Err(error) = delivery.settle(disposition).await {
                tracing::debug!(source, position, %error, "acknowledgement lost, it comes again");
            }
        })
        .await;
    }
}
