//! Tests of logins at counters: taken over, and left behind by members and keys that are gone.

use crate::support::cluster::Cluster;
use crate::support::engine::take_ticket;
use crate::support::gateway::{Gateway, MANAGER_KEY, OWNER_KEY, STAFF_KEY, read_json};
use crate::support::wait_until;
use paihao_contracts::staff::{Member, StaffEntry, StaffEvent, StaffRole};
use paihao_contracts::streams::STAFF;
use paihao_domain::{Act, Actor, Command, CommandId, CounterId, CounterState, CounterTicket};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// Member who was invited as staff at counter 1.
const ANN: &str = "m_ann";

fn counter() -> CounterId {
    CounterId::new("1")
}

/// Sends a request below the API, and returns the answer.
async fn send(
    gateway: &Gateway,
    method: Method,
    path: &str,
    key: &str,
    body: Value,
) -> (StatusCode, Value) {
    let request = gateway.http.request(method, gateway.api(path)).bearer_auth(key);
    let response = request.json(&body).send().await.unwrap();
    match response.status() {
        StatusCode::NO_CONTENT => (StatusCode::NO_CONTENT, Value::Null),
        _ => read_json(response).await,
    }
}

/// Sends an action at counter 1, and returns the status and the code of a refusal.
async fn act(gateway: &Gateway, action: &str, key: &str, body: Value) -> (u16, String) {
    let path = format!("/sites/hall/counters/1/{action}");
    let (status, answer) = send(gateway, Method::POST, &path, key, body).await;
    (status.as_u16(), answer["code"].as_str().unwrap_or_default().to_owned())
}

async fn counter_view(gateway: &Gateway) -> Value {
    let (_, console) =
        read_json(gateway.get_with_key("/desk", STAFF_KEY).send().await.unwrap()).await;
    console["counters"][0].clone()
}

/// Has a member of staff join and act at counter 1.
async fn member_at_counter(cluster: &Cluster, gateway: &Gateway, acts: Vec<Act>) {
    let member = Member {
        id: ANN.to_owned(),
        name: "安".to_owned(),
        role: StaffRole::Staff,
        sites: Some(["hall".to_owned()].into()),
        counters: ["1".to_owned()].into(),
    };
    let event = StaffEvent::Joined { member, person: ANN.to_owned(), invitation: ANN.to_owned() };
    let entry = Entry::new(StaffEntry::new(0, "first", event).encode());
    let subject = Subject::new(&["staff"]).unwrap();
    cluster.ledger.append(&STAFF, &subject, ExpectedPosition::Any, entry).await.unwrap();
    act_as(gateway, ANN, acts).await;
    let is_known = async || counter_view(gateway).await["login_name"] == "安";
    wait_until("the member is known", is_known).await;
}

/// Has a login act at counter 1.
async fn act_as(gateway: &Gateway, login: &str, acts: Vec<Act>) {
    for (i, act) in acts.into_iter().enumerate() {
        let counters = Arc::new([counter()].into());
        let actor = Actor::Staff { name: login.into(), counters };
        let id = CommandId::derived(&format!("{login} {i}"));
        let command = Command { id, fingerprint: 0, actor, act, day: None };
        gateway.engine.submit("hall", command).await.unwrap();
    }
}

fn serve_ann() -> Vec<Act> {
    let served = CounterTicket { counter: counter(), number: None };
    vec![Act::OpenCounter(counter()), Act::CallNext(counter()), Act::Start(served)]
}

#[tokio::test]
async fn a_member_who_is_removed_or_moved_while_serving_leaves_a_counter_that_colleagues_open() {
    let moved = json!({"counters": ["2"]});
    for (method, body) in [(Method::DELETE, json!({})), (Method::PATCH, moved)] {
        let cluster = Cluster::new();
        let gateway = cluster.start_gateway().await;
        gateway.engine.submit("hall", take_ticket("ann")).await.unwrap();
        member_at_counter(&cluster, &gateway, serve_ann()).await;
        assert_eq!(act(&gateway, "open", STAFF_KEY, json!({})).await.1, "counter_taken");
        let path = format!("/staff/{ANN}");
        let (status, answer) = send(&gateway, method.clone(), &path, OWNER_KEY, body).await;
        assert!(status.is_success(), "{method}: {answer}");
        let at_counter = gateway.engine.snapshot("hall").unwrap().site.counter(&counter());
        assert_eq!((at_counter.state, at_counter.login), (CounterState::Offline, None), "{method}");
        assert!(at_counter.serving.is_some(), "{method}: the ticket is there");
        for action in ["open", "finish"] {
            let answer = act(&gateway, action, STAFF_KEY, json!({})).await;
            assert_eq!(answer, (200, String::new()), "{method}: {action}");
        }
    }
}

#[tokio::test]
async fn a_login_that_may_no_longer_be_there_is_nobodys() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    act_as(&gateway, "k_revoked", vec![Act::OpenCounter(counter())]).await;
    let is_left = async || counter_view(&gateway).await["login_left"] == true;
    wait_until("the login is known to be left behind", is_left).await;
    assert_eq!(act(&gateway, "open", STAFF_KEY, json!({})).await, (200, String::new()));
    let counter = counter_view(&gateway).await;
    assert_eq!((&counter["login"], &counter["login_left"]), (&json!("mei"), &Value::Null));
}

#[tokio::test]
async fn a_counter_is_taken_over_from_the_colleague_whom_the_console_names() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    gateway.engine.submit("hall", take_ticket("ann")).await.unwrap();
    member_at_counter(&cluster, &gateway, serve_ann()).await;
    let counter = counter_view(&gateway).await;
    assert_eq!((&counter["login"], &counter["login_name"]), (&json!(ANN), &json!("安")));
    assert!(counter["login_since"].is_i64() && counter["login_left"].is_null(), "{counter}");
    let take_over =
        async |from: &str| act(&gateway, "take-over", STAFF_KEY, json!({"from": from})).await;
    assert_eq!(act(&gateway, "finish", STAFF_KEY, json!({})).await.1, "not_your_counter");
    assert_eq!(take_over("m_li").await.1, "counter_taken");
    assert_eq!(take_over(ANN).await, (200, String::new()));
    assert_eq!(counter_view(&gateway).await["login"], "mei");
    assert_eq!(act(&gateway, "finish", STAFF_KEY, json!({})).await, (200, String::new()));
}

#[tokio::test]
async fn the_console_says_when_the_system_calls_and_that_it_waits() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    let settings = Arc::get_mut(setup.deployment.sites.get_mut("hall").unwrap()).unwrap();
    settings.rules.counters.get_mut(&counter()).unwrap().auto_next = true;
    let gateway = cluster.start(setup).await;
    gateway.engine.submit("hall", take_ticket("ann")).await.unwrap();
    assert_eq!(act(&gateway, "open", MANAGER_KEY, json!({})).await.0, 200);
    let opened = counter_view(&gateway).await;
    let next_call_at = opened["next_call_at"].as_i64().unwrap();
    assert!(next_call_at > opened["login_since"].as_i64().unwrap(), "{opened}");
    assert_eq!(act(&gateway, "call-next", MANAGER_KEY, json!({})).await.0, 200);
    assert_eq!(act(&gateway, "put-back", MANAGER_KEY, json!({})).await.0, 200);
    let waiting = counter_view(&gateway).await;
    assert_eq!((&waiting["next_call_at"], &waiting["auto_paused"]), (&Value::Null, &json!(true)));
    // A break is possible although somebody waits.
    assert_eq!(act(&gateway, "break", MANAGER_KEY, json!({})).await.0, 200);
}
