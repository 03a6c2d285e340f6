//! A change is told at once, to boards and to those who work there.

use crate::support::door::{Hall, STAFF_KEY};
use crate::support::replica::{at, take};
use paihao_domain::Act;
use reqwest::Response;
use serde_json::Value;

/// A stream, and what was read of it.
struct Told(Response, String);

impl Told {
    /// The next event's data.
    async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let found = data.map(|data| serde_json::from_str(data.trim()).unwrap());
                self.1 = rest.to_owned();
                match found {
                    Some(found) => return found,
                    None => continue,
                }
            }
            let chunk = self.0.chunk().await.unwrap().expect("the stream goes on");
            self.1.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn until(&mut self, is_there: impl Fn(&Value) -> bool) -> Value {
        loop {
            let told = self.next().await;
            if is_there(&told) {
                return told;
            }
        }
    }
}

#[tokio::test]
async fn a_call_reaches_every_desk_and_board_and_both_say_where() {
    let hall = Hall::new();
    let (one, other) = (hall.gateway().await, hall.gateway().await);
    let mut board = Told(other.hall("/events").send().await.unwrap(), String::new());
    let desk = other.with_key("/desk/events", STAFF_KEY).send().await.unwrap();
    let mut desk = Told(desk, String::new());
    assert_eq!(board.next().await["zone"], "Asia/Shanghai");
    assert_eq!(desk.next().await["you"]["name"], "mei");

    one.lines.submit("hall", take("ann")).await.unwrap();
    one.lines.submit("hall", at("2", Act::OpenCounter, "open")).await.unwrap();
    one.lines.submit("hall", at("2", Act::CallNext, "next")).await.unwrap();
    let called = |told: &Value| told["calls"][0]["number"] == "A001";
    let told = board.until(called).await;
    assert_eq!(told["calls"][0]["queue"], "a");
    assert_eq!(told["calls"][0]["counter_name"], "2号");
    assert!(told["queues"][0]["minutes"].is_array(), "{told}");
    let told = desk.until(called).await;
    assert_eq!(told["counters"][1]["serving"], "A001");
    assert!(!told.to_string().contains("ann"), "{told}");
}
