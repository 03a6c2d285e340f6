//! Deliveries: messages handed to one worker, which acknowledges each of them.

use crate::entry::StoredEntry;
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use std::time::Duration;

/// Acknowledgement that a worker gives for a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The message is handled. It is not delivered again.
    Ack,
    /// The message is to be delivered again, after this delay at the earliest.
    RetryAfter(Duration),
    /// The message cannot be handled, for this reason. It goes to the dead letters.
    DeadLetter(String),
}

impl Disposition {
    /// Returns the name in traces.
    pub fn name(&self) -> &'static str {
        match self {
            Disposition::Ack => "ack",
            Disposition::RetryAfter(_) => "retry",
            Disposition::DeadLetter(_) => "dead_letter",
        }
    }
}

/// Acknowledgement handle of one delivery, implemented by each adapter.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// Reports the disposition to the store. After a failure the message is delivered again.
    async fn settle(&self, disposition: Disposition) -> Result<(), crate::Unavailable>;
    /// Restarts the ack-wait of the delivery.
    async fn extend(&self) -> Result<(), crate::Unavailable>;
    /// Schedules the message for redelivery after the worker dropped it without a disposition. Must
    /// not block.
    fn abandon(&self);
}

/// Message held by one worker. Dropping it without a disposition gives it back to the store.
pub struct Delivery {
    /// The message. For a work queue the subject is the queue's name and the position is
    /// meaningless.
    pub message: StoredEntry,
    /// Count of deliveries of this message, 1 for the first.
    pub attempt: u64,
    handle: Option<Box<dyn Acknowledge>>,
}

impl Delivery {
    /// Creates a delivery. Adapters call this with their acknowledgement handle.
    pub fn new(message: StoredEntry, attempt: u64, handle: Box<dyn Acknowledge>) -> Self {
        Delivery { message, attempt, handle: Some(handle) }
    }

    /// Acknowledges the message as handled.
    pub async fn ack(self) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::Ack).await
    }

    /// Requests redelivery, after `delay` at the earliest.
    pub async fn retry_after(self, delay: Duration) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::RetryAfter(delay)).await
    }

    /// Moves the message to the dead letters, with this reason.
    pub async fn dead_letter(self, reason: &str) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::DeadLetter(reason.to_owned())).await
    }

    /// Restarts the ack-wait, so that the message stays with this worker.
    pub async fn extend(&self) -> Result<(), crate::Unavailable> {
        match &self.handle {
            Some(handle) => handle.extend().await,
            None => Ok(()),
        }
    }

    /// Reports the disposition to the store.
    pub(crate) async fn settle(
        mut self,
        disposition: Disposition,
    ) -> Result<(), crate::Unavailable> {
        match self.handle.take() {
            Some(handle) => handle.settle(disposition).await,
            None => Ok(()),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abandon();
        }
    }
}

/// Stream of deliveries to one worker. Dropping it leaves the consumer or the queue.
pub struct Deliveries(BoxStream<'static, Delivery>);

impl Deliveries {
    /// Wraps an adapter's stream.
    pub fn new(stream: BoxStream<'static, Delivery>) -> Self {
        Deliveries(stream)
    }

    /// Waits for the next delivery, also while the store is unavailable.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.0.next().await
    }
}
