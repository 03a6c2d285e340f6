//! Tests of free texts, subscription notices, people, web pages and quotas.

use std::time::Duration;

use serde_json::{Value, json};
use wechat_sim::{
    ChatContent, Effect, Fault, Quotas, Refusal, SimAccount, SimConfig, SimTemplate, Throttle,
    WindowPolicy,
};

use crate::fake::{FakeBehaviour, FakeGateway, TestClient};

const OPENID: &str = "oPaihaoTest0000000000000001";
const TEXT: &str = "/cgi-bin/message/custom/send";
const NOTICE: &str = "/cgi-bin/message/subscribe/bizsend";

fn errcode(answer: &Value) -> i64 {
    answer["errcode"].as_i64().unwrap_or(0)
}

async fn text(caller: &TestClient, to: &str) -> i64 {
    let body = json!({"touser": to, "msgtype": "text", "text": {"content": "您好"}});
    errcode(&caller.with_token(TEXT, body).await)
}

async fn get(caller: &TestClient, path: &str, query: &str) -> Value {
    caller.get(&format!("{path}?access_token={}{query}", caller.token)).await
}

#[tokio::test]
async fn free_texts_follow_what_the_customer_did() {
    let caller = TestClient::plain().await;
    assert_eq!(text(&caller, OPENID).await, 40003);
    caller.simulator.set_person(None, OPENID, true, Refusal::No);
    assert_eq!(text(&caller, OPENID).await, 45015);
    let code = caller.code("q", 600).await;
    caller.simulator.scan(OPENID, &code, Default::default()).await;
    for expected in [0, 0, 0, 45047] {
        assert_eq!(text(&caller, OPENID).await, expected);
    }
    caller.simulator.advance_clock(Duration::from_secs(61));
    assert_eq!(text(&caller, OPENID).await, 45015);
    caller.simulator.send_text(None, OPENID, "排队", Default::default()).await.unwrap();
    caller.simulator.advance_clock(Duration::from_secs(3600));
    assert_eq!(text(&caller, OPENID).await, 0, "two days");
    caller.simulator.change_behaviour(|behaviour| behaviour.windows = WindowPolicy::NewestOnly);
    caller.simulator.scan(OPENID, &caller.code("r", 600).await, Default::default()).await;
    for expected in [0, 0, 0, 45047] {
        assert_eq!(text(&caller, OPENID).await, expected);
    }
    caller.simulator.advance_clock(Duration::from_secs(61));
    caller.simulator.click(None, OPENID, "MENU", Default::default()).await.unwrap();
    for expected in [0, 0, 0, 45047] {
        assert_eq!(text(&caller, OPENID).await, expected, "a tap on the menu counts like a scan");
    }
    caller.simulator.unfollow(None, OPENID).await;
    assert_eq!(text(&caller, OPENID).await, 45015);
    let chat = caller.simulator.chat(OPENID);
    let is_greeting = |line: &&std::sync::Arc<wechat_sim::ChatLine>| match &line.content {
        ChatContent::Service { text } => text == "您好",
        _ => false,
    };
    assert_eq!(chat.iter().filter(is_greeting).count(), 10);
    assert_eq!(caller.simulator.stats().texts_sent, 10);
    let wrong = json!({"touser": OPENID, "msgtype": "wxcard"});
    assert_eq!(errcode(&caller.with_token(TEXT, wrong).await), 40008);
}

#[tokio::test]
async fn a_subscription_notice_needs_an_agreement_each() {
    let caller = TestClient::plain().await;
    caller.simulator.set_person(None, OPENID, false, Refusal::No);
    let body = |template: &str| {
        json!({"touser": OPENID, "template_id": template, "data": {
            "thing1": {"value": "和平门诊"}, "thing3": {"value": "3号窗口"},
            "character_string2": {"value": "A012"}, "time4": {"value": "10:20"},
        }})
    };
    let send = |template| caller.with_token(NOTICE, body(template));
    assert_eq!(errcode(&send(SimTemplate::DEMO_SUBSCRIPTION_CALLED).await), 43101);
    let agree = json!({"openid": OPENID, "template_id": SimTemplate::DEMO_SUBSCRIPTION_CALLED});
    caller.post("/sim/api/agree", agree).await;
    let sent = send(SimTemplate::DEMO_SUBSCRIPTION_CALLED).await;
    assert_eq!((errcode(&sent), sent.get("msgid")), (0, None));
    assert_eq!(errcode(&send(SimTemplate::DEMO_SUBSCRIPTION_CALLED).await), 43101);
    assert_eq!(errcode(&send("another").await), 40037);
    let mut wrong = body(SimTemplate::DEMO_SUBSCRIPTION_CALLED);
    wrong["data"]["time4"]["value"] = "soon".into();
    let refused = caller.with_token(NOTICE, wrong).await;
    assert!(refused["errmsg"].as_str().unwrap().starts_with("argument invalid! data.time4.value"));
    assert_eq!(caller.simulator.stats().notices_sent, 1);
}

