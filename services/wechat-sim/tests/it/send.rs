//! Tests of template messages.

use std::time::Duration;

use serde_json::{Value, json};
use wechat_sim::{
    ChatContent, OnDuplicate, Receipt, ReceiptStatus, Refusal, SimConfig, SimTemplate,
};

use crate::fake::{FakeBehaviour, FakeGateway, TestClient};

const OPENID: &str = "oPaihaoTest0000000000000001";

async fn test_client() -> TestClient {
    let caller = TestClient::plain().await;
    caller.simulator.set_person(None, OPENID, true, Refusal::No);
    caller
}

fn errcode(answer: &Value) -> i64 {
    answer["errcode"].as_i64().unwrap()
}

#[tokio::test]
async fn an_accepted_message_is_on_the_phone() {
    let caller = test_client().await;
    let answer = caller.send(OPENID, json!({"client_msg_id": "m1"})).await;
    assert_eq!((errcode(&answer), answer["errmsg"].as_str()), (0, Some("ok")));
    let messages = caller.simulator.messages(OPENID);
    assert_eq!(messages.len(), 1);
    assert_eq!(answer["msgid"].as_u64(), Some(messages[0].msgid));
    assert!(messages[0].msgid > 1 << 53);
    assert_eq!(messages[0].data["character_string2"], "A012");
    let chat = caller.simulator.chat(OPENID);
    let ChatContent::Card { title, fields, .. } = &chat[0].content else { panic!("{chat:?}") };
    assert_eq!(title, "叫号通知");
    assert_eq!(fields[2], ("办理窗口".to_owned(), "3号窗口".to_owned()));
}

#[tokio::test]
async fn a_client_msg_id_sends_once_in_ten_minutes() {
    let caller = test_client().await;
    let send = || caller.send(OPENID, json!({"client_msg_id": "m1"}));
    let first = send().await;
    assert_eq!(send().await, first, "errcode 0 with the first msgid");
    caller
        .simulator
        .change_behaviour(|behaviour| behaviour.duplicate = OnDuplicate::Errcode(40241));
    assert_eq!(errcode(&send().await), 40241);
    assert_eq!(caller.simulator.messages(OPENID).len(), 1);
    caller.simulator.advance_clock(Duration::from_secs(601));
    // The token is still valid after the ten minutes.
    assert_eq!(errcode(&send().await), 0);
    assert_eq!(caller.simulator.messages(OPENID).len(), 2);
    let stats = caller.simulator.stats();
    assert_eq!((stats.messages_accepted, stats.messages_repeated), (2, 2));
}

#[tokio::test]
async fn concurrent_sends_of_one_id_are_one_message() {
    let caller = test_client().await;
    let sends = (0..32).map(|_| caller.send(OPENID, json!({"client_msg_id": "same"})));
    let answers = futures::future::join_all(sends).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(caller.simulator.messages(OPENID).len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_its_code() {
    let caller = test_client().await;
    caller.simulator.set_person(None, "oGone", false, Refusal::No);
    caller.simulator.set_person(None, "oRefuses", true, Refusal::AtOnce);
    for (openid, change, code) in [
        ("oNobody", json!({}), 40003),
        ("oGone", json!({}), 43004),
        ("oRefuses", json!({}), 43101),
        (OPENID, json!({"template_id": ""}), 40036),
        (OPENID, json!({"template_id": "another"}), 40037),
        (OPENID, json!({"data": null}), 47001),
        (OPENID, json!({"data": {}}), 47003),
    ] {
        assert_eq!(errcode(&caller.send(openid, change.clone()).await), code, "{change}");
    }
    let mut data = json!({
        "thing1": {"value": "和平门诊"}, "thing3": {"value": "3号窗口"},
        "character_string2": {"value": "测试单号"}, "time4": {"value": "10:20"},
    });
    let refused = caller.send(OPENID, json!({ "data": data })).await;
    let text = refused["errmsg"].as_str().unwrap();
    assert!(
        text.starts_with("argument invalid! data.character_string2.value invalid rid: "),
        "{text}"
    );
    data["character_string2"] = json!({"value": "A012"});
    let url = format!("{}?access_token=98_old", crate::fake::SEND);
    assert_eq!(errcode(&caller.post(&url, json!({ "data": data })).await), 40001);
    assert!(caller.simulator.messages(OPENID).is_empty());
    let stats = caller.simulator.stats();
    assert_eq!(stats.messages_refused[&47003], 2);
    assert_eq!(stats.messages_accepted, 0);
}

#[tokio::test]
async fn a_receipt_follows_the_message() {
    let caller = test_client().await;
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    caller.simulator.set_callback_urls(None, [&gateway.url]);
    caller.simulator.change_behaviour(|behaviour| {
        behaviour.receipt = Receipt { delay: Duration::ZERO, copies: 2, ..Receipt::default() };
    });
    let msgid = caller.send(OPENID, json!({})).await["msgid"].clone();
    wait_until(|| gateway.received().len() == 2).await;
    let body = &gateway.received()[0].body;
    assert!(
        body.contains(&format!(
            "<MsgID>{msgid}</MsgID>\n<Status><![CDATA[success]]></Status>\n</xml>"
        )),
        "{body}"
    );
    assert!(body.contains("<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"));

    caller
        .simulator
        .change_behaviour(|behaviour| behaviour.receipt.status = ReceiptStatus::FreqLimit);
    caller.simulator.change_behaviour(|behaviour| behaviour.receipt.before_answer = true);
    caller.send(OPENID, json!({})).await;
    assert_eq!(gateway.received().len(), 4, "they came before the answer");
    assert!(gateway.received()[3].body.contains("failed:freq limit"));

    caller.simulator.set_person(None, OPENID, true, Refusal::InReceipt);
    caller.send(OPENID, json!({})).await;
    assert!(gateway.received()[5].body.contains("failed:user block"));

    caller.simulator.change_behaviour(|behaviour| behaviour.receipt.zero_id = true);
    caller.send(OPENID, json!({"client_msg_id": "m1"})).await;
    assert!(gateway.received()[7].body.contains("<MsgID>0</MsgID>"));
    caller.send(OPENID, json!({})).await;
    assert!(!gateway.received()[9].body.contains("<MsgID>0</MsgID>"), "it had no such id");
}

#[tokio::test]
async fn with_no_template_registered_any_is_taken() {
    let config =
        SimConfig { templates: Vec::new(), everybody_follows: true, ..SimConfig::default() };
    let caller = TestClient::new(config).await;
    let answer =
        caller.send("oNew", json!({"template_id": "T", "data": {"x": {"value": 7}}})).await;
    assert_eq!(errcode(&answer), 0);
    assert_eq!(caller.simulator.messages("oNew")[0].data["x"], "7");
    assert_eq!(caller.simulator.stats().messages_by_template["T"], 1);
}

#[tokio::test]
async fn the_templates_can_be_listed() {
    let caller = test_client().await;
    let path = format!("/cgi-bin/template/get_all_private_template?access_token={}", caller.token);
    let list = caller.get(&path).await;
    assert_eq!(list["template_list"][1]["template_id"], SimTemplate::DEMO_CALLED);
    let content = list["template_list"][1]["content"].as_str().unwrap();
    assert!(content.contains("排队号码：{{character_string2.DATA}}\n"), "{content}");
}

/// Waits until a condition holds.
pub(crate) async fn wait_until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never came");
}
