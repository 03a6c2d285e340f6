//! Support of all subjects: engines and gateways over one ledger, without any network but loopback.

pub mod cluster;
pub mod engine;
pub mod gateway;

use std::time::Duration;

/// Waits for what a gateway does, or hears from another one, in a moment.
pub async fn wait_until(what: &str, condition: impl AsyncFnMut() -> bool) {
    harness::wait_until(what, Duration::from_secs(30), condition).await;
}
