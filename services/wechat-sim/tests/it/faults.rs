//! Tests of injected faults.

use std::time::{Duration, Instant};

use serde_json::json;
use wechat_sim::{Effect, Fault, Refusal};

use crate::fake::{SEND, TestClient};

const OPENID: &str = "oPaihaoTest0000000000000001";

async fn test_client() -> TestClient {
    let caller = TestClient::plain().await;
    caller.simulator.set_person(None, OPENID, true, Refusal::No);
    caller
}

#[tokio::test]
async fn an_error_code_so_many_times() {
    let caller = test_client().await;
    caller.simulator.add_fault(Fault::errcode(SEND, -1).times(2));
    for expected in [-1, -1, 0] {
        assert_eq!(caller.send(OPENID, json!({})).await["errcode"], expected);
    }
    caller.simulator.add_fault(Fault::errcode(SEND, 43117).containing("oSomebodyElse"));
    assert_eq!(caller.send(OPENID, json!({})).await["errcode"], 0);
    assert_eq!(caller.simulator.messages(OPENID).len(), 2);
    assert_eq!(caller.simulator.stats().calls[SEND], 4);
}

#[tokio::test]
async fn an_accepted_message_whose_answer_is_lost() {
    let caller = test_client().await;
    caller.simulator.add_fault(Fault::new(SEND, Effect::Drop).after().times(1));
    let url = format!("{}{SEND}?access_token={}", caller.simulator.base_url(), caller.token);
    let request = caller.http.post(url).json(&json!({
        "touser": OPENID,
        "template_id": wechat_sim::SimTemplate::DEMO_CALLED,
        "client_msg_id": "m",
        "data": {
            "thing1": {"value": "a"}, "thing3": {"value": "b"},
            "character_string2": {"value": "A1"}, "time4": {"value": "10:20"},
        },
    }));
    assert!(request.send().await.is_err(), "the connection was cut");
    assert_eq!(caller.simulator.messages(OPENID).len(), 1, "and yet it was accepted");
    assert_eq!(caller.send(OPENID, json!({"client_msg_id": "m"})).await["errcode"], 0);
    assert_eq!(caller.simulator.messages(OPENID).len(), 1);
}

#[tokio::test]
async fn delays_statuses_and_refused_connections() {
    let caller = test_client().await;
    caller.simulator.add_fault(Fault::new("*", Effect::Delay { ms: 60 }).times(1));
    let started = Instant::now();
    caller.send(OPENID, json!({})).await;
    assert!(started.elapsed() >= Duration::from_millis(60));

    caller.simulator.add_fault(Fault::new("*", Effect::Http { status: 502 }));
    let url = format!("{}/cgi-bin/token", caller.simulator.base_url());
    assert_eq!(caller.http.get(&url).send().await.unwrap().status(), 502);
    caller.simulator.clear_faults();

    caller.simulator.refuse_connections(true);
    assert!(caller.http.get(&url).send().await.is_err());
    let fresh = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    crate::send::wait_until(|| {
        std::net::TcpStream::connect(caller.simulator.base_url().trim_start_matches("http://"))
            .is_err()
    })
    .await;
    assert!(fresh.get(&url).send().await.unwrap_err().is_connect());
    caller.simulator.refuse_connections(false);
    crate::send::wait_until(|| {
        std::net::TcpStream::connect(caller.simulator.base_url().trim_start_matches("http://"))
            .is_ok()
    })
    .await;
    assert_eq!(caller.http.get(&url).send().await.unwrap().status(), 200);
    caller.simulator.stop().await;
    assert!(caller.http.get(&url).send().await.is_err(), "stopped");
}
