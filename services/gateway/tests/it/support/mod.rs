//! Support of all tests: engines and gateways over one ledger, with no network but loopback.

pub mod away_stores;
pub mod cluster;
pub mod doctor;
pub mod engine;
pub mod gateway;
pub mod lagging;
pub mod rehearsal;
pub mod shop;
pub mod wechat;

use std::time::Duration;

/// Waits for an effect of a gateway that takes a moment, such as following another replica.
pub async fn wait_until(what: &str, condition: impl AsyncFnMut() -> bool) {
    harness::wait_until(what, Duration::from_secs(30), condition).await;
}
