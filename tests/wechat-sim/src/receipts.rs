//! Pushes the delivery results of template messages, each when it is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::clock::wall_ms;
use crate::push::push;
use crate::world::{Receipt, Shared};

/// Receipts being pushed at one time.
const AT_ONCE: usize = 64;

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
