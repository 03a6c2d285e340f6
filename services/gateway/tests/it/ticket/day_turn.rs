//! Tests of the turn of the day between the lookup of a ticket and the decision about it: numbers
//! and ids begin again, and no action meets the ticket of somebody else.

use super::link::{get, join, post};
use crate::support::cluster::{Cluster, GatewaySetup};
use crate::support::engine::MORNING_MS;
use crate::support::gateway::{Gateway, MANAGER_KEY, read_json};
use crate::support::lagging::LaggingLedger;
use crate::support::wait_until;
use crate::support::wechat::event_elements;
use paihao_chassis::clock::{Clock as _, ManualClock};
use paihao_contracts::settings::AccountSetup;
use paihao_domain::{QueueId, QueueRules, Site};
use paihao_gateway::settings::SiteSettings;
use paihao_gateway::settings::calendar::Calendar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// From ten o'clock to the last minute of the business day.
const TO_LAST_MINUTE: Duration = Duration::from_secs(18 * 3600 - 60);

/// Steps that bring the first ticket of a day into a state, as actions with their bodies.
fn steps_to(state: &str) -> Vec<(&'static str, Value)> {
    let called = [("counters/1/open", json!({})), ("counters/1/call-next", json!({}))];
    let serving = called.clone().into_iter().chain([("counters/1/start", json!({}))]);
    match state {
        "waiting" => vec![("counters/1/open", json!({}))],
        "called" => called.to_vec(),
        "serving" => serving.collect(),
        "missed" => called.into_iter().chain([("counters/1/missed", json!({}))]).collect(),
        "held" => vec![("tickets/A001/hold", json!({"reason": "证件"}))],
        "suspended" => {
            serving.chain([("counters/1/suspend", json!({"reason": "补材料"}))]).collect()
        }
        "done" => serving.chain([("counters/1/finish", json!({}))]).collect(),
        other => panic!("{other}"),
    }
}

/// Every action of staff that names a ticket, with the state in which it is allowed.
fn actions() -> Vec<(&'static str, &'static str, Value)> {
    let numbered = || json!({"number": "A001"});
    vec![
        ("waiting", "tickets/A001/leave", json!({})),
        ("waiting", "tickets/A001/remove", json!({"reason": "走了"})),
        ("waiting", "tickets/A001/hold", json!({"reason": "证件"})),
        ("waiting", "tickets/A001/priority", json!({"class": 0, "reason": "老人"})),
        ("waiting", "tickets/A001/arrived", json!({})),
        ("waiting", "tickets/A001/party", json!({"people": 2})),
        ("waiting", "counters/1/call", json!({"number": "A001", "reason": "老人"})),
        ("called", "counters/1/recall", numbered()),
        ("called", "counters/1/start", numbered()),
        ("called", "counters/1/put-back", numbered()),
        ("called", "counters/1/missed", numbered()),
        ("called", "tickets/A001/transfer", json!({"queue": "b"})),
        ("serving", "counters/1/finish", numbered()),
        ("serving", "counters/1/suspend", json!({"number": "A001", "reason": "补材料"})),
        ("suspended", "counters/1/resume-here", numbered()),
        ("missed", "tickets/A001/return", json!({})),
        ("held", "tickets/A001/resume", json!({})),
        ("done", "tickets/A001/undo", json!({})),
    ]
}

/// Setup of the hall with a second queue.
fn setup(cluster: &Cluster) -> GatewaySetup {
    let mut setup = cluster.hall_setup();
    let hall = setup.deployment.sites.get_mut("hall").unwrap();
    let mut rules = hall.rules.clone();
    rules.queues.insert(QueueId::new("b"), QueueRules::new("贷款", "B"));
    let calendar = Calendar::new(hall.calendar.zone().clone(), 4);
    let (facts, subject) = (hall.facts.clone(), hall.subject.clone());
    *hall = Arc::new(SiteSettings::new(facts, subject, rules, calendar));
    setup
}

async fn act(gateway: &Gateway, action: &str, body: &Value, key: &str) -> (StatusCode, Value) {
    let url = gateway.api(&format!("/sites/hall/{action}"));
    let request = gateway.http.post(url).bearer_auth(MANAGER_KEY).header("idempotency-key", key);
    read_json(request.json(body).send().await.unwrap()).await
}

/// Has somebody take the first number of a day, and brings it into a state.
async fn begin_day(gateway: &Gateway, person: &str, state: &str) {
    join(gateway, person).await;
    for (action, body) in steps_to(state) {
        let (status, problem) = act(gateway, action, &body, &format!("{person} {action}")).await;
        assert_eq!(status, StatusCode::OK, "{action}: {problem}");
    }
}

fn site(gateway: &Gateway) -> Arc<Site> {
    gateway.engine.snapshot("hall").unwrap().site
}

