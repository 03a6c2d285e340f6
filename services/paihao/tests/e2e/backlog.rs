//! Test of the backlog at the admin port: what a queue holds while nobody takes it, and its age.

use crate::support::gateway::{HALL, NO_WECHAT, process_configuration, start_program};
use crate::support::http::{client, send_json, staff_request};
use harness::{free_port, wait_until};
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;

const STAFF_KEY: &str = "a-key-of-the-tests-alone";
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_nobody_takes_are_counted_and_grow_old() {
    let (port, admin, closed) = (free_port(), free_port(), free_port());
    let process = process_configuration(port, admin, NO_WECHAT);
    let text = format!(
        "
        {process}
        notifier.webhook_private = ['127.0.0.1']
        [staff.tests]
        key = '{STAFF_KEY}'
        sites = ['hall']
        [accounts.shop]
        appid = 'wx0000000000000000'
        secret = 'secret'
        callback_token = 'tokenOfTheseTests'
        mode = 'plain'
        {HALL}
        [sites.hall.webhooks.crm]
        url = 'http://127.0.0.1:{closed}/hook'
        secret = 'a-secret-of-the-tests-alone'
        events = ['counter_opened', 'counter_closed']
        "
    );
    let program = start_program(&text);
    let http = client();
    let backlog = async || {
        let answer = http.get(format!("http://127.0.0.1:{admin}/backlog")).send().await.ok()?;
        answer.json::<serde_json::Value>().await.ok()
    };
    let is_empty = json!({ "messages": 0, "oldest_seconds": 0.0 });
    wait_until("an empty backlog", WAIT_TIMEOUT, async || {
        let queues = ["notices", "receipts", "webhooks"];
        backlog().await.is_some_and(|found| queues.iter().all(|queue| found[queue] == is_empty))
    })
    .await;
    for action in ["open", "close"] {
        let url = format!("http://127.0.0.1:{port}/api/v1/sites/hall/counters/1/{action}");
        let (status, response) = send_json(staff_request(&http, STAFF_KEY, &url, action)).await;
        assert_eq!(status, StatusCode::OK, "{response}");
    }
    wait_until("two webhook messages wait, and grow old", WAIT_TIMEOUT, async || {
        let Some(found) = backlog().await else { return false };
        let webhooks = &found["webhooks"];
        webhooks["messages"] == 2 && webhooks["oldest_seconds"].as_f64() > Some(1.0)
    })
    .await;
    wait_until("the gauges say the same", WAIT_TIMEOUT, async || {
        let metrics = http.get(format!("http://127.0.0.1:{admin}/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let age = metrics
            .lines()
            .find_map(|line| line.strip_prefix("paihao_queue_oldest_seconds{queue=\"webhooks\"} "));
        metrics.contains("paihao_queue_messages{queue=\"webhooks\"} 2")
            && age.and_then(|age| age.parse::<f64>().ok()) > Some(1.0)
    })
    .await;
    drop(program);
}
