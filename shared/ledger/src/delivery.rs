//! Delivery of a message to one worker, which owns its acknowledgement.

use crate::entry::StoredEntry;
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use std::time::Duration;

/// Disposition of a worker on a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Finished: never redelivered.
    Ack,
    /// Redelivered, after this delay at the earliest.
    RetryAfter(Duration),
    /// Failed for good, for this reason: moved to the dead letters.
    DeadLetter(String),
}

/// Acknowledgement of a delivery to its store; implemented by the adapters.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// Sends the disposition to the store. On failure the message is redelivered, which is the safe
    /// outcome.
    async fn settle(&self, disposition: Disposition) -> Result<(), crate::Unavailable>;
    /// Requests another full ack-wait from now.
    async fn extend(&self) -> Result<(), crate::Unavailable>;
    /// Called if the worker drops the delivery without a disposition: redeliver it soon. Must not
    /// block.
    fn abandon(&self);
}

/// One message in the possession of one worker. Dropping it without a disposition returns it.
pub struct Delivery {
    /// The message. For a work queue the subject is the queue's name and the position has no
    /// meaning.
    pub message: StoredEntry,
    /// Number of deliveries so far, including this one: 1 the first time.
    pub attempt: u64,
    handle: Option<Box<dyn Acknowledge>>,
}

impl Delivery {
    /// For adapters: combines a message with its acknowledgement.
    pub fn new(message: StoredEntry, attempt: u64, handle: Box<dyn Acknowledge>) -> Self {
        Delivery { message, attempt, handle: Some(handle) }
    }

    /// Acknowledges the message as finished.
    pub async fn ack(self) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::Ack).await
    }

    /// Returns the message for redelivery, after `delay` at the earliest.
    pub async fn retry_after(self, delay: Duration) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::RetryAfter(delay)).await
    }

    /// Moves the message to the dead letters with this reason.
    pub async fn dead_letter(self, reason: &str) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::DeadLetter(reason.to_owned())).await
    }

    /// Keeps the message for another full ack-wait.
    pub async fn extend(&self) -> Result<(), crate::Unavailable> {
        match &self.handle {
            Some(handle) => handle.extend().await,
            None => Ok(()),
        }
    }

    /// Sends a disposition to the store.
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

/// Stream of the deliveries of one worker. Dropping it leaves the consumer or queue.
pub struct Deliveries(BoxStream<'static, Delivery>);

impl Deliveries {
    /// For adapters: wraps a stream.
    pub fn new(stream: BoxStream<'static, Delivery>) -> Self {
        Deliveries(stream)
    }

    /// Returns the next delivery; waits while there is none, also while the store is unavailable.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.0.next().await
    }
}
