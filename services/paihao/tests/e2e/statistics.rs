//! What is left of visits, through the real program in both shapes: it is in the figures of every
//! gateway, also after a restart, and names nobody.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::gateway::ModesDeployment;
use crate::support::http::{send_json, staff_request};
use futures::StreamExt;
use harness::wait_until;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::streams::HISTORY;
use paihao_ledger::{Followed, Ledger, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::Routing;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Ann is served, that is taken back and said again; ben goes; cai waits.
async fn play_morning(http: &Client, site: &str) {
    for (i, what) in ["open", "call-next", "start", "finish"].iter().enumerate() {
        post_ok(http, &format!("{site}/counters/1/{what}"), &format!("{i}"), json!({})).await;
    }
    post_ok(http, &format!("{site}/tickets/A001/undo"), "undo", json!({})).await;
    post_ok(http, &format!("{site}/counters/1/finish"), "again", json!({})).await;
    post_ok(http, &format!("{site}/tickets/A002/leave"), "leave", json!({"reason": "走了"})).await;
}

async fn post_ok(http: &Client, url: &str, wish: &str, body: Value) {
    let (status, answer) =
        send_json(staff_request(http, STAFF_KEY, url, wish).body(body.to_string())).await;
    assert_eq!(status, StatusCode::OK, "{url}: {answer}");
}

/// Waits until a gateway has the morning's figures.
async fn wait_until_counted(http: &Client, site: &str) {
    wait_until("the figures are there", WAIT_TIMEOUT, async || {
        let (_, numbers) =
            send_json(http.get(format!("{site}/numbers")).bearer_auth(STAFF_KEY)).await;
        let total = &numbers["total"];
        ["taken", "served", "left", "here"].map(|figure| total[figure].as_u64())
            == [Some(3), Some(1), Some(1), Some(1)]
    })
    .await;
}

/// Every byte of the history.
async fn history_bytes(ledger: &dyn Ledger) -> String {
    let head = ledger.head(&HISTORY).await.unwrap();
    let mut entries = ledger.follow(&HISTORY, Position::START).await.unwrap();
    let (mut bytes, mut reached) = (String::new(), Position::START);
    while reached < head {
        let Some(Followed::Entry(recorded)) = entries.next().await else { panic!("cut off") };
        reached = recorded.position;
        bytes += recorded.subject.as_str();
        bytes += &String::from_utf8_lossy(&recorded.entry.payload);
        for (name, value) in &recorded.entry.headers {
            bytes += &format!("{name}{value}");
        }
    }
    bytes
}

fn assert_names_nobody(bytes: &str) {
    assert!(bytes.contains("by_staff") && bytes.contains("retracted"), "{bytes}");
    for name in ["oAnn", "oBen", "oCai", "A001", "A002", "走了", "tests"] {
        assert!(!bytes.contains(name), "{name}: {bytes}");
    }
}

#[tokio::test]
async fn in_one_process_the_figures_are_there_again_after_a_restart() {
    let mut town = ModesDeployment::start().await;
    for person in ["oAnn", "oBen", "oCai"] {
        town.scan(0, person, "one", 1).await;
    }
    let site = format!("{}/api/v1/sites/plain-one", town.url);
    play_morning(&town.http, &site).await;
    wait_until_counted(&town.http, &site).await;
    town.program.kill();
    town.program.restart();
    let ready = format!("{}/ready", town.admin);
    wait_until("it is back", WAIT_TIMEOUT, async || {
        town.http.get(&ready).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    wait_until_counted(&town.http, &site).await;
    town.program.stop();
    let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
    let ledger = SqliteLedger::open(town.program.folder().join("ledger.sqlite"), options).unwrap();
    assert_names_nobody(&history_bytes(&ledger).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_every_gateway_has_the_same_figures_and_a_new_one_too() {
    let cluster = Cluster::start(1).await;
    for person in ["oAnn", "oBen", "oCai"] {
        let code = cluster.site_code(0, &site_id(0)).await;
        let to = Routing { deliveries: 2, to: cluster.callback_urls() };
        cluster.wechat.scan(person, &code, to).await;
    }
    let at = |url: &str| format!("{url}/api/v1/sites/{}", site_id(0));
    play_morning(&cluster.http, &at(&cluster.gateways[0].url)).await;
    let third = cluster.add_process("gateway");
    cluster.wait_until_ready(&third).await;
    for gateway in cluster.gateways.iter().chain([&third]) {
        wait_until_counted(&cluster.http, &at(&gateway.url)).await;
    }
    let options = NatsOptions { url: cluster.nats.url(), ..NatsOptions::default() };
    assert_names_nobody(&history_bytes(&NatsLedger::connect(options).await.unwrap()).await);
}
