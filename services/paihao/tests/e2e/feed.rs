//! Test of the event feed: a client that is cut off repeatedly reads every event exactly once.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::http::{send_json, staff_request};
use futures::StreamExt;
use paihao_contracts::commit::Commit;
use paihao_contracts::public_event::to_public_events;
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use wechat_sim::Routing;

/// Recognizes the last event of the test.
fn is_last_event(event: &Value) -> bool {
    event["type"] == "counter_closed"
}

/// Reads `count` events, or up to the last one, and closes the connection.
async fn read_events(mut response: Response, count: usize) -> Vec<Value> {
    assert_eq!(response.status(), StatusCode::OK);
    let mut buffer = String::new();
    let mut received = Vec::new();
    while received.len() < count && !received.last().is_some_and(is_last_event) {
        let chunk = response.chunk().await.unwrap().expect("a stream that goes on");
        buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = buffer.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            received.extend(data.map(|data| serde_json::from_str::<Value>(data).unwrap()));
            buffer = rest.to_owned();
        }
    }
    received.truncate(count);
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_off_again_and_again_reads_exactly_the_ledger() {
    let cluster = Cluster::start(1).await;
    let url = |gateway: usize, path: &str| {
        format!("{}/api/v1/sites/{}{path}", cluster.gateways[gateway].url, site_id(0))
    };
    let traffic = async {
        for gateway in 0..40 {
            let code = cluster.site_code(gateway % 2, &site_id(0)).await;
            let to = Routing { deliveries: 2, urls: cluster.callback_urls() };
            cluster.wechat.scan(&format!("o{gateway}"), &code, to).await;
            let at = |action: &str| url(gateway % 2, &format!("/counters/1/{action}"));
            for action in ["open", "call-next", "finish"] {
                let key = format!("{action} {gateway}");
                send_json(staff_request(&cluster.http, STAFF_KEY, &at(action), &key)).await;
            }
        }
        let close = staff_request(&cluster.http, STAFF_KEY, &url(0, "/counters/1/close"), "close");
        assert_eq!(send_json(close).await.0, StatusCode::OK);
    };
    let client = async {
        let mut received: Vec<Value> = Vec::new();
        for round in 0..1_000 {
            let mut request = cluster.http.get(url(round % 2, "/feed")).bearer_auth(STAFF_KEY);
            if let Some(last) = received.last() {
                request = request.header("last-event-id", last["id"].as_str().unwrap());
            }
            let response = request.send().await.unwrap();
            received.extend(read_events(response, [5, 1, 17][round % 3]).await);
            if received.last().is_some_and(is_last_event) {
                return received;
            }
        }
        panic!("it never ends")
    };
    let ((), received) = tokio::join!(traffic, client);

    let options = NatsOptions { url: cluster.nats.url(), ..NatsOptions::default() };
    let ledger = NatsLedger::connect(options).await.unwrap();
    let head = ledger.head(&LEDGER).await.unwrap();
    let mut entries = ledger.follow(&LEDGER, Position::START).await.unwrap();
    let mut expected = Vec::new();
    let mut reached = Position::START;
    while reached < head {
        let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
        reached = recorded.position;
        let commit: Commit = serde_json::from_slice(&recorded.entry.payload).unwrap();
        expected.extend(
            to_public_events(reached.0, &commit).map(|event| serde_json::to_value(event).unwrap()),
        );
    }
    assert!(expected.len() > 120, "too few events: {}", expected.len());
    assert_eq!(received, expected);
}
