//! Somebody unfollows: after a while no store holds a trace of them, and the cache never did.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::http::{send_json, staff_request};
use harness::wait_until;
use jiff::tz::TimeZone;
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::streams::LEDGER;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, Person, QueueId,
    QueueRules, Rules,
};
use paihao_gateway::engine::Engine;
use paihao_gateway::settings::calendar::Calendar;
use paihao_gateway::settings::{DeploymentSettings, SiteSettings};
use paihao_ledger::Subject;
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::Routing;

const FORGOTTEN_OPENID: &str = "oGoneForGood0123456789abcdef";
const START_MS: i64 = 1_795_140_000_000;

/// How often a text stands in the files below a folder.
fn occurrences_below(folder: &Path, text: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => occurrences_below(&path, text),
        false => {
            // A server may be about to rename it.
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
        }
    };
    entries.map(count).sum()
}

fn test_settings() -> DeploymentSettings {
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
    let site = Arc::new(SiteSettings::new(facts, subject, rules, calendar));
    DeploymentSettings {
        sites: [("hall".to_owned(), site)].into(),
        ..DeploymentSettings::default()
    }
}

#[tokio::test]
async fn the_file_holds_nothing_of_somebody_who_left_once_the_ledger_has_forgotten() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START_MS));
    let time = clock.clone();
    let options = SqliteOptions::new(Arc::new(move || time.now_ms()));
    let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
    let closed = paihao_chassis::CancellationToken::new();
    let nobody = Arc::new(|_: &Subject, _: &_| {});
    let lines = Engine::start(
        &test_settings(),
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
    let served = || CounterTicket { counter: CounterId::new("1"), number: None };
    ask(Act::OpenCounter(CounterId::new("1"))).await;
    // Once served, once waiting: both tickets name the person, and so does the call's message.
    ask(take(FORGOTTEN_OPENID)).await;
    ask(Act::CallNext(CounterId::new("1"))).await;
    ask(Act::Finish(served())).await;
    ask(take(FORGOTTEN_OPENID)).await;
    for i in 0..50 {
        ask(take(&format!("oStays{i}"))).await;
    }
    assert!(
        occurrences_below(folder.path(), FORGOTTEN_OPENID) > 2,
        "the search finds nothing at all"
    );
    ask(Act::Forget { person: Person::new(FORGOTTEN_OPENID) }).await;
    let state = format!("{:?}", lines.snapshot("hall").unwrap().site);
    assert!(!state.contains(FORGOTTEN_OPENID) && state.contains("oStays7"), "{state}");

    // Days go by in which others come.
    let kept = LEDGER.retention.unwrap().as_millis() as i64;
    for hour in 1..=kept / 3_600_000 {
        clock.set(START_MS + hour * 3_600_000);
        ask(take(&format!("oLater{hour}"))).await;
        ledger.remove_expired(clock.now_ms()).await.unwrap();
    }
    clock.set(START_MS + kept + 1);
    ledger.remove_expired(clock.now_ms()).await.unwrap();
    assert_eq!(occurrences_below(folder.path(), FORGOTTEN_OPENID), 0, "while it is open");
    assert!(occurrences_below(folder.path(), "oLater") > 10, "others are still there");
    closed.cancel();
    ledger.close().await;
    assert_eq!(occurrences_below(folder.path(), FORGOTTEN_OPENID), 0, "after it was closed");
}

/// Where a redis-server keeps its files, by its own word.
fn redis_folder(port: u16) -> PathBuf {
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
    let first = cluster.site_code(0, &site_id(0)).await;
    let other = cluster.site_code(1, &site_id(1)).await;
    for code in [&first, &other] {
        let outcome = cluster
            .wechat
            .scan(FORGOTTEN_OPENID, code, Routing::to_each(cluster.callback_urls()))
            .await;
        assert!(outcome.reply.is_some(), "{outcome:#?}");
    }
    cluster.wechat.scan("oStays", &first, Routing::to_each(cluster.callback_urls())).await;
    for wish in ["open", "call-next"] {
        let url =
            format!("{}/api/v1/sites/{}/counters/1/{wish}", cluster.gateways[0].url, site_id(0));
        send_json(staff_request(&cluster.http, STAFF_KEY, &url, wish)).await;
    }
    // The call is told in WeChat: token, claim and sessions have all been in the cache by then.
    let told = async || !cluster.wechat.messages(FORGOTTEN_OPENID).is_empty();
    wait_until("the call is told", Duration::from_secs(30), told).await;

    cluster.wechat.set_callback_urls(None, [&cluster.callback_urls()[1]]);
    cluster.wechat.unfollow(None, FORGOTTEN_OPENID).await;
    assert_eq!(cluster.wechat.stats().pushes_failed, 0);
    for gateway in &cluster.gateways {
        let state = async |i: usize| {
            let url = format!("{}/api/v1/sites/{}", gateway.url, site_id(i));
            send_json(cluster.http.get(url)).await.1
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
    let folder = redis_folder(cluster.redis.port());
    assert!(
        occurrences_below(&folder, "session/") > 0,
        "the search finds nothing at all in {folder:?}"
    );
    assert_eq!(occurrences_below(&folder, FORGOTTEN_OPENID), 0);
}
