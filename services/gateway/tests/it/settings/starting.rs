//! Tests that a starting gateway neither answers nor decides before it has read the settings.

use super::client::{BASE_SETTINGS, SettingsClient, deployment_settings};
use crate::support::cluster::Cluster;
use crate::support::wait_until;
use paihao_contracts::streams::{LEDGER, SETTINGS};
use paihao_domain::QueueId;
use paihao_ledger::Ledger;
use paihao_ledger::conformance::held_log::HeldLog;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn nothing_is_answered_or_decided_by_the_configuration_alone() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    super::changing::take_ticket(&one, "cash", "ann").await.unwrap();
    let carrying = json!({"name": "储蓄", "prefix": "A", "carry_over": true});
    assert_eq!(one.put("/book/sites/hall/queues/cash", carrying).await.status, 200);
    cluster.tasks.stop_and_wait().await;

    // The next day: by the configuration, in which nothing is carried over, ann's ticket is void.
    let cluster = cluster.restarted();
    cluster.clock.advance(Duration::from_secs(24 * 3600));
    let before = cluster.ledger.head(&LEDGER).await.unwrap();
    let released = CancellationToken::new();
    let held = HeldLog::new(cluster.ledger.clone(), &SETTINGS, released.clone());
    let setup = cluster.setup(deployment_settings(BASE_SETTINGS));
    let gateway = cluster.start_over(Arc::new(held), setup).await;
    gateway.engine.until_caught_up().await;
    let url = gateway.api("/sites/hall");
    let mut answer = std::pin::pin!(gateway.http.get(url).send());
    let early = tokio::time::timeout(Duration::from_millis(200), &mut answer).await;
    assert!(early.is_err(), "an answer by the configuration: {early:?}");
    assert_eq!(cluster.ledger.head(&LEDGER).await.unwrap(), before, "nothing is decided");

    released.cancel();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    assert_eq!(answer["queues"][0]["name"], "储蓄");
    wait_until("the day has turned", async || cluster.ledger.head(&LEDGER).await.unwrap() > before)
        .await;
    let line = gateway.engine.snapshot("hall").unwrap().site.line(&QueueId::new("cash"));
    assert_eq!(line.len(), 1, "ann waits on");
}
