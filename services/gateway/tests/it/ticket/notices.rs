//! Tests of the delivery status of notices, as staff read it.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, take_ticket};
use paihao_contracts::notice::{Channel, DeliveryOutcome, NoticeOutcome};
use paihao_contracts::streams::OUTCOMES;
use paihao_domain::Act;
use paihao_gateway::engine::Engine;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn call_first_ticket(engine: &Engine) {
    engine.submit("hall", take_ticket("somebody")).await.unwrap();
    engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    engine.submit("hall", at_counter("1", Act::CallNext, "call")).await.unwrap();
}

fn delivery_stages(view: &Value) -> Vec<(&str, &str)> {
    let notices = view["notices"].as_array().unwrap().iter();
    notices.map(|n| (n["notice"].as_str().unwrap(), n["fate"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn every_replica_tells_what_became_of_a_message() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    call_first_ticket(&one.engine).await;
    let (_, view) = one.get_json("/tickets/A001/notices").await;
    assert_eq!(delivery_stages(&view), [("joined", "delivered"), ("called", "waiting")]);

    let day = one.engine.snapshot("hall").unwrap().site.day().unwrap().0;
    let outcome = NoticeOutcome {
        v: 1,
        key: format!("hall/{day}/1/called#1"),
        outcome: DeliveryOutcome::Sent { message_id: 5 },
        at: 7,
        attempts: 1,
        channel: Some(Channel::Template),
        earlier_attempts: Vec::new(),
    };
    let entry = Entry::new(serde_json::to_vec(&outcome).unwrap());
    let subject = Subject::new(&["shop", "some"]).unwrap();
    let mut changes = other.delivery_status.watch("hall");
    cluster.ledger.append(&OUTCOMES, &subject, ExpectedPosition::Empty, entry).await.unwrap();
    loop {
        let (_, view) = other.get_json("/tickets/A001/notices").await;
        if delivery_stages(&view).get(1) == Some(&("called", "sent")) {
            let called = &view["notices"][1];
            assert_eq!((&called["via"], &called["since"]), (&json!("template"), &json!(7)));
            break;
        }
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn only_staff_of_the_site_are_told() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    call_first_ticket(&gateway.engine).await;
    let path = "/tickets/A001/notices";
    let strangers = gateway.get_with_key(path, "no-key").send().await.unwrap();
    assert_eq!(strangers.status(), StatusCode::UNAUTHORIZED);
    let (status, view) = gateway.get_json("/tickets/A002/notices").await;
    assert_eq!((status, &view["code"]), (StatusCode::NOT_FOUND, &json!("unknown_ticket")));
}
