//! Shop whose line carries over, with its embedded ledger and the replicas over it.

use super::engine::{
    MORNING_MS, RunningEngine, at_counter, command, finish, open_ledger, settings_with_queue,
};
use flate2::read::GzDecoder;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::streams::{LEDGER, SNAPSHOTS};
use paihao_domain::{Act, Command, Person, QueueId, QueueRules, TicketKey};
use paihao_gateway::engine::{Engine, SiteSnapshot};
use paihao_gateway::settings::DeploymentSettings;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{Ledger, Position, StoredEntry, Subject};
use paihao_ledger_sqlite::SqliteLedger;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// Time after which every entry is in a snapshot.
pub const COVERED: Duration = Duration::from_secs(7 * 60);

pub fn settings() -> DeploymentSettings {
    let queue = QueueRules { carry_over: true, ..QueueRules::new("存取款", "A") };
    settings_with_queue(queue)
}

pub fn hall() -> Subject {
    Subject::new(&["shop", "hall"]).unwrap()
}

/// Embedded ledger with its clock, and the engines over it.
pub struct Shop {
    pub clock: ManualClock,
    pub ledger: Arc<SqliteLedger>,
    pub folder: TempDir,
}

impl Shop {
    pub fn new() -> Shop {
        let clock = ManualClock::at(MORNING_MS);
        let (ledger, folder) = open_ledger(&clock);
        Shop { clock, ledger, folder }
    }

    pub async fn start(&self) -> RunningEngine {
        self.start_over(self.ledger.clone(), self.clock.clone()).await
    }

    /// Starts an engine that neither finds nor stores a snapshot.
    pub async fn start_without_snapshots(&self) -> RunningEngine {
        let ledger = RoutedLedger::new(self.ledger.clone(), SnapshotStore::Absent);
        self.start_over(ledger, self.clock.clone()).await
    }

    pub async fn start_over(&self, ledger: Arc<dyn Ledger>, clock: ManualClock) -> RunningEngine {
        let observer = Arc::new(|_: &Subject, _: &_| {});
        let running = RunningEngine::start(&settings(), ledger, Arc::new(clock), observer);
        running.engine.until_caught_up().await;
        running
    }

    /// Lets time pass in which no process runs, until every entry has aged out.
    pub async fn stay_closed(&self, closure: Duration) {
        self.clock.advance(closure);
        self.ledger.remove_expired(self.clock.now_ms()).await.unwrap();
        assert_eq!(self.ledger.head(&LEDGER).await.unwrap(), Position::START);
    }

    pub async fn stored(&self) -> StoredEntry {
        self.ledger.last(&SNAPSHOTS, &hall()).await.unwrap().expect("a snapshot")
    }

    /// The text of the stored snapshot.
    pub async fn stored_text(&self) -> String {
        let mut text = String::new();
        GzDecoder::new(&self.stored().await.entry.payload[..]).read_to_string(&mut text).unwrap();
        text
    }

    /// Position at which the stored snapshot stands.
    pub async fn stored_position(&self) -> Position {
        let snapshot: serde_json::Value = serde_json::from_str(&self.stored_text().await).unwrap();
        Position(snapshot["position"].as_u64().unwrap())
    }
}

pub fn snapshot(engine: &Engine) -> SiteSnapshot {
    engine.snapshot("hall").unwrap()
}

/// A number with a link.
pub fn take_with_key(person: &str, key: u8) -> Command {
    let act = Act::Take {
        queue: QueueId::new("a"),
        person: Some(Person::new(person)),
        scan_session: None,
        class: None,
        key: Some(TicketKey([key; 16])),
    };
    command(&format!("take {person}"), act)
}

/// Five people, of whom the first is served and the second is called.
pub async fn a_morning(engine: &Engine) {
    for (n, person) in (1..).zip(["ann", "ben", "cid", "dan", "eve"]) {
        engine.submit("hall", take_with_key(person, n)).await.unwrap();
    }
    engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    engine.submit("hall", at_counter("1", Act::CallNext, "first")).await.unwrap();
    engine.submit("hall", at_counter("1", finish, "first done")).await.unwrap();
    engine.submit("hall", at_counter("1", Act::CallNext, "second")).await.unwrap();
}
