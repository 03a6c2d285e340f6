//! A day of `paihao demo` in short: everything that may happen to a number happens, and nobody is
//! left without their message.

use crate::demo::Demo;
use harness::wait_until;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// People who take a number in each of the two queues.
const PEOPLE: usize = 6;

/// Acts on numbers, in their order: the path below the site, and the body.
const ACTS: [(&str, &str); 33] = [
    ("queues/general/halt", ""),
    ("queues/general/open", ""),
    ("counters/1/call-next", ""),
    ("counters/1/start", ""),
    ("counters/1/suspend", r#"{"reason": "缺材料"}"#),
    ("counters/1/call-next", ""),
    ("counters/1/put-back", ""),
    ("counters/1/call-next", ""),
    ("counters/1/missed", ""),
    ("tickets/A002/return", ""),
    ("tickets/A003/hold", r#"{"reason": "接电话"}"#),
    ("tickets/A003/resume", ""),
    ("tickets/A004/priority", r#"{"class": 1, "reason": "老人"}"#),
    ("counters/1/call-next", ""),
    ("tickets/A004/transfer", r#"{"queue": "social"}"#),
    ("tickets/A005/remove", r#"{"reason": "重复取号"}"#),
    ("tickets/A005/undo", ""),
    ("counters/2/call", r#"{"number": "A006", "reason": "赶飞机"}"#),
    ("tickets/A006/priority", r#"{"class": 1, "reason": "老人"}"#),
    ("counters/2/finish", ""),
    ("tickets/A001/resume", ""),
    ("counters/3/call-next", ""),
    ("counters/3/finish", ""),
    ("counters/3/call-next", ""),
    ("counters/3/missed", ""),
    ("counters/3/call-next", ""),
    ("counters/3/finish", ""),
    ("queues/social/close", ""),
    ("queues/social/open", ""),
    ("queues/social/halt", ""),
    ("queues/social/open", ""),
    ("queues/general/clear", ""),
    ("queues/social/clear", ""),
];

/// Ends of a message that somebody has to be told of, or has to act on.
const BAD_ENDS: [&str; 3] = ["failed", "not_delivered", "unknown"];

#[tokio::test]
async fn after_a_day_of_the_demo_every_message_has_arrived_and_nothing_was_logged() {
    let mut demo = Demo::start();
    demo.wait_for_greeting(1).await;
    for queue in ["general", "social"] {
        let session = demo.open_session(queue).await;
        for person in 0..PEOPLE {
            demo.scan(&format!("o-{queue}-{person}"), &session).await;
        }
    }
    // The texts that WeChat takes after a scan are over then, as they are in a hall.
    tokio::time::sleep(Duration::from_secs(61)).await;
    for (i, (path, body)) in ACTS.iter().enumerate() {
        let (status, answer) = demo.post(path, body, &format!("act-{i}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }
    let mut notices = Vec::new();
    let settled = async || {
        notices = demo.all_notices().await;
        notices
            .iter()
            .all(|(_, notice)| !["waiting", "sending", "sent"].contains(&delivery_status(notice)))
    };
    wait_until("every message has come to its end", Duration::from_secs(180), settled).await;
    let bad: Vec<_> =
        notices.iter().filter(|(_, notice)| BAD_ENDS.contains(&delivery_status(notice))).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let mut kinds: Vec<_> = notices.iter().filter_map(|(_, n)| n["notice"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in ["called", "missed", "held", "halted", "removed", "reopened", "cleared", "returned"]
    {
        assert!(kinds.contains(&kind), "nobody was told {kind}: {kinds:?}");
    }
    let letters = demo.get_as_manager("dead-letters").await;
    assert_eq!(letters["letters"], json!([]), "dead letters");
    demo.stop();
    let output = demo.output();
    let logged: Vec<_> =
        output.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).collect();
    assert!(logged.is_empty(), "{logged:#?}");
}

fn delivery_status(notice: &Value) -> &str {
    notice["fate"].as_str().unwrap_or_default()
}
