//! Tests of the tickets in the console's view, for each role, and of the acts that may be undone.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, command, finish, take_ticket};
use crate::support::gateway::{Gateway, STAFF_KEY, read_json};
use paihao_domain::{Act, CounterTicket, QueueId, TicketKey};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Returns the console's view for the holder of this key.
async fn get_console(gateway: &Gateway, key: &str) -> Value {
    let (status, console) =
        read_json(gateway.get_with_key("/desk", key).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{console}");
    console
}

fn find_ticket<'a>(console: &'a Value, number: &str) -> &'a Value {
    let ticket = console["tickets"].as_array().unwrap().iter().find(|one| one["number"] == number);
    ticket.unwrap_or_else(|| panic!("no {number} in {console}"))
}

async fn submit(gateway: &Gateway, command: paihao_domain::Command) {
    gateway.engine.submit("hall", command).await.unwrap();
}

#[tokio::test]
async fn every_ticket_is_seen_with_what_was_told_and_what_may_be_done() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    submit(&gateway, at_counter("1", Act::OpenCounter, "open")).await;
    for person in ["ann", "bob", "cai"] {
        submit(&gateway, take_ticket(person)).await;
    }
    let paper = Act::Take {
        queue: QueueId::new("a"),
        person: None,
        scan_session: None,
        class: Some(2),
        key: None,
    };
    submit(&gateway, command("paper", paper)).await;
    let console = get_console(&gateway, crate::support::gateway::MANAGER_KEY).await;
    assert_eq!(console["you"], json!({"name": "desk", "role": "manager", "manages": true}));
    assert_eq!(console["zone"], "Asia/Shanghai");
    let order: Vec<_> =
        console["tickets"].as_array().unwrap().iter().map(|t| &t["number"]).collect();
    assert_eq!(order, ["A004", "A001", "A002", "A003"], "a better class is first");
    let ann = find_ticket(&console, "A001");
    let paper = find_ticket(&console, "A004");
    assert_eq!((&ann["wechat"], &paper["wechat"]), (&json!(true), &json!(false)));
    assert_eq!((&ann["class"], &paper["class"]), (&Value::Null, &json!(2)));
    // A range up to five minutes reads 不到 5 分钟, which is the promise.
    let high = ann["told"]["minutes"][1].as_i64().unwrap();
    assert!(high <= 5, "{ann}");
    let taken_at = ann["taken_at"].as_i64().unwrap();
    assert_eq!(ann["told"]["by"].as_i64().unwrap(), taken_at + 5 * 60_000);
    assert!(!console.to_string().contains("ann"), "a name is on the desk: {console}");

    submit(&gateway, at_counter("1", Act::CallNext, "next")).await;
    let console = get_console(&gateway, crate::support::gateway::MANAGER_KEY).await;
    let called = find_ticket(&console, "A004");
    let since = called["since"].as_i64().unwrap();
    assert_eq!((&called["state"], &called["counter"]), (&json!("called"), &json!("1")));
    assert_eq!(called["recall_from"].as_i64().unwrap(), since + 15_000);
    assert_eq!(called["put_back_until"].as_i64().unwrap(), since + 60_000);
    assert_eq!(called["until"].as_i64().unwrap(), since + 180_000);
    assert_eq!(console["counters"][0]["serving"], "A004");
    assert_eq!(console["calls"][0]["number"], "A004");

    // A missed ticket has a time until which it may return, and no longer the quoted wait.
    submit(
        &gateway,
        at_counter("1", |counter| Act::Miss(CounterTicket { counter, number: None }), "miss"),
    )
    .await;
    let console = get_console(&gateway, crate::support::gateway::MANAGER_KEY).await;
    let missed = find_ticket(&console, "A004");
    assert_eq!((&missed["state"], &missed["told"]), (&json!("missed"), &Value::Null));
    assert!(missed["until"].as_i64() > missed["since"].as_i64());
    assert_eq!(console["ended"][0]["number"], "A004");
    assert_eq!(console["ended"][0]["to"], "called");
}

