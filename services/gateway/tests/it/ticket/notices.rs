//! What became of messages, as staff read it.

use crate::support::door::Hall;
use crate::support::replica::{at, take};
use paihao_contracts::names::OUTCOMES;
use paihao_contracts::notice::{Channel, DeliveryOutcome, NoticeOutcome};
use paihao_domain::Act;
use paihao_gateway::lines::Engine;
use paihao_ledger::{Entry, Expect, Ledger, Subject};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn calls_one(lines: &Engine) {
    lines.submit("hall", take("somebody")).await.unwrap();
    lines.submit("hall", at("1", Act::OpenCounter, "open")).await.unwrap();
    lines.submit("hall", at("1", Act::CallNext, "call")).await.unwrap();
}

fn fates(told: &Value) -> Vec<(&str, &str)> {
    let notices = told["notices"].as_array().unwrap().iter();
    notices.map(|n| (n["notice"].as_str().unwrap(), n["fate"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn every_replica_tells_what_became_of_a_message() {
    let hall = Hall::new();
    let (one, other) = (hall.gateway().await, hall.gateway().await);
    calls_one(&one.lines).await;
    let (_, told) = one.json("/tickets/A001/notices").await;
    assert_eq!(fates(&told), [("joined", "delivered"), ("called", "waiting")]);

    let day = one.lines.snapshot("hall").unwrap().site.day().unwrap().0;
    let outcome = NoticeOutcome {
        v: 1,
        key: format!("hall/{day}/1/called#1"),
        fate: DeliveryOutcome::Sent { message_id: 5 },
        at: 7,
        attempts: 1,
        via: Some(Channel::Template),
        tried: Vec::new(),
    };
    let entry = Entry::new(serde_json::to_vec(&outcome).unwrap());
    let subject = Subject::new(&["shop", "some"]).unwrap();
    let mut news = other.fates.watch("hall");
    hall.ledger.append(&OUTCOMES, &subject, Expect::Nothing, entry).await.unwrap();
    loop {
        let (_, told) = other.json("/tickets/A001/notices").await;
        if fates(&told).get(1) == Some(&("called", "sent")) {
            let called = &told["notices"][1];
            assert_eq!((&called["via"], &called["since"]), (&json!("template"), &json!(7)));
            break;
        }
        news.changed().await.unwrap();
    }
}

#[tokio::test]
async fn only_staff_of_the_site_are_told() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    calls_one(&gateway.lines).await;
    let path = "/tickets/A001/notices";
    let strangers = gateway.with_key(path, "no-key").send().await.unwrap();
    assert_eq!(strangers.status(), StatusCode::UNAUTHORIZED);
    let (status, told) = gateway.json("/tickets/A002/notices").await;
    assert_eq!((status, &told["code"]), (StatusCode::NOT_FOUND, &json!("unknown_ticket")));
}
