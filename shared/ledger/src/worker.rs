//! Workers: run a handler for each message of a shared consumer or a work queue, several at once.
//!
//! A worker reads the version of a message before its content. A message of a newer program is
//! given back until a process that can read it takes it.

use crate::newer::NewerForms;
use crate::{Deliveries, Delivery, Disposition, Ledger, StoredEntry, Unavailable};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::trace::{self, Span, TRACEPARENT_HEADER};
use paihao_chassis::{CancellationToken, Tasks, entropy};
use paihao_contracts::envelope::{self, Form, MalformedForm, NewerForm, ReadError};
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::sync::Arc;
use std::time::Duration;

/// Shortest delay before a source is joined again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Longest delay before a source is joined again.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Shortest delay before a message of a newer program is delivered again.
const MIN_NEWER_DELAY: Duration = Duration::from_secs(1);
/// Longest delay before a message of a newer program is delivered again. A notice is worth sending
/// for a few minutes only.
const MAX_NEWER_DELAY: Duration = Duration::from_secs(30);

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

/// Content of a message, read from its stored form.
pub trait Message: Sized + Send {
    /// Reads the content of a message.
    fn read(stored: &StoredEntry) -> Result<Self, ReadError>;
}

impl<T: Form + Send> Message for T {
    fn read(stored: &StoredEntry) -> Result<Self, ReadError> {
        envelope::decode(&stored.entry.payload)
    }
}

/// Handler of messages.
pub trait Handler: Send + Sync + 'static {
    /// Content of the messages.
    type Message: Message;

    /// Handles a message and returns its disposition. A message may be handled twice, because an
    /// acknowledgement can be lost. The error is for a stored value of a newer program that the
    /// handler met: the message is given back, as if it were newer itself.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Disposition, NewerForm>> + Send;

    /// Returns the disposition of a message that no program can read.
    fn give_up(&self, delivery: &Delivery, error: &MalformedForm) -> Disposition {
        let position = delivery.message.position.0;
        tracing::error!(position, %error, "cannot decode a message");
        Disposition::DeadLetter(error.to_string())
    }
}

/// Member of a shared consumer, or one of the workers of a queue.
pub struct Worker<H> {
    ledger: Arc<dyn Ledger>,
    source: Source,
    concurrency: usize,
    handler: H,
    newer_forms: NewerForms,
}

impl<H: Handler> Worker<H> {
    /// Creates a worker that handles at most `concurrency` messages at once. Zero counts as one.
    pub fn new(ledger: Arc<dyn Ledger>, source: Source, concurrency: usize, handler: H) -> Self {
        let newer_forms = NewerForms::new(source.name());
        Worker { ledger, source, concurrency: concurrency.max(1), handler, newer_forms }
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
        let source = self.source.name();
        let header = delivery.message.entry.header(TRACEPARENT_HEADER);
        let mut span = Span::of_message(header, source);
        span.number("messaging.message.delivery_attempt", delivery.attempt as i64);
        let position = delivery.message.position.0;
        trace::scope(span.clone(), async {
            let disposition = self.disposition(&delivery).await;
            span.label("paihao.disposition", disposition.name());
            if let Err(error) = delivery.settle(disposition).await {
                tracing::debug!(source, position, %error, "cannot acknowledge a message, it will be redelivered");
            }
        })
        .await;
    }

    async fn disposition(&self, delivery: &Delivery) -> Disposition {
        let handled = match H::Message::read(&delivery.message) {
            Ok(message) => self.handler.handle(message, delivery).await,
            Err(ReadError::Newer(newer)) => Err(newer),
            Err(ReadError::Malformed(error)) => Ok(self.handler.give_up(delivery, &error)),
        };
        handled.unwrap_or_else(|newer| {
            self.newer_forms.record(newer);
            Disposition::RetryAfter(newer_delay(delivery.attempt))
        })
    }
}

/// Returns the delay before the next delivery of a message of a newer program, after this many.
fn newer_delay(attempt: u64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    entropy::jitter((MIN_NEWER_DELAY * 2_u32.pow(doublings)).min(MAX_NEWER_DELAY), 0.2)
}
