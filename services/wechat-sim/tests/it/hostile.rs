//! Tests of hostile pushes against servers that accept, crash on, or refuse everything.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wechat_sim::{PushMode, SimAccount, SimConfig, unseal};

use crate::fake::{FakeBehaviour, FakeGateway, TestClient};

const REPLAY_CASE: &str = "a true push, the second time";

async fn run_hostile(mode: PushMode, behaviour: FakeBehaviour) -> (Value, FakeGateway) {
    let account = SimAccount { mode, ..SimAccount::default() };
    let caller =
        TestClient::new(SimConfig { accounts: vec![account], ..SimConfig::default() }).await;
    let gateway = FakeGateway::new(&[behaviour]).await;
    let report = caller.post("/sim/api/hostile", json!({"url": gateway.url})).await;
    assert_eq!(caller.simulator.stats().pushes, 0, "they are not WeChat's pushes");
    (report, gateway)
}

/// Returns the names of the cases that a correct server would, or would not, have answered so.
fn cases_where(report: &Value, agrees: bool) -> BTreeSet<&str> {
    let cases = report["cases"].as_array().unwrap().iter();
    let matching = cases.filter(|case| case["agrees"] == agrees);
    matching.map(|case| case["what"].as_str().unwrap()).collect()
}

const MODES: [PushMode; 3] = [PushMode::Plain, PushMode::Compatible, PushMode::Secure];

/// Reply to a person, whatever they sent.
const REPLY: &str = "<xml><ToUserName>oHostile000000000000000000001</ToUserName>\
    <FromUserName>gh_1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType>\
    <Content>hello</Content></xml>";

#[tokio::test]
async fn a_server_that_replies_to_everything_is_told_so() {
    let (report, _) = run_hostile(PushMode::Plain, FakeBehaviour::Body(REPLY)).await;
    assert!(cases_where(&report, true).is_subset(&[REPLAY_CASE].into()), "{report}");
}

#[tokio::test]
async fn a_server_that_accepts_everything_is_told_so() {
    for mode in MODES {
        let (report, gateway) = run_hostile(mode, FakeBehaviour::Body("success")).await;
        let cases = report["cases"].as_array().unwrap();
        let unsigned = ["wrong signature, GET", "no signature", "signature of 400 seconds ago"];
        for case in cases {
            let accepts = case["right"].as_array().unwrap().contains(&json!(200));
            assert_eq!(case["agrees"], accepts, "{mode:?}: {case}");
            assert!(!accepts || !unsigned.contains(&case["what"].as_str().unwrap()), "{case}");
        }
        assert_eq!(report["disagreements"], cases_where(&report, false).len());
        assert_eq!(report["mode"], json!(mode));
        let received = gateway.received();
        assert_eq!(received.len(), cases.len() + 1, "one each, and the true one twice");
        assert_eq!(received[cases.len()].body, received[cases.len() - 1].body);
        assert_eq!(received[cases.len()].query, received[cases.len() - 1].query);
        for (case, received) in cases.iter().zip(&received) {
            assert_eq!(
                (&case["method"], &case["query"], &case["sent_bytes"], &case["status"]),
                (
                    &json!(received.method),
                    &json!(received.query),
                    &json!(received.body.len()),
                    &json!(200)
                )
            );
        }
        assert!(cases.iter().any(|case| case["sent_bytes"] == 4 << 20));
    }
}

#[tokio::test]
async fn falling_over_is_never_right() {
    let (report, _) = run_hostile(PushMode::Secure, FakeBehaviour::Status(500)).await;
    assert_eq!(cases_where(&report, true), [].into());
    assert_eq!(report["cases"][0]["right"], json!([401, 403]));
}

#[tokio::test]
async fn neither_is_one_answer_for_all() {
    let (report, _) = run_hostile(PushMode::Secure, FakeBehaviour::Status(403)).await;
    let wrong = cases_where(&report, false);
    for case in ["4 MB", "rightly signed and sealed: a DTD", "padding of 33", REPLAY_CASE] {
        assert!(wrong.contains(case), "{case}: {wrong:?}");
    }
    for case in ["wrong signature, GET", "no signature", "wrong msg_signature, signature right"] {
        assert!(!wrong.contains(case), "{case}: {wrong:?}");
    }
}

#[tokio::test]
async fn a_second_answer_that_differs_from_the_first_is_wrong() {
    let account = SimAccount::default();
    let caller = TestClient::plain().await;
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    let all = caller.simulator.run_hostile(None, None).await;
    assert_eq!(all.unwrap_err(), "no callback address is set");
    caller.simulator.set_callback_urls(Some(&account.appid), [&gateway.url]);
    let count = caller.simulator.run_hostile(None, None).await.unwrap().cases.len();
    let mut script = vec![FakeBehaviour::Body("success"); count];
    script.push(FakeBehaviour::Body(""));
    let gateway = FakeGateway::new(&script).await;
    caller.simulator.set_callback_urls(None, [&gateway.url]);
    let report = caller.simulator.run_hostile(None, None).await.unwrap();
    let last = report.cases.last().unwrap();
    assert_eq!((last.description, last.status, last.agrees), (REPLAY_CASE, Some(200), false));
    assert!(last.problem.as_ref().unwrap().contains("Success"), "{last:?}");
}

#[tokio::test]
async fn they_are_as_hostile_as_they_say_and_no_more() {
    let (report, gateway) = run_hostile(PushMode::Secure, FakeBehaviour::Body("success")).await;
    let SimAccount { aes_key, appid, .. } = SimAccount::default();
    let cases = report["cases"].as_array().unwrap();
    for (case, received) in cases.iter().zip(gateway.received()) {
        let description = case["what"].as_str().unwrap();
        let encrypt = received.body.split("<Encrypt><![CDATA[").nth(1);
        let encrypt = encrypt.and_then(|tail| tail.split("]]>").next());
        let opened = encrypt.map(|encrypt| unseal(&aes_key, &appid, encrypt));
        let expected = match description {
            "sealed for another appid" => Some("the appid in Encrypt is another"),
            "padding of 0" | "padding of 33" | "padding of 200" => {
                Some("the padding of Encrypt is wrong")
            }
            "a length beyond the end" => Some("the length in Encrypt is wrong"),
            "a length that cuts the message" => Some("the appid in Encrypt is another"),
            "Encrypt that is no base64" => Some("Encrypt is not base64"),
            "Encrypt that is empty" => Some("Encrypt is no multiple of 32 bytes"),
            "sealed with another key" => {
                assert!(opened.unwrap().is_err());
                continue;
            }
            _ => None,
        };
        match (opened, expected) {
            (Some(opened), Some(expected)) => assert_eq!(opened, Err(expected), "{description}"),
            (opened, None) => assert!(opened.is_none_or(|opened| opened.is_ok()), "{description}"),
            (None, Some(_)) => panic!("{description}: nothing is sealed"),
        }
    }
}
