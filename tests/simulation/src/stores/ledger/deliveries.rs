//! Deliveries to one worker over a link, and their acknowledgement.

use super::claims::ClaimedBatch;
use super::store::{DeliveryRef, Source, Store};
use crate::link::Link;
use async_trait::async_trait;
use futures::stream::{StreamExt, unfold};
use paihao_ledger::{Acknowledge, Deliveries, Delivery, Disposition, StoredEntry, Unavailable};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Largest number of messages claimed at once; the rest stays for other workers.
const MAX_CLAIM_BATCH: usize = 32;
/// Delay before a claim that got no answer is repeated.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Longest sleep of a worker.
const MAX_SLEEP: Duration = Duration::from_secs(3600);

struct DeliveryStream {
    store: Arc<Store>,
    link: Link,
    source: Source,
    permits: Arc<Semaphore>,
    prefetched: VecDeque<(StoredEntry, u64)>,
    changes: watch::Receiver<()>,
}

pub(super) fn deliveries(
    store: Arc<Store>,
    link: Link,
    source: Source,
    in_flight: usize,
) -> Deliveries {
    let changes = store.subscribe(source.change_key());
    let permits = Arc::new(Semaphore::new(in_flight.clamp(1, Semaphore::MAX_PERMITS)));
    let prefetched = VecDeque::new();
    let stream = DeliveryStream { store, link, source, permits, prefetched, changes };
    Deliveries::new(
        unfold(stream, async |mut stream| {
            let next = stream.next().await;
            Some((next, stream))
        })
        .boxed(),
    )
}

impl DeliveryStream {
    async fn next(&mut self) -> Delivery {
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        loop {
            if let Some((stored, attempt)) = self.prefetched.pop_front() {
                return self.deliver(stored, attempt, permit);
            }
            // Before claiming: later changes notify again.
            self.changes.borrow_and_update();
            let limit = (self.permits.available_permits() + 1).min(MAX_CLAIM_BATCH);
            let (store, source) = (self.store.clone(), self.source);
            match self.link.call(move || store.claim(&source, limit)).await {
                Ok(ClaimedBatch { claimed, next_due_ms }) if claimed.is_empty() => {
                    let left_ms = next_due_ms.map(|due_ms| due_ms - self.store.now_ms());
                    let sleep_time = left_ms
                        .map_or(MAX_SLEEP, |left_ms| Duration::from_millis(left_ms.max(0) as u64));
                    let _ = timeout(sleep_time.min(MAX_SLEEP), self.changes.changed()).await;
                }
                Ok(ClaimedBatch { claimed, .. }) => self.prefetched.extend(claimed),
                Err(_) => sleep(RETRY_DELAY).await,
            }
        }
    }

    fn deliver(&self, stored: StoredEntry, attempt: u64, permit: OwnedSemaphorePermit) -> Delivery {
        let handle = AckHandle {
            store: self.store.clone(),
            link: self.link.clone(),
            source: self.source,
            delivery: DeliveryRef { position: stored.position.0, attempt },
            _permit: permit,
        };
        Delivery::new(stored, attempt, Box::new(handle))
    }
}

impl Drop for DeliveryStream {
    /// Gives back what was claimed and never handed over; it does not count as an attempt.
    fn drop(&mut self) {
        for (stored, attempt) in std::mem::take(&mut self.prefetched) {
            let (store, source) = (self.store.clone(), self.source);
            let delivery = DeliveryRef { position: stored.position.0, attempt };
            self.link.send(move || store.give_back(&source, delivery, attempt - 1));
        }
    }
}

struct AckHandle {
    store: Arc<Store>,
    link: Link,
    source: Source,
    delivery: DeliveryRef,
    _permit: OwnedSemaphorePermit,
}

#[async_trait]
impl Acknowledge for AckHandle {
    async fn settle(&self, disposition: Disposition) -> Result<(), Unavailable> {
        let (store, source, delivery) = (self.store.clone(), self.source, self.delivery);
        Ok(self.link.call(move || store.settle(&source, delivery, disposition)).await?)
    }

    async fn extend(&self) -> Result<(), Unavailable> {
        let (store, source, delivery) = (self.store.clone(), self.source, self.delivery);
        Ok(self.link.call(move || store.extend(&source, delivery)).await?)
    }

    fn abandon(&self) {
        let (store, source, delivery) = (self.store.clone(), self.source, self.delivery);
        self.link.send(move || store.give_back(&source, delivery, delivery.attempt));
    }
}
