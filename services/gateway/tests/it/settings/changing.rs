//! Tests that a changed setting applies from the next decision on at every replica, and that one of
//! two concurrent changes of the same document is refused.

use super::client::{MANAGER_KEY, OWNER_KEY, STAFF_KEY, SettingsClient, send};
use crate::support::cluster::Cluster;
use crate::support::wait_until;
use paihao_domain::{Act, Actor, Command, CommandId, Outcome, Person, QueueId};
use paihao_gateway::engine::{CommandOutcome, SubmitError};
use reqwest::Method;
use serde_json::json;

pub async fn take_ticket(
    gateway: &SettingsClient,
    queue: &str,
    person: &str,
) -> Result<String, SubmitError> {
    let person = Person::new(person);
    let act = Act::Take {
        queue: QueueId::new(queue),
        person: Some(person.clone()),
        scan_session: None,
        class: None,
        key: None,
    };
    let actor = Actor::Customer(person.clone());
    let id = CommandId::derived(&format!("take {queue} {}", person.as_str()));
    let command = Command { id, fingerprint: 0, actor, act, day: None };
    let CommandOutcome { outcome, .. } = gateway.engine.submit("hall", command).await?;
    match outcome {
        Outcome::Holding { number, .. } => Ok(number.to_string()),
        other => panic!("no number: {other:?}"),
    }
}

#[tokio::test]
async fn a_new_queue_is_joined_at_both_gateways_and_closed_by_the_next_change() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    let other = SettingsClient::start(&cluster).await;
    assert_eq!(take_ticket(&one, "cash", "ann").await.unwrap(), "A001");

    let made = one
        .put("/book/sites/hall/queues/loan", json!({"name": "贷款", "prefix": "L", "open": false}))
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.body["changed"][0]["key"], "queues.loan");
    let counter = json!({"name": "1号窗口", "queues": ["cash", "loan"]});
    assert_eq!(one.put("/book/sites/hall/counters/1", counter).await.status, 200);
    let made =
        one.put("/book/sites/hall/queues/loan", json!({"name": "贷款", "prefix": "L"})).await;
    assert_eq!((made.status, &made.body["changed"][0]["key"]), (200, &json!("queues.loan.open")));
    assert_eq!(take_ticket(&one, "loan", "bob").await.unwrap(), "L001");
    wait_until("the other has read it", async || {
        let rules = other.engine.settings("hall").unwrap().rules.clone();
        rules.queues.get(&QueueId::new("loan")).is_some_and(|queue| queue.open)
    })
    .await;
    assert_eq!(take_ticket(&other, "loan", "cid").await.unwrap(), "L002");

    let queue = other.get("/book/sites/hall/queues/loan").await;
    assert_eq!((queue.etag, queue.body["minutes"].as_u64()), (made.etag, Some(5)));
    let mut queue = queue.body;
    queue["open"] = json!(false);
    assert_eq!(other.put("/book/sites/hall/queues/loan", queue).await.status, 200);
    let refused = take_ticket(&other, "loan", "dan").await.unwrap_err();
    assert!(matches!(refused, SubmitError::Refused(_)), "{refused:?}");

    // A replica that starts later knows all changes.
    let late = SettingsClient::start(&cluster).await;
    assert!(!late.engine.settings("hall").unwrap().rules.queues[&QueueId::new("loan")].open);
    let changes = late.get("/book/changes?site=hall").await;
    let changes = changes.body["changes"].as_array().unwrap().clone();
    assert_eq!(changes.len(), 4);
    assert_eq!((&changes[0]["by"], &changes[0]["did"]), (&json!("owner"), &json!("changed")));
    assert_eq!(changes[0]["changed"][0]["key"], "queues.loan.open");
}

#[tokio::test]
async fn of_two_that_have_seen_the_same_one_is_told_to_look_again() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    let other = SettingsClient::start(&cluster).await;
    let path = "/book/sites/hall/queues/cash";
    let current = one.get(path).await;
    let changed = |minutes: u32| {
        let mut queue = current.body.clone();
        queue["minutes"] = json!(minutes);
        queue
    };
    let put = |gateway: &SettingsClient, minutes: u32| {
        let request = gateway.request(Method::PUT, path, MANAGER_KEY).json(&changed(minutes));
        send(request.header("If-Match", current.etag.clone().unwrap()))
    };
    let (first, second) = tokio::join!(put(&one, 6), put(&other, 7));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{} {}", first.text, second.text);
    let refused = if first.status == 412 { first } else { second };
    assert_eq!(refused.problem_code(), "revision_changed");
    let unseen = send(one.request(Method::PUT, path, MANAGER_KEY).json(&changed(8))).await;
    assert_eq!((unseen.status, unseen.problem_code()), (428, "revision_needed"));
}

