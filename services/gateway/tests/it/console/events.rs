//! Tests of the event streams of boards and of the console, which send changes at once.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, take_ticket};
use crate::support::gateway::STAFF_KEY;
use paihao_domain::Act;
use reqwest::Response;
use serde_json::Value;

/// Event stream, and the text read from it.
struct EventStream(Response, String);

impl EventStream {
    /// Returns the data of the next event.
    async fn next_event(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let value = data.map(|data| serde_json::from_str(data.trim()).unwrap());
                self.1 = rest.to_owned();
                match value {
                    Some(value) => return value,
                    None => continue,
                }
            }
            let chunk = self.0.chunk().await.unwrap().expect("the stream goes on");
            self.1.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn until_event(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.next_event().await;
            if condition(&event) {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn a_call_reaches_every_desk_and_board_and_both_say_where() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    let mut board = EventStream(other.get("/events").send().await.unwrap(), String::new());
    let desk = other.get_with_key("/desk/events", STAFF_KEY).send().await.unwrap();
    let mut desk = EventStream(desk, String::new());
    assert_eq!(board.next_event().await["zone"], "Asia/Shanghai");
    assert_eq!(desk.next_event().await["you"]["name"], "mei");

    one.engine.submit("hall", take_ticket("ann")).await.unwrap();
    one.engine.submit("hall", at_counter("2", Act::OpenCounter, "open")).await.unwrap();
    one.engine.submit("hall", at_counter("2", Act::CallNext, "next")).await.unwrap();
    let called = |view: &Value| view["calls"][0]["number"] == "A001";
    let view = board.until_event(called).await;
    assert_eq!(view["calls"][0]["queue"], "a");
    assert_eq!(view["calls"][0]["counter_name"], "2号");
    assert!(view["queues"][0]["minutes"].is_array(), "{view}");
    let view = desk.until_event(called).await;
    assert_eq!(view["counters"][1]["serving"], "A001");
    assert!(!view.to_string().contains("ann"), "{view}");
}