#[tokio::test]
async fn an_action_that_found_the_ticket_on_the_day_before_meets_no_other() {
    for (state, action, body) in actions() {
        let cluster = Cluster::new();
        let ahead = cluster.start(setup(&cluster)).await;
        begin_day(&ahead, "ann", state).await;
        let ledger = LaggingLedger::new(cluster.ledger.clone());
        let yesterday = ManualClock::at(MORNING_MS + 20_000);
        let lagging = GatewaySetup { clock: Arc::new(yesterday), ..setup(&cluster) };
        let behind = cluster.start_over(ledger.clone(), lagging).await;
        wait_until("the other gateway is current", async || {
            let known = behind.engine.snapshot("hall");
            known.is_some_and(|snapshot| snapshot.site == site(&ahead))
        })
        .await;

        ledger.shut();
        cluster.clock.advance(Duration::from_secs(24 * 3600));
        begin_day(&ahead, "ben", state).await;
        cluster.clock.advance(Duration::from_secs(20));
        let today = site(&ahead);
        assert_eq!(site(&behind).tickets().next().unwrap().id, today.tickets().next().unwrap().id);
        let mut appends = ledger.appends();
        appends.mark_unchanged();
        let open = async {
            appends.changed().await.unwrap();
            ledger.open();
        };
        let ((status, problem), ()) = futures::join!(act(&behind, action, &body, "k"), open);
        let refused = (StatusCode::CONFLICT, &json!("day_turned"));
        assert_eq!((status, &problem["code"]), refused, "{action} while {state}");
        assert!(site(&ahead) == today, "{action} while {state}");
        // Nothing but the day stood in its way.
        let (status, problem) = act(&ahead, action, &body, "k").await;
        assert_eq!(status, StatusCode::OK, "{action} while {state}: {problem}");
        cluster.tasks.abort();
    }
}

/// Sends the head of a request and waits until the server asks for the body, which it does once it
/// has found the ticket.
async fn post_head(gateway: &Gateway, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /api/v1{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn an_action_of_a_holder_whose_day_ends_meanwhile_meets_no_other_ticket() {
    let actions = [
        ("waiting", "let-pass", "{}"),
        ("waiting", "tell-me", "{\"ahead\": 2}"),
        ("waiting", "leave", "{}"),
        ("missed", "return", "{}"),
        ("held", "return", "{}"),
    ];
    for (state, action, body) in actions {
        let cluster = Cluster::new();
        let gateway = cluster.start(setup(&cluster)).await;
        begin_day(&gateway, "ann", state).await;
        let ann = join(&gateway, "ann").await;
        let mut request = post_head(&gateway, &format!("{ann}/{action}"), body).await;
        cluster.clock.advance(Duration::from_secs(24 * 3600));
        begin_day(&gateway, "ben", state).await;
        let today = site(&gateway);
        request.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        request.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("\"code\":\"day_turned\""), "{action} while {state}: {answer}");
        assert!(site(&gateway) == today, "{action} while {state}");
        cluster.tasks.abort();
    }
}

#[tokio::test]
async fn an_action_on_a_ticket_that_is_repeated_after_the_turn_of_the_day_has_the_first_answer() {
    let cluster = Cluster::new();
    let gateway = cluster.start(setup(&cluster)).await;
    let ann = join(&gateway, "ann").await;
    join(&gateway, "ben").await;
    cluster.clock.advance(TO_LAST_MINUTE);
    let leave = async || post(&gateway, &format!("{ann}/leave"), json!({}), "k").await;
    let remove =
        async || act(&gateway, "tickets/A002/remove", &json!({"reason": "走了"}), "k").await;
    let (left, removed) = (leave().await, remove().await);
    assert_eq!((left.0, removed.0), (StatusCode::OK, StatusCode::OK));

    cluster.clock.advance(Duration::from_secs(120));
    let day = site(&gateway).day();
    wait_until("the day turns", async || site(&gateway).day() > day).await;
    assert_eq!((leave().await.0, remove().await), (StatusCode::OK, removed));
    assert_eq!(get(&gateway, &ann).await.1["state"], "closed");
    let (status, problem) = act(&gateway, "tickets/A002/arrived", &json!({}), "other").await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("unknown_ticket")));
    cluster.tasks.abort();
}

/// Pushes of a person in WeChat whose replies have a link to a ticket, with the pushes before them.
fn pushes_with_links() -> Vec<(&'static str, Vec<String>, String)> {
    let scan = |event, ticket| event_elements("SCAN", event, ticket);
    let text =
        |text, id| format!("<MsgType>text</MsgType><Content>{text}</Content><MsgId>{id}</MsgId>");
    let taken = || vec![scan("q_hall_a", "1")];
    vec![
        ("takes a number", vec![], scan("q_hall_a", "1")),
        ("scans again", taken(), scan("q_hall_a", "2")),
        ("asks for the ticket", taken(), text("进度", 3)),
        ("lets others pass", taken(), text("暂离", 4)),
        ("comes back", [taken(), vec![text("暂离", 5)]].concat(), text("回来了", 6)),
    ]
}

#[tokio::test]
async fn a_push_that_is_repeated_after_the_turn_of_the_day_has_the_first_reply() {
    for (what, before, push) in pushes_with_links() {
        let cluster = Cluster::new();
        let account = cluster.setup_with_account(AccountSetup::default());
        let gateway = cluster.start(account).await;
        cluster.clock.advance(TO_LAST_MINUTE);
        let now_s = cluster.clock.now_ms() / 1000;
        for push in before {
            assert_eq!(gateway.push_now("oAnn", &push, now_s).await.0, StatusCode::OK, "{what}");
        }
        let (status, first) = gateway.push_now("oAnn", &push, now_s).await;
        assert_eq!(status, StatusCode::OK, "{what}");
        assert!(first.contains("https://queue.example/t/hall/"), "{what}: {first}");

        cluster.clock.advance(Duration::from_secs(120));
        let day = site(&gateway).day();
        wait_until("the day turns", async || site(&gateway).day() > day).await;
        let repeated = gateway.push_now("oAnn", &push, now_s).await;
        assert_eq!(repeated, (StatusCode::OK, first.clone()), "{what}, before the next scan");
        // The number of the new day has the id of the old one.
        join(&gateway, "oBen").await;
        let repeated = gateway.push_now("oAnn", &push, now_s).await;
        assert_eq!(repeated, (StatusCode::OK, first), "{what}, after the next scan");
        cluster.tasks.abort();
    }
}
