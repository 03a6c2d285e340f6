//! Pushes the delivery results of messages, each when it is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::clock::wall_ms;
use crate::push::{Push, push};
use crate::world::{Receipt, Shared};

/// Receipts being pushed at one time.
const AT_ONCE: usize = 64;

/// Pushes a receipt, as the behaviour says: before its call is answered, or later; once, or more often.
pub(crate) async fn deliver(world: &Shared, receipt: Push) {
    if receipt.to.is_empty() {
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
        let waiting = Receipt { due_ms, push: receipt.clone() };
        if world.receipts.try_send(waiting).is_err() {
            world.stats.count(|stats| stats.receipts_dropped += 1);
        }
    }
}

/// Runs until the simulator stops.
pub(crate) async fn run(world: Shared, mut receipts: mpsc::Receiver<Receipt>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let work = async {
        while let Some(receipt) = receipts.recv().await {
            let wait = receipt.due_ms.saturating_sub(wall_ms());
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let sender = world.clone();
            world.tasks.spawn(async move {
                push(sender, receipt.push).await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = work => {}
        () = world.stop.cancelled() => {}
    }
}
