//! Tests of receipts while the ledger is away: each push is answered, and the receipts are queued
//! once it is back.

use crate::support::away_stores::AwayStores;
use crate::support::cluster::Cluster;
use paihao_contracts::receipt::Receipt;
use paihao_contracts::streams::RECEIPTS;
use paihao_ledger::Ledger;
use reqwest::StatusCode;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn a_receipt_is_answered_and_queued_once_whether_the_ledger_is_there_or_not() {
    let cluster = Cluster::new();
    let stores = AwayStores::new(&cluster);
    let gateway = stores.start(&cluster).await;
    let push = async |id: u64| {
        let template = format!(
            "<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>{id}</MsgID>\
             <Status>success</Status>"
        );
        assert_eq!(gateway.push("oAnn", &template).await, (StatusCode::OK, "success".into()));
    };
    push(1).await;
    stores.set_away(true, true);
    for id in 2..=20 {
        push(id).await;
    }
    // WeChat may repeat one.
    push(2).await;
    stores.set_away(false, false);
    push(21).await;
    let mut queued = cluster.ledger.consume_queue(&RECEIPTS, 64).await.unwrap();
    let mut ids = BTreeSet::new();
    while ids.len() < 21 {
        let delivery = timeout(Duration::from_secs(60), queued.next()).await.unwrap().unwrap();
        let receipt: Receipt = serde_json::from_slice(&delivery.message.entry.payload).unwrap();
        assert!(ids.insert(receipt.message_id.unwrap()), "{receipt:?} is there twice");
        delivery.ack().await.unwrap();
    }
    assert_eq!(ids, (1..=21).collect());
    cluster.tasks.abort();
}