#[tokio::test]
async fn staff_may_take_back_their_own_for_a_minute_and_a_manager_anything_all_day() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let press = async |what: &str| {
        let url = gateway.api(&format!("/sites/hall/counters/1/{what}"));
        let response = cluster.http.post(url).bearer_auth(STAFF_KEY).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{what}");
    };
    submit(&gateway, take_ticket("ann")).await;
    submit(&gateway, take_ticket("bob")).await;
    for what in ["open", "call-next", "start", "finish"] {
        press(what).await;
    }
    let own = get_console(&gateway, STAFF_KEY).await;
    assert_eq!(own["you"]["counters"], json!(["1"]));
    assert_eq!(own["you"]["manages"], false);
    let end = &own["ended"][0];
    let at = end["at"].as_i64().unwrap();
    assert_eq!(
        *end,
        json!({"number": "A001", "queue": "a", "state": "done", "to": "serving", "counter": "1",
            "at": at, "until": at + 60_000, "own": true})
    );
    // While the counter is occupied, the end cannot be undone.
    press("call-next").await;
    assert_eq!(get_console(&gateway, STAFF_KEY).await["ended"], json!([]));
    submit(&gateway, finish_command("finish")).await;
    let staff = get_console(&gateway, STAFF_KEY).await;
    let numbers: Vec<_> = staff["ended"].as_array().unwrap().iter().map(|e| &e["number"]).collect();
    assert_eq!(numbers, ["A001"], "the manager finished the other one");
    cluster.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(get_console(&gateway, STAFF_KEY).await["ended"], json!([]));
    let manager = get_console(&gateway, crate::support::gateway::MANAGER_KEY).await;
    let numbers: Vec<_> =
        manager["ended"].as_array().unwrap().iter().map(|e| (&e["number"], &e["own"])).collect();
    assert_eq!(numbers, [(&json!("A002"), &json!(false)), (&json!("A001"), &json!(false))]);
    assert_eq!(manager["ended"][0]["until"], Value::Null);
}

fn finish_command(id: &str) -> paihao_domain::Command {
    at_counter("1", finish, id)
}

#[tokio::test]
async fn a_slip_says_what_was_told_and_when_by_the_sites_clocks() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    submit(&gateway, take_ticket("ann")).await;
    let paper = Act::Take {
        queue: QueueId::new("a"),
        person: None,
        scan_session: None,
        class: None,
        key: Some(TicketKey([7; 16])),
    };
    submit(&gateway, command("paper", paper)).await;
    let (status, slip) =
        read_json(gateway.get_with_key("/tickets/A002/slip", STAFF_KEY).send().await.unwrap())
            .await;
    assert_eq!(status, StatusCode::OK, "{slip}");
    assert_eq!((&slip["number"], &slip["ahead"]), (&json!("A002"), &json!(1)));
    assert_eq!((&slip["name"], &slip["queue_name"]), (&json!("大厅"), &json!("存取款")));
    assert_eq!((&slip["date"], &slip["zone"]), (&json!("2026-11-20"), &json!("Asia/Shanghai")));
    // The code of the ticket's page is only for people without another way to it.
    assert!(slip["code"].as_str().unwrap().contains("<svg"), "{slip}");
    let theirs = gateway.get_with_key("/tickets/A001/slip", STAFF_KEY).send().await.unwrap();
    assert_eq!(read_json(theirs).await.1["code"], Value::Null);
    let missing = gateway.get_with_key("/tickets/A009/slip", STAFF_KEY).send().await.unwrap();
    assert_eq!(read_json(missing).await.1["code"], "unknown_ticket");
}

#[tokio::test]
async fn the_desk_is_for_those_with_a_key_of_the_site() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    for path in ["/desk", "/desk/events", "/tickets/A001/slip"] {
        for (key, status, code) in [
            ("", StatusCode::UNAUTHORIZED, "unauthorised"),
            ("not-a-key", StatusCode::UNAUTHORIZED, "unauthorised"),
            ("the-key-of-another-site", StatusCode::FORBIDDEN, "not_your_site"),
        ] {
            let response = gateway.get_with_key(path, key).send().await.unwrap();
            let (ticket, problem) = read_json(response).await;
            assert_eq!((ticket, &problem["code"]), (status, &json!(code)), "{path} {key}");
        }
        let url = gateway.api(&format!("/sites/nowhere{path}"));
        let response = cluster.http.get(url).bearer_auth(STAFF_KEY).send().await.unwrap();
        assert_eq!(read_json(response).await.1["code"], "unknown_site");
    }
}

#[tokio::test]
async fn a_counter_lists_what_may_be_done_there_for_each_role() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let may = async |key: &str| {
        let console = get_console(&gateway, key).await;
        let counter = &console["counters"][0];
        assert_eq!(counter["id"], "1");
        counter["may"].clone()
    };
    let manager = crate::support::gateway::MANAGER_KEY;
    let both = async |expected: Value| {
        assert_eq!((may(STAFF_KEY).await, may(manager).await), (expected.clone(), expected));
    };
    both(json!(["open"])).await;
    submit(&gateway, at_counter("1", Act::OpenCounter, "open")).await;
    assert_eq!(may(STAFF_KEY).await, json!(["take_over"]), "the manager is logged in there");
    assert_eq!(may(manager).await, json!(["break", "close"]), "nobody waits");
    submit(&gateway, take_ticket("ann")).await;
    assert_eq!(may(manager).await, json!(["next", "break", "close"]));
    submit(&gateway, at_counter("1", Act::CallNext, "next")).await;
    submit(&gateway, take_ticket("bob")).await;
    assert_eq!(may(manager).await, json!(["break", "close"]), "somebody was called");
    submit(&gateway, at_counter("1", Act::BreakCounter, "break")).await;
    assert_eq!(may(manager).await, json!(["open", "close"]));
    submit(&gateway, at_counter("1", Act::CloseCounter, "close")).await;
    both(json!(["open"])).await;
}
