//! Conformance suite of the port on JetStream, with the newest and the oldest supported server.

use harness::{NatsServer, nats_server_oldest};
use paihao_ledger::Ledger;
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// One server for all cases, a namespace for each.
async fn ledger_on(server: &NatsServer) -> (Arc<dyn Ledger>, ()) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let namespace = format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let options = NatsOptions { url: server.url(), namespace, ..NatsOptions::default() };
    (Arc::new(NatsLedger::connect(options).await.unwrap()), ())
}

mod newest {
    async fn make() -> (super::Arc<dyn super::Ledger>, ()) {
        super::ledger_on(super::NatsServer::shared()).await
    }
    paihao_ledger::ledger_conformance!(make);
}

mod oldest {
    async fn make() -> (super::Arc<dyn super::Ledger>, ()) {
        static SERVER: super::LazyLock<super::NatsServer> =
            super::LazyLock::new(|| super::NatsServer::start_with(&super::nats_server_oldest()));
        super::ledger_on(&SERVER).await
    }
    paihao_ledger::ledger_conformance!(make);
}
