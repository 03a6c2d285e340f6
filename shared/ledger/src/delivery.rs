//! A message handed to one worker, which owns its acknowledgement.

use crate::entry::StoredEntry;
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use std::time::Duration;

/// What a worker says of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Finished: never hand it out again.
    Ack,
    /// Hand it out again, after this long at the earliest.
    RetryAfter(Duration),
    /// It will never work, for this reason: put it with the dead letters.
    DeadLetter(String),
}

/// How a store learns the disposition; implemented by the adapters.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// Tells the store. On failure the message will be handed out again, which is the safe side.
    async fn settle(&self, disposition: Disposition) -> Result<(), crate::Unavailable>;
    /// Asks for another full ack-wait from now.
    async fn extend(&self) -> Result<(), crate::Unavailable>;
    /// The worker dropped the delivery without a disposition: hand it out again soon. Must not block.
    fn abandon(&self);
}

/// One message in the hands of one worker. Dropping it without a disposition gives it back.
pub struct Delivery {
    /// The message. For a work queue the subject is the queue's name and the position says nothing.
    pub message: StoredEntry,
    /// How often it has been handed out, this time included: 1 the first time.
    pub attempt: u64,
    handle: Option<Box<dyn Acknowledge>>,
}

impl Delivery {
    /// For adapters: a message and the way back.
    pub fn new(message: StoredEntry, attempt: u64, handle: Box<dyn Acknowledge>) -> Self {
        Delivery { message, attempt, handle: Some(handle) }
    }

    /// Finished.
    pub async fn ack(self) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::Ack).await
    }

    /// To be handed out again, after `delay` at the earliest.
    pub async fn retry_after(self, delay: Duration) -> Result<(), crate::Unavailable> {
        self.settle(Disposition::RetryAfter(delay)).await
    }

    /// Never to be tried again; it goes to the dead letters with this reason.
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

    /// Tells the store the disposition.
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

/// The deliveries of one worker, as they come. Dropping it leaves the consumer or queue.
pub struct Deliveries(BoxStream<'static, Delivery>);

impl Deliveries {
    /// For adapters.
    pub fn new(stream: BoxStream<'static, Delivery>) -> Self {
        Deliveries(stream)
    }

    /// The next delivery; waits while there is none, also while the store is away.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.0.next().await
    }
}