#[tokio::test]
async fn a_subscription_notice_has_a_receipt_of_its_own() {
    let caller = TestClient::plain().await;
    let gateway = FakeGateway::new(&[FakeBehaviour::Body("success")]).await;
    caller.simulator.set_callback_urls(None, [&gateway.url]);
    caller.simulator.set_person(None, OPENID, true, Refusal::No);
    caller.simulator.grant_notices(None, OPENID, SimTemplate::DEMO_SUBSCRIPTION_CALLED, 3);
    let notice = json!({"touser": OPENID, "template_id": SimTemplate::DEMO_SUBSCRIPTION_CALLED, "data": {
        "thing1": {"value": "和平门诊"}, "thing3": {"value": "3号窗口"},
        "character_string2": {"value": "A012"}, "time4": {"value": "10:20"},
    }});
    let change = json!({"receipt": {"before_answer": true, "copies": 2}});
    caller.post("/sim/api/behaviour", change).await;
    assert_eq!(errcode(&caller.with_token(NOTICE, notice.clone()).await), 0);
    let received = gateway.received();
    assert_eq!(received.len(), 2, "twice, and before the answer");
    let receipt = &received[0].body;
    assert!(receipt.contains("<Event><![CDATA[subscribe_msg_sent_event]]></Event>\n"), "{receipt}");
    let id = receipt.split("<MsgID>").nth(1).unwrap().split('<').next().unwrap();
    assert!(id.parse::<u64>().unwrap() > 1 << 53, "{receipt}");
    let item = format!(
        "<SubscribeMsgSentEvent>\n<List>\n<TemplateId><![CDATA[{}]]></TemplateId>\n<MsgID>{id}</MsgID>\n\
         <ErrorCode>0</ErrorCode>\n<ErrorStatus><![CDATA[success]]></ErrorStatus>\n</List>\n</SubscribeMsgSentEvent>",
        SimTemplate::DEMO_SUBSCRIPTION_CALLED
    );
    assert!(receipt.contains(&item), "{receipt}");
    caller.simulator.set_person(None, OPENID, true, Refusal::InReceipt);
    assert_eq!(errcode(&caller.with_token(NOTICE, notice.clone()).await), 0);
    assert!(gateway.received()[2].body.contains("<ErrorCode>1</ErrorCode>"));
    caller.simulator.set_person(None, OPENID, true, Refusal::AtOnce);
    assert_eq!(errcode(&caller.with_token(NOTICE, notice).await), 43101);
}

#[tokio::test]
async fn messages_to_one_person_can_be_throttled() {
    let caller = TestClient::plain().await;
    caller.simulator.set_person(None, OPENID, true, Refusal::No);
    let within = Duration::from_secs(600);
    let throttle = Throttle { same_in_a_minute: true, max_messages: 2, within };
    caller.simulator.change_behaviour(|behaviour| behaviour.throttle = Some(throttle));
    let one = json!({"client_msg_id": "m1"});
    assert_eq!(errcode(&caller.send(OPENID, one.clone()).await), 0);
    assert_eq!(errcode(&caller.send(OPENID, one).await), 0, "a known id is answered as before");
    assert_eq!(errcode(&caller.send(OPENID, json!({"client_msg_id": "m2"})).await), 40241);
    caller.simulator.advance_clock(Duration::from_secs(60));
    assert_eq!(
        errcode(&caller.send(OPENID, json!({"client_msg_id": "m2"})).await),
        0,
        "nothing was sent before"
    );
    caller.simulator.advance_clock(Duration::from_secs(60));
    assert_eq!(errcode(&caller.send(OPENID, json!({})).await), 43117);
    assert_eq!(caller.simulator.messages(OPENID).len(), 2);
    let no_throttle = json!({"throttle": {}});
    caller.post("/sim/api/behaviour", no_throttle).await;
    assert_eq!(errcode(&caller.send(OPENID, json!({})).await), 0);
}

