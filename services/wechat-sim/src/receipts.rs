//! Queue of receipts, each pushed when it is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::clock::wall_ms;
use crate::push::{Push, push};
use crate::world::{ScheduledReceipt, SharedState};

/// Limit of receipts that are pushed at the same time.
const MAX_CONCURRENT_RECEIPTS: usize = 64;

/// Pushes a receipt before its call is answered or schedules it, in as many copies as configured.
pub(crate) async fn deliver(world: &SharedState, receipt: Push) {
    if receipt.urls.is_empty() {
        return;
    }
    let settings = world.behaviour.lock().receipt;
    if settings.before_answer {
        for _ in 0..settings.copies {
            push(world.clone(), receipt.clone()).await;
        }
        return;
    }
    let due_ms = wall_ms() + settings.delay.as_millis() as u64;
    for _ in 0..settings.copies {
        let scheduled = ScheduledReceipt { due_ms, push: receipt.clone() };
        if world.receipts.try_send(scheduled).is_err() {
            world.stats.update(|stats| stats.receipts_dropped += 1);
        }
    }
}

/// Pushes scheduled receipts until the simulator stops.
pub(crate) async fn run(world: SharedState, mut receipts: mpsc::Receiver<ScheduledReceipt>) {
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_RECEIPTS));
    let work = async {
        while let Some(receipt) = receipts.recv().await {
            let wait = receipt.due_ms.saturating_sub(wall_ms());
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let sender = world.clone();
            world.tasks.spawn(async move {
                push(sender, receipt.push).await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = work => {}
        () = world.stop.cancelled() => {}
    }
}
