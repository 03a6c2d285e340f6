//! Test of webhooks: signed delivery of events, and their replay.

use crate::support::gateway::{HALL, NO_WECHAT, process_configuration, start_program};
use crate::support::http::{client, send_json, staff_request};
use harness::{free_port, wait_until};
use paihao_chassis::config::SecretText;
use paihao_notifier::webhooks::signature::sign;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const STAFF_KEY: &str = "a-key-of-the-tests-alone";
const WEBHOOK_SECRET: &str = "a-secret-of-the-tests-alone";

/// Starts a receiver that refuses the first message. Returns its URL and a channel of signatures
/// and bodies.
async fn start_receiver() -> (String, mpsc::UnboundedReceiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut refused = false;
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut length = 0;
            let mut signature = String::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    if line.trim_end().is_empty() {
                        break;
                    }
                    continue;
                };
                match &*name.to_ascii_lowercase() {
                    "content-length" => length = value.parse().unwrap(),
                    "paihao-signature" => signature = value.to_owned(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let status = if std::mem::replace(&mut refused, true) {
                sender.send((signature, String::from_utf8(body).unwrap())).unwrap();
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            let response =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    (url, receiver)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_delivered_signed_and_replayed_on_request() {
    let (hook, mut receiver) = start_receiver().await;
    let port = free_port();
    let admin = free_port();
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
        url = '{hook}'
        secret = '{WEBHOOK_SECRET}'
        events = ['counter_opened', 'counter_closed']
        "
    );
    let program = start_program(&text);
    let http = client();
    let live = format!("http://127.0.0.1:{admin}/live");
    wait_until("the program is live", Duration::from_secs(30), async || {
        http.get(&live).send().await.is_ok_and(|response| response.status() == StatusCode::OK)
    })
    .await;
    let site = format!("http://127.0.0.1:{port}/api/v1/sites/hall");
    let act = async |action: &str| {
        let url = format!("{site}/counters/1/{action}");
        let (status, response) = send_json(staff_request(&http, STAFF_KEY, &url, action)).await;
        assert_eq!(status, StatusCode::OK, "{response}");
    };
    let mut next = async || {
        let received = tokio::time::timeout(Duration::from_secs(60), receiver.recv()).await;
        let (signature, body) = received.expect("a message in time").expect("a running receiver");
        let t = signature.strip_prefix("t=").unwrap().split_once(',').unwrap().0;
        let secret = SecretText::new(WEBHOOK_SECRET);
        assert_eq!(sign(&[secret], t.parse().unwrap(), body.as_bytes()), signature);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    act("open").await;
    let opened = next().await;
    assert_eq!((&opened["type"], &opened["counter"]), (&"counter_opened".into(), &"1".into()));
    assert_eq!(opened.get("replay"), None);
    act("close").await;
    assert_eq!(next().await["type"], "counter_closed");

    let replay = format!("{site}/webhooks/crm/replay");
    let at = opened["at"].as_i64().unwrap();
    let time = |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
    let range = json!({"from": time(at), "to": time(at + 1)});
    for _ in 0..2 {
        // A request with the same idempotency key is executed once.
        let request = staff_request(&http, STAFF_KEY, &replay, "again").body(range.to_string());
        assert_eq!(send_json(request).await, (StatusCode::ACCEPTED, json!({"queued": 1})));
    }
    let repeated = next().await;
    assert_eq!((&repeated["id"], &repeated["replay"]), (&opened["id"], &true.into()));

    let test = staff_request(&http, STAFF_KEY, &format!("{site}/webhooks/crm/test"), "test");
    let (status, tested) = send_json(test).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{tested}");
    let received = next().await;
    assert_eq!((&received["type"], &received["id"]), (&"webhook_test".into(), &tested["id"]));
    let deliveries = format!("{site}/webhooks/crm/deliveries");
    wait_until("the deliveries are listed", Duration::from_secs(30), async || {
        let (_, listed) = send_json(http.get(&deliveries).bearer_auth(STAFF_KEY)).await;
        let newest = &listed["deliveries"][0];
        newest["id"] == tested["id"] && newest["status"] == 200 && listed["paused"] == false
    })
    .await;

    let other = json!({"from": time(at - 1)}).to_string();
    let refused = [
        (
            staff_request(&http, STAFF_KEY, &replay, "again").body(other.clone()),
            "idempotency_key_reused",
        ),
        (staff_request(&http, "wrong", &replay, "x").body(other.clone()), "unauthorised"),
        (
            staff_request(&http, STAFF_KEY, &replay.replace("crm", "no"), "x").body(other),
            "unknown_webhook",
        ),
        (
            staff_request(&http, STAFF_KEY, &replay, "x").body(r#"{"from":"2026-01-01T00:00"}"#),
            "past_gone",
        ),
        (
            staff_request(&http, STAFF_KEY, &replay, "x").body(r#"{"from":"9999"}"#),
            "malformed_request",
        ),
    ];
    for (request, code) in refused {
        let (_, problem) = send_json(request).await;
        assert_eq!(problem["code"], code, "{problem}");
    }
    let range = json!({"from": time(at)}).to_string();
    let request = staff_request(&http, STAFF_KEY, &replay, "all").body(range);
    assert_eq!(send_json(request).await.1, json!({"queued": 2}));
    let received = [next().await, next().await];
    assert!(received.iter().all(|event| event["replay"] == true), "{received:?}");
    let metrics = http.get(format!("http://127.0.0.1:{admin}/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains(r#"paihao_webhooks_total{hook="hall/crm",result="failed"} 1"#),
        "{metrics}"
    );
    assert!(!program.output().contains(WEBHOOK_SECRET), "the secret is logged");
}