#[tokio::test]
async fn a_wish_that_is_said_twice_is_done_once() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    let other = SettingsClient::start(&cluster).await;
    let path = "/book/sites/hall/queues/loan";
    let etag = one.get("/book/sites/hall").await.etag.unwrap();
    let put = |gateway: &SettingsClient, prefix: &str| {
        let request = gateway.request(Method::PUT, path, OWNER_KEY).header("If-Match", &etag);
        let queue = json!({"name": "贷款", "prefix": prefix, "open": false});
        send(request.header("Idempotency-Key", "the-same").json(&queue))
    };
    let first = put(&one, "L").await;
    let again = put(&other, "L").await;
    assert_eq!((first.status, again.status), (200, 200), "{}", again.text);
    assert_eq!((&first.body, &first.etag), (&again.body, &again.etag));
    let other = put(&other, "M").await;
    assert_eq!((other.status, other.problem_code()), (422, "idempotency_key_reused"));
    assert_eq!(
        one.get("/book/changes?site=hall").await.body["changes"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_site_is_made_and_retired_by_whoever_has_every_site() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    let other = SettingsClient::start(&cluster).await;
    let site = json!({"account": "shop", "name": "小站", "queues": {"q": {"name": "取号", "prefix": "A"}},
                      "counters": {"1": {"name": "1号", "queues": ["q"]}}});
    let path = "/book/sites/kiosk";
    for (key, status, code) in [
        (MANAGER_KEY, 403, "not_every_site"),
        (STAFF_KEY, 403, "not_allowed"),
        ("none", 401, "unauthorised"),
    ] {
        let refused = send(one.request(Method::PUT, path, key).json(&site)).await;
        assert_eq!((refused.status, refused.problem_code()), (status, code));
    }
    let tried =
        send(one.request(Method::PUT, &format!("{path}?dry_run=true"), OWNER_KEY).json(&site))
            .await;
    assert_eq!((tried.status, &tried.body["dry_run"]), (200, &json!(true)), "{}", tried.text);
    assert_eq!(one.get(path).await.problem_code(), "unknown_site");
    let made = send(one.request(Method::PUT, path, OWNER_KEY).json(&site)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    wait_until("the other has it", async || other.engine.settings("kiosk").is_some()).await;
    let read = other.get(path).await;
    assert_eq!((&read.etag, &read.body["time_zone"]), (&made.etag, &json!("Asia/Shanghai")));
    let gone =
        other.request(Method::DELETE, path, OWNER_KEY).header("If-Match", read.etag.unwrap());
    assert_eq!(send(gone).await.status, 200);
    assert!(other.engine.settings("kiosk").is_none());
    assert_eq!(other.get(path).await.problem_code(), "unknown_site");
    // The site can be created again, and its revisions continue.
    let back = send(other.request(Method::PUT, path, OWNER_KEY).json(&site)).await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert!(other.engine.settings("kiosk").is_some());
}

#[tokio::test]
async fn nothing_is_taken_away_in_which_somebody_is() {
    let cluster = Cluster::new();
    let one = SettingsClient::start(&cluster).await;
    take_ticket(&one, "cash", "ann").await.unwrap();
    let shut = json!({"name": "存取款", "prefix": "A", "open": false});
    assert_eq!(one.put("/book/sites/hall/queues/cash", shut).await.status, 200);
    let counter = json!({"name": "2号窗口", "queues": []});
    assert_eq!(one.put("/book/sites/hall/counters/2", counter).await.status, 200);
    assert_eq!(
        one.put("/book/sites/hall/counters/1", json!({"name": "1号", "queues": []})).await.status,
        200
    );
    let refused = one.delete("/book/sites/hall/queues/cash").await;
    assert_eq!((refused.status, refused.problem_code()), (409, "in_use"));
    assert!(refused.body["detail"].as_str().unwrap().contains("A001"));
    assert_eq!(one.delete("/book/sites/hall").await.problem_code(), "in_use");
    let open = one.request(Method::POST, "/sites/hall/counters/2/open", OWNER_KEY);
    assert_eq!(send(open).await.status, 200);
    assert_eq!(one.delete("/book/sites/hall/counters/2").await.problem_code(), "in_use");
    assert_eq!(one.delete("/book/sites/hall/counters/1").await.status, 200);
    assert_eq!(one.delete("/book/sites/hall/counters/1").await.problem_code(), "unknown_counter");
}
