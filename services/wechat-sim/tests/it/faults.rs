//! Trouble on command.

use std::time::{Duration, Instant};

use serde_json::json;
use wechat_sim::{Effect, Fault, Refusal};

use crate::fake::{Caller, SEND};

const O: &str = "oPaihaoTest0000000000000001";

async fn caller() -> Caller {
    let caller = Caller::plain().await;
    caller.wechat.set_person(None, O, true, Refusal::No);
    caller
}

#[tokio::test]
async fn an_error_code_so_many_times() {
    let caller = caller().await;
    caller.wechat.add_fault(Fault::errcode(SEND, -1).times(2));
    for expected in [-1, -1, 0] {
        assert_eq!(caller.send(O, json!({})).await["errcode"], expected);
    }
    caller.wechat.add_fault(Fault::errcode(SEND, 43117).containing("oSomebodyElse"));
    assert_eq!(caller.send(O, json!({})).await["errcode"], 0);
    assert_eq!(caller.wechat.messages(O).len(), 2);
    assert_eq!(caller.wechat.stats().calls[SEND], 4);
}

#[tokio::test]
async fn an_accepted_message_whose_answer_is_lost() {
    let caller = caller().await;
    caller.wechat.add_fault(Fault::new(SEND, Effect::Drop).after().times(1));
    let url = format!("{}{SEND}?access_token={}", caller.wechat.base_url(), caller.token);
    let lost = caller.http.post(url).json(&json!({
        "touser": O,
        "template_id": wechat_sim::SimTemplate::DEMO_CALLED,
        "client_msg_id": "m",
        "data": {
            "thing1": {"value": "a"}, "thing3": {"value": "b"},
            "character_string2": {"value": "A1"}, "time4": {"value": "10:20"},
        },
    }));
    assert!(lost.send().await.is_err(), "the connection was cut");
    assert_eq!(caller.wechat.messages(O).len(), 1, "and yet it was accepted");
    assert_eq!(caller.send(O, json!({"client_msg_id": "m"})).await["errcode"], 0);
    assert_eq!(caller.wechat.messages(O).len(), 1);
}

#[tokio::test]
async fn delays_statuses_and_refused_connections() {
    let caller = caller().await;
    caller.wechat.add_fault(Fault::new("*", Effect::Delay { ms: 60 }).times(1));
    let began = Instant::now();
    caller.send(O, json!({})).await;
    assert!(began.elapsed() >= Duration::from_millis(60));

    caller.wechat.add_fault(Fault::new("*", Effect::Http { status: 502 }));
    let url = format!("{}/cgi-bin/token", caller.wechat.base_url());
    assert_eq!(caller.http.get(&url).send().await.unwrap().status(), 502);
    caller.wechat.clear_faults();

    caller.wechat.refuse_connections(true);
    assert!(caller.http.get(&url).send().await.is_err());
    let fresh = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    crate::send::until(|| {
        std::net::TcpStream::connect(caller.wechat.base_url().trim_start_matches("http://"))
            .is_err()
    })
    .await;
    assert!(fresh.get(&url).send().await.unwrap_err().is_connect());
    caller.wechat.refuse_connections(false);
    crate::send::until(|| {
        std::net::TcpStream::connect(caller.wechat.base_url().trim_start_matches("http://")).is_ok()
    })
    .await;
    assert_eq!(caller.http.get(&url).send().await.unwrap().status(), 200);
    caller.wechat.stop().await;
    assert!(caller.http.get(&url).send().await.is_err(), "stopped");
}
