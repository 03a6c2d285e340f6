//! Workers: run a handler for each message of a shared consumer or a work queue, several at once.

use crate::{Deliveries, Delivery, Disposition, Ledger, Unavailable};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::trace::{self, Traceparent};
use paihao_chassis::{CancellationToken, Tasks};
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::sync::Arc;
use std::time::Duration;

/// Shortest delay before a source is joined again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Longest delay before a source is joined again.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Source of a worker's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A shared consumer, whose members divide the entries of a log.
    Consumer(Log, Consumer),
    /// A work queue.
    Queue(WorkQueue),
}

impl Source {
    /// Returns the name of the consumer or the queue.
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

/// Handler of messages.
pub trait Handler: Send + Sync + 'static {
    /// Handles a message and returns its disposition. A message may be handled twice, because an
    /// acknowledgement can be lost.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Disposition> + Send;
}

/// Member of a shared consumer, or one of the workers of a queue.
pub struct Worker<H> {
    ledger: Arc<dyn Ledger>,
    source: Source,
    concurrency: usize,
    handler: H,
}

impl<H: Handler> Worker<H> {
    /// Creates a worker that handles at most `concurrency` messages at once. Zero counts as one.
    pub fn new(ledger: Arc<dyn Ledger>, source: Source, concurrency: usize, handler: H) -> Self {
        Worker { ledger, source, concurrency: concurrency.max(1), handler }
    }

    /// Starts the worker as an essential task: the process stops if it ends.
    pub fn start(self, name: &str, tasks: &Tasks) {
        self.start_after(std::future::ready(()), name, tasks);
    }

    /// As [`Worker::start`], but takes no message before `ready`: what it needs to know is not read
    /// yet.
    pub fn start_after(
        self,
        ready: impl Future<Output = ()> + Send + 'static,
        name: &str,
        tasks: &Tasks,
    ) {
        let stop = tasks.stop().clone();
        tasks.spawn_essential(name, async move {
            if stop.run_until_cancelled(ready).await.is_some() {
                self.run(&stop).await;
            }
        });
    }

    /// Joins the source and handles its messages until the soft stop. After the stop no message is
    /// taken: those fetched ahead are given back, and those in progress are finished.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(MIN_RETRY_DELAY, MAX_RETRY_DELAY);
        let source = self.source.name();
        while !stop.is_cancelled() {
            match self.source.join(&*self.ledger, self.concurrency).await {
                Ok(deliveries) => {
                    self.drain(deliveries, &mut backoff, stop).await;
                    if !stop.is_cancelled() {
                        tracing::warn!(source, "a message stream ended, joining again");
                    }
                }
                Err(error) => tracing::warn!(source, %error, "cannot receive messages, retrying"),
            }
            backoff.wait_unless(stop).await;
        }
    }

    /// Handles deliveries until the stop or the end of the stream.
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
        // Gives back messages that were fetched ahead, so that other workers take them.
        drop(deliveries);
        while under_way.next().await.is_some() {}
    }

    /// Handles a delivery within the trace of its message and reports the disposition.
    async fn settle(&self, delivery: Delivery) {
        let trace_context =
            Traceparent::continue_from(delivery.message.entry.header(trace::TRACEPARENT_HEADER));
        trace::scope(trace_context, async {
            let source = self.source.name();
            let position = delivery.message.position.0;
            let disposition = self.handler.handle(&delivery).await;
            if let Err(error) = delivery.settle(disposition).await {
                tracing::debug!(source, position, %error, "cannot acknowledge a message, it will be redelivered");
            }
        })
        .await;
    }
}
