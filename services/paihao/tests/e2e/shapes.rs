//! Test of equal state: NATS and SQLite lead to the same site, byte for byte, after the same
//! commands at the same times.

use crate::support::engine::start_engine;
use harness::NatsServer;
use jiff::tz::TimeZone;
use paihao_chassis::CancellationToken;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::SiteFacts;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, MissedRules, Person,
    QueueId, QueueRules, Rules, due_commands,
};
use paihao_gateway::engine::SiteSnapshot;
use paihao_gateway::settings::calendar::Calendar;
use paihao_gateway::settings::{DeploymentSettings, SiteSettings};
use paihao_ledger::{Ledger, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::sync::Arc;
use std::time::Duration;

const START_MS: i64 = 1_795_140_000_000;

fn test_settings() -> DeploymentSettings {
    let counter = |queues: &[&str]| {
        CounterRules::new("窗口", queues.iter().map(|queue| QueueId::new(queue)).collect())
    };
    let rules = Rules {
        queues: [("a", "甲", "A"), ("b", "乙", "B")]
            .map(|(id, name, prefix)| {
                let usual = QueueRules::new(name, prefix);
                let missed = MissedRules { minutes: 100_000, ..usual.missed };
                // One minute a customer: no wait becomes so long that time alone causes a notice of
                // it.
                (QueueId::new(id), QueueRules { missed, minutes: 1, ..usual })
            })
            .into(),
        counters: [
            (CounterId::new("1"), counter(&["a"])),
            (CounterId::new("2"), counter(&["a", "b"])),
        ]
        .into(),
        several_counters: false,
    };
    let facts = SiteFacts {
        account: "shop".into(),
        id: "hall".into(),
        name: "大厅".into(),
        zone: "Asia/Shanghai".into(),
    };
    let calendar = Calendar::new(TimeZone::get("Asia/Shanghai").unwrap(), 4);
    let subject = Subject::new(&["shop", "hall"]).unwrap();
    let site = Arc::new(SiteSettings::new(facts, subject, rules, calendar));
    DeploymentSettings {
        sites: [("hall".to_owned(), site)].into(),
        ..DeploymentSettings::default()
    }
}

/// Commands of two business days with their times; some are refused.
fn commands() -> Vec<(i64, Command)> {
    let counter = |name: &str| CounterId::new(name);
    let current = |name: &str| CounterTicket { counter: counter(name), number: None };
    let mut acts = vec![Act::OpenCounter(counter("1")), Act::OpenCounter(counter("2"))];
    for round in 0..60 {
        acts.push(Act::Take {
            queue: QueueId::new(if round % 3 == 0 { "b" } else { "a" }),
            person: Some(Person::new(&format!("o{}", round % 40))),
            scan_session: None,
            class: None,
            key: None,
        });
        let counter_id = if round % 10 < 5 { "1" } else { "2" };
        match round % 5 {
            0 => acts.push(Act::CallNext(counter(counter_id))),
            1 => acts.push(Act::Finish(current(counter_id))),
            2 => acts.push(Act::CallNext(counter(counter_id))),
            3 => acts.push(Act::Miss(current(counter_id))),
            _ => acts.push(Act::CloseCounter(counter("9"))),
        }
    }
    let numbered = acts.into_iter().cycle().take(400).enumerate();
    let commands = numbered.map(|(i, act)| {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(i as u64).to_be_bytes());
        let actor = match &act {
            Act::Take { person: Some(person), .. } => Actor::Customer(person.clone()),
            _ => Actor::Manager("boss".into()),
        };
        // Six minutes apart, so that a day ends in between and the recent commands expire.
        let command = Command { id: CommandId(id), fingerprint: 0, actor, act, day: None };
        (START_MS + i as i64 * 360_000, command)
    });
    commands.collect()
}

/// Runs all commands. Returns the state as text, equal at the replica that executed them and at a
/// fresh one.
async fn run_commands(ledger: Arc<dyn Ledger>, clock: &ManualClock) -> String {
    let settings = test_settings();
    let closed = CancellationToken::new();
    let first = start_engine(&settings, ledger.clone(), clock, &closed).await;
    for (at, command) in commands() {
        clock.set(at);
        // Commands that are due by time are executed first, as they would be if time passed by
        // itself.
        let site = first.settings("hall").unwrap().clone();
        let nothing_due = |view: &SiteSnapshot| {
            due_commands(&view.site, &site.rules, &site.calendar.at(at)).is_empty()
        };
        let mut views = first.watch("hall").unwrap();
        let settled = views.wait_for(nothing_due);
        let settled = tokio::time::timeout(Duration::from_secs(20), settled).await.is_ok();
        assert!(settled, "a due command is not executed");
        // A refused command changes nothing in either store.
        let _ = first.submit("hall", command).await;
    }
    let executed = first.snapshot("hall").unwrap();
    let fresh = start_engine(&settings, ledger, clock, &closed).await;
    let mut views = fresh.watch("hall").unwrap();
    let reached = views.wait_for(|view| view.position >= executed.position);
    let replayed =
        tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap().unwrap().clone();
    let executed_state = format!("{:?}", executed.site);
    let replayed_state = format!("{:?}", replayed.site);
    assert_eq!(executed_state, replayed_state, "a fresh replica holds another state");
    executed_state
}

#[tokio::test]
async fn the_same_commands_lead_to_the_same_state_in_both_stores_and_at_a_fresh_replica() {
    let nats = NatsServer::start();
    let clock = ManualClock::at(START_MS);
    let options = NatsOptions { url: nats.url(), ..NatsOptions::default() };
    let cluster = run_commands(Arc::new(NatsLedger::connect(options).await.unwrap()), &clock).await;

    clock.set(START_MS);
    let folder = tempfile::tempdir().unwrap();
    let time = clock.clone();
    let options = SqliteOptions::new(Arc::new(move || time.now_ms()));
    let file = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
    let embedded = run_commands(Arc::new(file), &clock).await;

    assert_eq!(cluster, embedded);
    assert!(
        cluster.contains("Waiting") && cluster.contains("Missed"),
        "the commands cover too little: {cluster}"
    );
}
