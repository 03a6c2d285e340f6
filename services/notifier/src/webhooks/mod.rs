//! Webhooks: signed messages about events to other systems, retried until they are accepted.
//!
//! - The planner consumes commits and enqueues one message per webhook and event.
//! - The sender posts the messages, notes how it went in a log that managers read, and pauses what
//!   has failed for days; with two forms of a [`signature`] and the delays of [`retry`].
//!
//! Webhooks share no queue and no client with the messages to WeChat, so a receiver that hangs
//! delays nothing else.

pub mod retry;
pub mod signature;
pub mod standard_signature;

mod client;
mod delivery_log;

mod planner;
mod sender;
mod settings;

pub use client::BuildError;

pub use settings::{Settings, WebhookEndpoint};

use delivery_log::DeliveryLog;
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::{Handler, Ledger};
use std::sync::Arc;

/// Starts the planner and the sender, unless no webhook is configured. After the soft stop no
/// message is taken, and those in progress are finished.
pub fn start(
    settings: Settings,
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<(), BuildError> {
    if settings.endpoints.is_empty() {
        return Ok(());
    }
    let client = client::Client::new(&settings.private_targets)?;
    let settings = Arc::new(settings);
    for partition in ledger.partitions().all() {
        planner::worker(partition, settings.clone(), ledger.clone(), clock.clone())
            .start("webhook-planner", tasks);
    }
    let log = Arc::new(DeliveryLog::new(cache, clock.clone()));
    log.clone().start(tasks);
    sender::worker(settings, client, log, ledger, clock).start("webhook-sender", tasks);
    Ok(())
}

/// Creates the handler of the webhook queue without its queue, which a test plays.
pub fn sender(
    settings: Settings,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
) -> Result<impl Handler<Message = WebhookMessage>, BuildError> {
    let client = client::Client::new(&settings.private_targets)?;
    let log = Arc::new(DeliveryLog::new(cache, clock.clone()));
    Ok(sender::handler(Partitions::ONE, Arc::new(settings), client, log, clock))
}
