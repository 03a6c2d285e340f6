//! Somebody unfollows: after a while no store holds a trace of them, and the cache never did.

use crate::cluster::{Cluster, KEY, site};
use crate::http::{ask, staff};
use harness::wait_until;
use jiff::tz::TimeZone;
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::names::LEDGER;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, Person, QueueId, QueueRules, Rules,
    Served,
};
use paihao_gateway::book::calendar::Calendar;
use paihao_gateway::book::{Book, SiteBook};
use paihao_gateway::lines::Lines;
use paihao_ledger::Subject;
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::Routing;

const GONE: &str = "oGoneForGood0123456789abcdef";
const START: i64 = 1_795_140_000_000;

/// How often a text stands in the files below a folder.
fn found(folder: &Path, text: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => found(&path, text),
        false => {
            // A server may be about to rename it.
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
        }
    };
    entries.map(count).sum()
}

fn book() -> Book {
    let queue = QueueRules::new("业务", "A");
    let counter = CounterRules::new("1号", vec![QueueId::new("a")]);
    let rules = Rules {
        queues: [(QueueId::new("a"), queue)].into(),
        counters: [(CounterId::new("1"), counter)].into(),
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
    let site = Arc::new(SiteBook::new(facts, subject, rules, calendar));
    Book { sites: [("hall".to_owned(), site)].into(), ..Book::default() }
}

#[tokio::test]
async fn the_file_holds_nothing_of_somebody_who_left_once_the_ledger_has_forgotten() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
    let time = clock.clone();
    let options = SqliteOptions::new(Arc::new(move || time.now_ms()));
    let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
    let closed = paihao_chassis::CancellationToken::new();
    let nobody = Arc::new(|_: &Subject, _: &_| {});
    let lines = Lines::start(
        &book(),
        Arc::new(ledger.clone()),
        Arc::new(clock.clone()),
        nobody,
        &closed,
        &Tasks::new(),
    );
    lines.until_caught_up().await;

    let mut commands: u128 = 0;
    let mut ask = async |act: Act| {
        commands += 1;
        let id = CommandId(commands.to_be_bytes());
        let actor = match &act {
            Act::Take { person: Some(person), .. } | Act::Forget { person } => {
                Actor::Customer(person.clone())
            }
            _ => Actor::Manager("boss".into()),
        };
        lines.submit("hall", Command { id, fingerprint: 0, actor, act }).await.unwrap()
    };
    let take = |name: &str| Act::Take {
        queue: QueueId::new("a"),
        person: Some(Person::new(name)),
        via: None,
        class: None,
        key: None,
    };
    let served = || Served { counter: CounterId::new("1"), number: None };
    ask(Act::OpenCounter(CounterId::new("1"))).await;
    // Once served, once waiting: both tickets name the person, and so does the call's message.
    ask(take(GONE)).await;
    ask(Act::CallNext(CounterId::new("1"))).await;
    ask(Act::Finish(served())).await;
    ask(take(GONE)).await;
    for i in 0..50 {
        ask(take(&format!("oStays{i}"))).await;
    }
    assert!(found(folder.path(), GONE) > 2, "the search finds nothing at all");
    ask(Act::Forget { person: Person::new(GONE) }).await;
    let state = format!("{:?}", lines.view("hall").unwrap().site);
    assert!(!state.contains(GONE) && state.contains("oStays7"), "{state}");

    // Days go by in which others come.
    let kept = LEDGER.kept.unwrap().as_millis() as i64;
    for hour in 1..=kept / 3_600_000 {
        clock.set(START + hour * 3_600_000);
        ask(take(&format!("oLater{hour}"))).await;
        ledger.sweep(clock.now_ms()).await.unwrap();
    }
    clock.set(START + kept + 1);
    ledger.sweep(clock.now_ms()).await.unwrap();
    assert_eq!(found(folder.path(), GONE), 0, "while it is open");
    assert!(found(folder.path(), "oLater") > 10, "others are still there");
    closed.cancel();
    ledger.close().await;
    assert_eq!(found(folder.path(), GONE), 0, "after it was closed");
}

/// Where a redis-server keeps its files, by its own word.
fn folder_of(port: u16) -> PathBuf {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"CONFIG GET dir\r\n").unwrap();
    let mut answer = [0; 4096];
    let read = connection.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    PathBuf::from(answer.lines().last().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_never_names_anybody_and_a_farewell_at_one_gateway_is_known_at_all() {
    let cluster = Cluster::start(2).await;
    let first = cluster.code(0, &site(0)).await;
    let other = cluster.code(1, &site(1)).await;
    for code in [&first, &other] {
        let outcome = cluster.wechat.scan(GONE, code, Routing::to_each(cluster.callbacks())).await;
        assert!(outcome.reply.is_some(), "{outcome:#?}");
    }
    cluster.wechat.scan("oStays", &first, Routing::to_each(cluster.callbacks())).await;
    for wish in ["open", "call-next"] {
        let url = format!("{}/api/v1/sites/{}/counters/1/{wish}", cluster.gateways[0].url, site(0));
        ask(staff(&cluster.http, KEY, &url, wish)).await;
    }
    // The call is told in WeChat: token, claim and sessions have all been in the cache by then.
    let told = async || !cluster.wechat.messages(GONE).is_empty();
    wait_until("the call is told", Duration::from_secs(30), told).await;

    cluster.wechat.set_callback_urls(None, [&cluster.callbacks()[1]]);
    cluster.wechat.unfollow(None, GONE).await;
    assert_eq!(cluster.wechat.stats().pushes_failed, 0);
    for gateway in &cluster.gateways {
        let state = async |i: usize| {
            let url = format!("{}/api/v1/sites/{}", gateway.url, site(i));
            ask(cluster.http.get(url)).await.1
        };
        wait_until("this replica knows", Duration::from_secs(10), async || {
            let (one, two) = (state(0).await, state(1).await);
            one["queues"][0]["waiting_count"] == 1
                && two["queues"][0]["waiting_count"] == 0
                && one["counters"][0]["serving"].is_null()
        })
        .await;
    }

    // Every command that Redis was ever given stands in its files.
    let folder = folder_of(cluster.redis.port());
    assert!(found(&folder, "session/") > 0, "the search finds nothing at all in {folder:?}");
    assert_eq!(found(&folder, GONE), 0);
}