#[tokio::test]
async fn a_follower_is_known_by_the_code_they_came_by() {
    let caller = TestClient::plain().await;
    let info = |openid: &'static str| {
        get(
            &caller,
            "/cgi-bin/user/info",
            if openid == OPENID {
                "&openid=oPaihaoTest0000000000000001"
            } else {
                "&openid=oNobody"
            },
        )
    };
    assert_eq!(errcode(&info("oNobody").await), 40003);
    caller.simulator.scan(OPENID, &caller.code("hall/a", 600).await, Default::default()).await;
    let user = info(OPENID).await;
    assert!(user.get("errcode").is_none() && user["subscribe_time"].as_u64().unwrap() > 0);
    assert_eq!((&user["subscribe"], &user["qr_scene_str"]), (&json!(1), &json!("hall/a")));
    caller.simulator.unfollow(None, OPENID).await;
    assert_eq!(info(OPENID).await, json!({"subscribe": 0, "openid": OPENID}));
}

#[tokio::test]
async fn a_visitor_of_a_page_is_known_by_a_code_that_works_once() {
    let caller = TestClient::plain().await;
    let defaults = SimAccount::default();
    let redirecting = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let open = |more: &'static str| {
        let url = format!(
            "{}/connect/oauth2/authorize?appid={}&redirect_uri=https%3A%2F%2Fhall.example%2Ft%3Fa%3D1&response_type=code&scope=snsapi_base&state=s1{more}#wechat_redirect",
            caller.simulator.base_url(),
            defaults.appid
        );
        let client = redirecting.clone();
        async move { client.get(url).send().await.unwrap() }
    };
    let exchange = |code: String| {
        let query = format!("appid={}&secret={}&code={code}", defaults.appid, defaults.secret);
        let path = format!("/sns/oauth2/access_token?{query}&grant_type=authorization_code");
        let caller = &caller;
        async move { caller.get(&path).await }
    };
    let sent_to = open("&sim_openid=oA").await;
    assert_eq!(sent_to.status(), 302);
    let back = sent_to.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        back.starts_with("https://hall.example/t?a=1&code=") && back.ends_with("&state=s1"),
        "{back}"
    );
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let visitor = exchange(code.clone()).await;
    assert_eq!((&visitor["openid"], visitor.get("is_snapshotuser")), (&json!("oA"), None));
    assert_eq!(errcode(&exchange(code).await), 40163);
    assert_eq!(errcode(&exchange("x".into()).await), 40029);
    assert_eq!(errcode(&exchange(String::new()).await), 41008);
    let preview = open("&sim_preview=1").await.headers()["location"].to_str().unwrap().to_owned();
    let code = preview.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(exchange(code).await["is_snapshotuser"], 1);
    let wrong = caller.simulator.base_url() + "/connect/oauth2/authorize?appid=";
    assert!(redirecting.get(wrong).send().await.unwrap().text().await.unwrap().contains("10012"));
}

