//! Tests of the word of a holder that they are on the way.

use super::link::{get, join, post};
use crate::support::cluster::Cluster;
use crate::support::engine::at_counter;
use crate::support::gateway::Gateway;
use paihao_contracts::envelope::WriteVersion;
use paihao_domain::{Act, CounterTicket};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn may_come(view: &Value) -> bool {
    view["may"].as_array().unwrap().contains(&json!("coming"))
}

/// Ticket of this number, as the console shows it.
async fn on_console(gateway: &Gateway, number: &str) -> Value {
    let (status, console) = gateway.get_json("/desk").await;
    assert_eq!(status, StatusCode::OK, "{console}");
    let tickets = console["tickets"].as_array().unwrap();
    tickets.iter().find(|ticket| ticket["number"] == number).unwrap().clone()
}

#[tokio::test]
async fn whoever_is_near_or_called_says_once_that_they_are_coming_and_staff_see_it() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let people = ["ann", "ben", "cat", "dan", "eve"];
    let mut links = Vec::new();
    for person in people {
        links.push(join(&gateway, person).await);
    }
    // With three ahead one is near, with four not.
    for (link, is_near) in links.iter().zip([true, true, true, true, false]) {
        assert_eq!(may_come(&get(&gateway, link).await.1), is_near, "{link}");
    }
    let (status, far) = post(&gateway, &format!("{}/coming", links[4]), json!({}), "far").await;
    assert_eq!((status, &far["code"]), (StatusCode::CONFLICT, &json!("wrong_state")));
    assert_eq!(on_console(&gateway, "A001").await["coming"], false);
    let (status, ann) = post(&gateway, &format!("{}/coming", links[0]), json!({}), "one").await;
    assert_eq!((status, &ann["coming"]), (StatusCode::OK, &json!(true)), "{ann}");
    assert!(!may_come(&ann), "it is said once");
    assert_eq!(on_console(&gateway, "A001").await["coming"], true);

    // The word stays over the call, and is over with a miss.
    for command in
        [at_counter("1", Act::OpenCounter, "open"), at_counter("1", Act::CallNext, "call")]
    {
        gateway.engine.submit("hall", command).await.unwrap();
    }
    assert_eq!(get(&gateway, &links[0]).await.1["coming"], true);
    let miss = |counter| Act::Miss(CounterTicket { counter, number: None });
    gateway.engine.submit("hall", at_counter("1", miss, "miss")).await.unwrap();
    let (_, missed) = get(&gateway, &links[0]).await;
    assert_eq!((&missed["coming"], may_come(&missed)), (&json!(false), false));
}

#[tokio::test]
async fn an_older_generation_neither_offers_nor_stores_it() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.write_version = WriteVersion::clamped(1);
    let gateway = cluster.start(setup).await;
    let ann = join(&gateway, "ann").await;
    assert!(!may_come(&get(&gateway, &ann).await.1));
    let (status, held_back) = post(&gateway, &format!("{ann}/coming"), json!({}), "one").await;
    assert_eq!((status, &held_back["code"]), (StatusCode::CONFLICT, &json!("forms_held_back")));
}
