//! Tests of power cuts at a server: each acknowledgement waits until the entry is on the disk.

use harness::{NatsServer, NatsSetup, count_syncs};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};

const APPENDS: usize = 60;

/// Appends one entry after the other. Returns how often the server synced a file meanwhile.
async fn syncs_while_appending(sync: bool) -> usize {
    let server = NatsServer::with_setup(NatsSetup { sync, ..NatsSetup::default() });
    let options = NatsOptions { url: server.url(), ..NatsOptions::default() };
    let ledger = NatsLedger::connect(options).await.unwrap();
    let subject = Subject::new(&["acc", "a"]).unwrap();
    let append = async || {
        let entry = Entry::new("x");
        ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap()
    };
    append().await;
    count_syncs(server.pid().expect("it runs"), async || {
        for _ in 0..APPENDS {
            append().await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_acknowledgement_waits_for_a_sync_where_the_configuration_says_so() {
    let shipped = include_str!("../../../deploy/nats.conf");
    assert!(shipped.contains("\n    sync_interval: always\n"), "{shipped}");
    let syncs = syncs_while_appending(true).await;
    assert!(syncs >= APPENDS, "{syncs} syncs for {APPENDS} acknowledgements");
    // Without it the acknowledgements come first: this is what the doctor warns of.
    let syncs = syncs_while_appending(false).await;
    assert!(syncs < APPENDS, "{syncs} syncs");
}