#[tokio::test]
async fn quotas_are_told_used_up_and_set_back() {
    let quotas = Quotas { codes_per_day: 1, clears_per_month: 2, ..Quotas::default() };
    let caller = TestClient::new(SimConfig { quotas, ..SimConfig::default() }).await;
    let defaults = SimAccount::default();
    let quota = |path: &'static str| {
        caller.with_token("/cgi-bin/openapi/quota/get", json!({"cgi_path": path}))
    };
    let code = || async {
        let scene = json!({"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "q"}}});
        errcode(&caller.with_token("/cgi-bin/qrcode/create", scene).await)
    };
    assert_eq!([code().await, code().await], [0, 45009]);
    let body = quota("/cgi-bin/qrcode/create").await;
    assert_eq!(body["quota"], json!({"daily_limit": 1, "used": 1, "remain": 0}));
    assert_eq!(errcode(&quota("cgi-bin/qrcode/create").await), 76021);
    assert_eq!(errcode(&quota("/sns/oauth2/access_token").await), 76022);

    let clear = || caller.with_token("/cgi-bin/clear_quota", json!({"appid": defaults.appid}));
    assert_eq!(
        errcode(&caller.with_token("/cgi-bin/clear_quota", json!({"appid": "wx0"})).await),
        40013
    );
    assert_eq!(errcode(&clear().await), 0);
    assert_eq!([code().await, code().await], [0, 45009]);
    let by_secret = json!({"appid": defaults.appid, "appsecret": defaults.secret});
    assert_eq!(errcode(&caller.post("/cgi-bin/clear_quota/v2", by_secret).await), 0);
    assert_eq!(code().await, 0);
    assert_eq!(errcode(&clear().await), 48006, "a month has so many");
    assert_eq!(code().await, 45009);
    caller.post("/sim/api/quotas/clear", json!({})).await;
    assert_eq!(code().await, 0, "but the console can");
}

#[tokio::test]
async fn calls_a_minute_the_address_list_and_a_new_secret() {
    let quotas = Quotas { calls_per_minute: 3, ..Quotas::default() };
    let caller = TestClient::new(SimConfig { quotas, ..SimConfig::default() }).await;
    let mut errcodes = Vec::new();
    // The clock may have stepped into the next minute between the calls.
    for _ in 0..8 {
        errcodes.push(errcode(&get(&caller, "/cgi-bin/getcallbackip", "").await));
    }
    assert!(errcodes.contains(&45011) && errcodes.contains(&0), "{errcodes:?}");
    caller.simulator.change_behaviour(|behaviour| behaviour.address_listed = false);
    let refused = caller.stable(json!({})).await;
    assert!(refused["errmsg"].as_str().unwrap().starts_with("invalid ip 203.0.113.7"), "{refused}");
    assert_eq!(errcode(&refused), 40164);
    assert_eq!(errcode(&get(&caller, "/cgi-bin/getcallbackip", "").await), 40164);
    caller.simulator.change_behaviour(|behaviour| behaviour.address_listed = true);
    caller.post("/sim/api/secret", json!({"secret": "another"})).await;
    assert_eq!(errcode(&caller.stable(json!({})).await), 40125);
    assert_eq!(errcode(&caller.stable(json!({"secret": "another"})).await), 0);
}

#[tokio::test]
async fn answers_can_be_dirty_or_anything() {
    let caller = TestClient::plain().await;
    caller.simulator.change_behaviour(|behaviour| behaviour.dirty = true);
    let url = format!(
        "{}/cgi-bin/getcallbackip?access_token={}",
        caller.simulator.base_url(),
        caller.token
    );
    let bytes = caller.http.get(&url).send().await.unwrap().bytes().await.unwrap();
    assert!(bytes.contains(&0x14) && std::str::from_utf8(&bytes).is_err());
    assert!(String::from_utf8_lossy(&bytes).ends_with("\"ip_list\":[\"127.0.0.1\"]}"));
    let says = Effect::Text { text: "{\"errcode\":\"odd\"}".into() };
    caller.simulator.add_fault(Fault::new("/cgi-bin/getcallbackip", says).times(1));
    let text = caller.http.get(&url).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, "{\"errcode\":\"odd\"}");
}

#[tokio::test]
async fn a_page_ticket_is_the_same_until_it_ends() {
    let caller = TestClient::plain().await;
    let ticket = || get(&caller, "/cgi-bin/ticket/getticket", "&type=jsapi");
    let first = ticket().await;
    assert_eq!((errcode(&first), first["errmsg"].as_str()), (0, Some("ok")));
    assert_eq!(ticket().await["ticket"], first["ticket"]);
    // The access token ends with the ticket's two hours, so the calls go on with a fresh stable
    // token.
    caller.simulator.advance_clock(Duration::from_secs(7_100));
    let token = caller.stable(json!({})).await["access_token"].as_str().unwrap().to_owned();
    caller.simulator.advance_clock(Duration::from_secs(150));
    let path = format!("/cgi-bin/ticket/getticket?type=jsapi&access_token={token}");
    assert_ne!(caller.get(&path).await["ticket"], first["ticket"]);
}
