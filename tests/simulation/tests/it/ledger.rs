//! Conformance of the simulated ledger, without faults.

use paihao_contracts::partitions::Partitions;
use paihao_ledger::Ledger;
use simulation::link::Link;
use simulation::stores::ledger::{SimulatedLedger, Store};
use std::sync::Arc;
use tokio::time::Instant;

async fn make() -> (Arc<dyn Ledger>, ()) {
    let started = Instant::now();
    let clock = Arc::new(move || 1_000 + started.elapsed().as_millis() as i64);
    let store = Store::new(Partitions::ONE, clock, Arc::new(|_, _| {}));
    (Arc::new(SimulatedLedger::new(store, Link::perfect())), ())
}

paihao_ledger::ledger_conformance!(make);

/// The same in a process of the next release.
mod next_release {
    use super::*;
    use paihao_ledger::conformance::next_release::Release;

    async fn make_next() -> (Arc<dyn Ledger>, ()) {
        let (ledger, ()) = make().await;
        (Release::NEWEST.ledger(ledger), ())
    }

    paihao_ledger::ledger_conformance!(make_next);
}
