//! Tests of the visit history in both deployments: every gateway computes the same statistics from
//! it, also after a restart, and it names nobody.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::gateway::{ModesDeployment, wait_until_ready};
use crate::support::http::{send_json, staff_request};
use futures::StreamExt;
use harness::wait_until;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::streams::HISTORY;
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::Routing;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves oAnn, undoes that and finishes again; oBen leaves; oCai waits.
async fn play_morning(http: &Client, site: &str) {
    for (i, what) in ["open", "call-next", "start", "finish"].iter().enumerate() {
        post_ok(http, &format!("{site}/counters/1/{what}"), &format!("{i}"), json!({})).await;
    }
    post_ok(http, &format!("{site}/tickets/A001/undo"), "undo", json!({})).await;
    post_ok(http, &format!("{site}/counters/1/finish"), "again", json!({})).await;
    post_ok(http, &format!("{site}/tickets/A002/leave"), "leave", json!({"reason": "走了"})).await;
}

async fn post_ok(http: &Client, url: &str, key: &str, body: Value) {
    let request = staff_request(http, STAFF_KEY, url, key).body(body.to_string());
    let (status, response) = send_json(request).await;
    assert_eq!(status, StatusCode::OK, "{url}: {response}");
}

/// Waits until the statistics of a gateway count the visits of [`play_morning`].
async fn wait_until_counted(http: &Client, site: &str) {
    wait_until("the statistics count the visits", WAIT_TIMEOUT, async || {
        let (_, numbers) =
            send_json(http.get(format!("{site}/numbers")).bearer_auth(STAFF_KEY)).await;
        let total = &numbers["total"];
        ["taken", "served", "left", "here"].map(|figure| total[figure].as_u64())
            == [Some(3), Some(1), Some(1), Some(1)]
    })
    .await;
}

/// Reads subjects, payloads and headers of the whole history.
async fn history_bytes(ledger: &dyn Ledger) -> String {
    let head = ledger.head(&HISTORY).await.unwrap();
    let mut entries = ledger.follow(&HISTORY, Position::START).await.unwrap();
    let mut bytes = String::new();
    let mut reached = Position::START;
    while reached < head {
        let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
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
async fn one_process_has_its_statistics_again_after_a_restart() {
    let mut deployment = ModesDeployment::start().await;
    for person in ["oAnn", "oBen", "oCai"] {
        deployment.scan(0, person, "one", 1).await;
    }
    let site = format!("{}/api/v1/sites/plain-one", deployment.url);
    play_morning(&deployment.http, &site).await;
    wait_until_counted(&deployment.http, &site).await;
    deployment.program.kill();
    deployment.program.restart();
    wait_until_ready(&deployment.http, &deployment.admin).await;
    wait_until_counted(&deployment.http, &site).await;
    deployment.program.stop();
    let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
    let ledger =
        SqliteLedger::open(deployment.program.folder().join("ledger.sqlite"), options).unwrap();
    assert_names_nobody(&history_bytes(&ledger).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_of_a_cluster_has_the_same_statistics() {
    let cluster = Cluster::start(1).await;
    for person in ["oAnn", "oBen", "oCai"] {
        let code = cluster.site_code(0, &site_id(0)).await;
        let to = Routing { deliveries: 2, urls: cluster.callback_urls() };
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
