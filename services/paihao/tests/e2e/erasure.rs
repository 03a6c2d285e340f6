//! Tests of erasure: after a person unfollows, the retention removes them from every store, and the
//! cache never names them.

use crate::support::cluster::{Cluster, ClusterSetup, STAFF_KEY, site_id};
use crate::support::engine::start_engine;
use crate::support::http::{send_json, staff_request};
use harness::wait_until;
use jiff::tz::TimeZone;
use paihao_chassis::CancellationToken;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::streams::LEDGER;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, Person, QueueId,
    QueueRules, Rules,
};
use paihao_gateway::settings::calendar::Calendar;
use paihao_gateway::settings::{DeploymentSettings, SiteSettings};
use paihao_ledger::Subject;
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::Routing;

const FORGOTTEN_OPENID: &str = "oGoneForGood0123456789abcdef";
const START_MS: i64 = 1_795_140_000_000;

/// Counts the occurrences of a text in the files below a folder.
fn occurrences_below(folder: &Path, text: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| {
        if path.is_dir() {
            return occurrences_below(&path, text);
        }
        // A server may have renamed the file meanwhile.
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
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
async fn the_ledgers_file_names_nobody_who_unfollowed_once_the_retention_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(START_MS);
    let time = clock.clone();
    let options = SqliteOptions::new(Arc::new(move || time.now_ms()));
    let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
    let closed = CancellationToken::new();
    let store = Arc::new(ledger.clone());
    let engine = start_engine(&test_settings(), store, &clock, &closed).await;

    let mut commands: u128 = 0;
    let mut submit = async |act: Act| {
        commands += 1;
        let id = CommandId(commands.to_be_bytes());
        let actor = match &act {
            Act::Take { person: Some(person), .. } | Act::Forget { person } => {
                Actor::Customer(person.clone())
            }
            _ => Actor::Manager("boss".into()),
        };
        let command = Command { id, fingerprint: 0, actor, act, day: None };
        engine.submit("hall", command).await.unwrap()
    };
    let take = |name: &str| Act::Take {
        queue: QueueId::new("a"),
        person: Some(Person::new(name)),
        scan_session: None,
        class: None,
        key: None,
    };
    let current = || CounterTicket { counter: CounterId::new("1"), number: None };
    submit(Act::OpenCounter(CounterId::new("1"))).await;
    // One ticket is served and one waits: both name the person, and so does the notice of the call.
    submit(take(FORGOTTEN_OPENID)).await;
    submit(Act::CallNext(CounterId::new("1"))).await;
    submit(Act::Finish(current())).await;
    submit(take(FORGOTTEN_OPENID)).await;
    for i in 0..50 {
        submit(take(&format!("oStays{i}"))).await;
    }
    assert!(occurrences_below(folder.path(), FORGOTTEN_OPENID) > 2, "the search works");
    submit(Act::Forget { person: Person::new(FORGOTTEN_OPENID) }).await;
    let state = format!("{:?}", engine.snapshot("hall").unwrap().site);
    assert!(!state.contains(FORGOTTEN_OPENID) && state.contains("oStays7"), "{state}");

    // Days pass in which other people come.
    let retention_ms = LEDGER.retention.unwrap().as_millis() as i64;
    for hour in 1..=retention_ms / 3_600_000 {
        clock.set(START_MS + hour * 3_600_000);
        submit(take(&format!("oLater{hour}"))).await;
        ledger.remove_expired(clock.now_ms()).await.unwrap();
    }
    clock.set(START_MS + retention_ms + 1);
    ledger.remove_expired(clock.now_ms()).await.unwrap();
    assert_eq!(occurrences_below(folder.path(), FORGOTTEN_OPENID), 0, "while it is open");
    assert!(occurrences_below(folder.path(), "oLater") > 10, "others are still there");
    closed.cancel();
    ledger.close().await;
    assert_eq!(occurrences_below(folder.path(), FORGOTTEN_OPENID), 0, "after it was closed");
}

/// Asks a redis-server for its data folder.
fn redis_folder(port: u16) -> PathBuf {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"CONFIG GET dir\r\n").unwrap();
    let mut answer = [0; 4096];
    let read = connection.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    PathBuf::from(answer.lines().last().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_names_nobody_and_every_gateway_applies_an_unfollow() {
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
    for act in ["open", "call-next"] {
        let url =
            format!("{}/api/v1/sites/{}/counters/1/{act}", cluster.gateways[0].url, site_id(0));
        send_json(staff_request(&cluster.http, STAFF_KEY, &url, act)).await;
    }
    // Once the message is sent, token, lease and sessions have all been in the cache.
    let notified = async || !cluster.wechat.messages(FORGOTTEN_OPENID).is_empty();
    wait_until("the called person is notified", Duration::from_secs(30), notified).await;

    cluster.wechat.set_callback_urls(None, [&cluster.callback_urls()[1]]);
    cluster.wechat.unfollow(None, FORGOTTEN_OPENID).await;
    assert_eq!(cluster.wechat.stats().pushes_failed, 0);
    for gateway in &cluster.gateways {
        let state = async |i: usize| {
            let url = format!("{}/api/v1/sites/{}", gateway.url, site_id(i));
            send_json(cluster.http.get(url)).await.1
        };
        wait_until("this replica has applied it", Duration::from_secs(10), async || {
            let one = state(0).await;
            let two = state(1).await;
            one["queues"][0]["waiting_count"] == 1
                && two["queues"][0]["waiting_count"] == 0
                && one["counters"][0]["serving"].is_null()
        })
        .await;
    }

    // Redis logs every command in its files.
    let folder = redis_folder(cluster.redis.port());
    assert!(occurrences_below(&folder, "session/") > 0, "the search works in {folder:?}");
    assert_eq!(occurrences_below(&folder, FORGOTTEN_OPENID), 0);
}

/// Name of a key, as its maker typed it.
const FORMER_NAME: &str = "钥匙-of-somebody-who-left-0123456789";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clusters_store_has_no_byte_of_a_name_that_a_manager_erased() {
    let environment = vec![("PAIHAO__LEDGER__WRITE_VERSION".into(), "2".into())];
    let cluster =
        Cluster::start_setup(ClusterSetup { environment, ..ClusterSetup::default() }).await;
    let gateway = |at: usize| &cluster.gateways[at % cluster.gateways.len()].url;
    let url = format!("{}/api/v1/keys", gateway(0));
    let body = json!({ "name": FORMER_NAME, "sites": [site_id(0)], "counters": [] });
    let made = staff_request(&cluster.http, STAFF_KEY, &url, "make").json(&body);
    let (status, made) = send_json(made).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let delete =
        async |url: String| send_json(cluster.http.delete(url).bearer_auth(STAFF_KEY)).await.0;
    let folders: Vec<_> =
        cluster.nats.servers().iter().map(|server| server.data_folder()).collect();
    let occurrences =
        || folders.iter().map(|folder| occurrences_below(folder, FORMER_NAME)).sum::<usize>();
    wait_until("the name is on the disk", Duration::from_secs(10), async || occurrences() > 0)
        .await;
    assert_eq!(delete(format!("{}/api/v1/keys/{id}", gateway(0))).await, 204);
    let former = format!("{}/api/v1/former-staff/{id}", gateway(1));
    wait_until("the name is erased", Duration::from_secs(10), async || {
        delete(former.clone()).await == 204
    })
    .await;
    wait_until("no byte of it is left", Duration::from_secs(20), async || occurrences() == 0).await;
    // Whoever reads the log from its beginning knows as much as before.
    let audit = format!("{}/api/v1/audit?target={id}", gateway(0));
    let (_, audit) = send_json(cluster.http.get(audit).bearer_auth(STAFF_KEY)).await;
    let events = audit["entries"].as_array().unwrap().iter();
    let events: Vec<_> = events.map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["name_erased", "key_revoked", "key_made"], "{audit}");
}
