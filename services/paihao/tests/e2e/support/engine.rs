//! Engine of the gateway in the test's own process, by a manual clock.

use paihao_chassis::clock::ManualClock;
use paihao_chassis::{CancellationToken, Tasks};
use paihao_gateway::engine::Engine;
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::settings::DeploymentSettings;
use paihao_ledger::{Ledger, Subject};
use std::sync::Arc;

/// Starts an engine, and waits until it has read the ledger. Cancelling `closed` stops it.
pub async fn start_engine(
    settings: &DeploymentSettings,
    ledger: Arc<dyn Ledger>,
    clock: &ManualClock,
    closed: &CancellationToken,
) -> Engine {
    let tasks = Tasks::new();
    let visits = Arc::new(VisitProjection::start(ledger.clone(), closed.clone(), &tasks));
    let ignore_commits = Arc::new(|_: &Subject, _: &_| {});
    let clock = Arc::new(clock.clone());
    let engine =
        Engine::start(&settings.sites, ledger, clock, visits, ignore_commits, closed, &tasks);
    engine.until_caught_up().await;
    engine
}
