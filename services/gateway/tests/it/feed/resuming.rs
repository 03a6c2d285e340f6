//! Tests that a stream which is cut and resumed delivers every event once.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, finish, take_ticket};
use crate::support::gateway::{Gateway, read_json};
use paihao_domain::Act;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// Reader of whole events from a stream.
struct EventStream {
    response: Response,
    buffer: String,
}

impl EventStream {
    async fn connect(gateway: &Gateway, last: Option<&str>) -> EventStream {
        let mut request = gateway.get("/feed");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        EventStream { response, buffer: String::new() }
    }

    /// Returns id, name and data of the next event.
    async fn next_event(&mut self) -> (String, String, Value) {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                let fields = (field("id: "), field("event: "), field("data: "));
                let complete = match fields {
                    (id, Some(name), Some(data)) => Some((
                        id.unwrap_or_default().to_owned(),
                        name.to_owned(),
                        serde_json::from_str(data).unwrap(),
                    )),
                    _ => None,
                };
                self.buffer = rest.to_owned();
                if let Some(event) = complete {
                    return event;
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await;
            let chunk = chunk.expect("an event").unwrap().expect("a stream that goes on");
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// Runs a busy morning with this many rounds of people.
async fn run_crowd(gateways: &[Gateway; 2], people: usize) {
    for counter in ["1", "2"] {
        gateways[0]
            .engine
            .submit("hall", at_counter(counter, Act::OpenCounter, "open"))
            .await
            .unwrap();
    }
    for i in 0..people {
        let one = &gateways[i % 2].engine;
        let other = &gateways[(i + 1) % 2].engine;
        // These are sent concurrently, so that some of them share an entry.
        let (a, b, c) = tokio::join!(
            one.submit("hall", take_ticket(&format!("o{i}"))),
            one.submit("hall", take_ticket(&format!("p{i}"))),
            other.submit("hall", take_ticket(&format!("q{i}")))
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        let counter = if i % 2 == 0 { "1" } else { "2" };
        one.submit("hall", at_counter(counter, Act::CallNext, &format!("call {i}"))).await.unwrap();
        one.submit("hall", at_counter(counter, finish, &format!("finish {i}"))).await.unwrap();
    }
    gateways[0].engine.submit("hall", at_counter("2", Act::CloseCounter, "close")).await.unwrap();
}

#[tokio::test]
async fn cut_again_and_again_and_taken_up_at_another_replica_it_is_exactly_the_ledger() {
    let cluster = Cluster::new();
    let gateways = [cluster.start_gateway().await, cluster.start_gateway().await];
    let listen = async {
        let mut received = Vec::<Value>::new();
        let mut last = None::<String>;
        for round in 0..1000 {
            let mut listener = EventStream::connect(&gateways[round % 2], last.as_deref()).await;
            for _ in 0..[7, 1, 23, 2][round % 4] {
                let (id, name, event) = listener.next_event().await;
                assert_eq!((&event["id"], &event["type"]), (&id.clone().into(), &name.into()));
                received.push(event);
                last = Some(id);
                // This is the last event of the morning.
                if received.last().is_some_and(|event| event["type"] == "counter_closed") {
                    return received;
                }
            }
        }
        panic!("it never ends: {received:?}")
    };
    let ((), received) = tokio::join!(run_crowd(&gateways, 60), listen);
    let all = cluster.public_events().await;
    assert_eq!(received.len(), all.len());
    assert_eq!(received, all);
    assert!(received.iter().any(|event| !event["id"].as_str().unwrap().ends_with("-0")));
    let text = serde_json::to_string(&received).unwrap();
    assert!(!text.contains("o17") && !text.contains("command"), "somebody is named");
}

#[tokio::test]
async fn from_now_on_is_only_what_comes() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    gateway.engine.submit("hall", take_ticket("o1")).await.unwrap();
    let response = gateway.get("/feed?after=now").send().await.unwrap();
    let mut listener = EventStream { response, buffer: String::new() };
    gateway.engine.submit("hall", take_ticket("o2")).await.unwrap();
    let (_, name, event) = listener.next_event().await;
    assert_eq!((name.as_str(), &event["number"]), ("ticket_taken", &"A002".into()));
}

#[tokio::test]
async fn who_comes_back_too_late_is_told_so_and_what_to_do() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    gateway.engine.submit("hall", take_ticket("o1")).await.unwrap();
    gateway.engine.submit("hall", take_ticket("o2")).await.unwrap();
    let first = cluster.public_events().await[0]["id"].as_str().unwrap().to_owned();
    let from_first = format!("/feed/pages?after={first}");
    assert_eq!(gateway.get_json(&from_first).await.0, StatusCode::OK);
    cluster.clock.advance(Duration::from_secs(73 * 3600));
    gateway.engine.submit("hall", take_ticket("o3")).await.unwrap();
    for path in [&*from_first, &format!("/feed?after={first}"), "/feed?after=900000-0"] {
        let (status, problem) = gateway.get_json(path).await;
        assert_eq!((status, &problem["code"]), (StatusCode::GONE, &"cursor_gone".into()), "{path}");
    }
    // The header takes precedence over the query.
    let request = gateway.get("/feed?after=now").header("last-event-id", &first);
    assert_eq!(read_json(request.send().await.unwrap()).await.0, StatusCode::GONE);
    // The remedy is to read from the beginning.
    let (_, page) = gateway.get_json("/feed/pages").await;
    assert_eq!(page["events"].as_array().unwrap(), &cluster.public_events().await);
    let mut events = page["events"].as_array().unwrap().iter();
    let taken = events.find(|event| event["type"] == "ticket_taken").unwrap();
    assert_eq!(taken["number"], "A001", "the day's first");
}

#[tokio::test]
async fn only_a_key_of_the_site_opens_it() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    for path in ["/hall/feed", "/hall/feed/pages"] {
        let url = gateway.api(&format!("/sites{path}"));
        for (request, status) in [
            (cluster.http.get(&url), 401),
            (cluster.http.get(&url).bearer_auth("wrong"), 401),
            (cluster.http.get(&url).bearer_auth("the-key-of-another-site"), 403),
        ] {
            assert_eq!(request.send().await.unwrap().status(), status, "{path}");
        }
        let malformed = gateway.get(&format!("{}?after=x", path.trim_start_matches("/hall")));
        assert_eq!(malformed.send().await.unwrap().status(), 400);
    }
}
