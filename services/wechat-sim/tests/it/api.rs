//! Tests of tokens and codes.

use std::time::Duration;

use serde_json::{Value, json};
use wechat_sim::{Quotas, SimAccount, SimConfig, TokenInvalidation};

use crate::fake::TestClient;

fn errcode(answer: &Value) -> i64 {
    answer["errcode"].as_i64().unwrap_or(0)
}

async fn classic(caller: &TestClient) -> Value {
    let defaults = SimAccount::default();
    let query = format!("appid={}&secret={}", defaults.appid, defaults.secret);
    caller.get(&format!("/cgi-bin/token?grant_type=client_credential&{query}")).await
}

/// Returns the error code of a call with this token.
async fn errcode_for_token(caller: &TestClient, token: &str) -> i64 {
    errcode(&caller.get(&format!("/cgi-bin/getcallbackip?access_token={token}")).await)
}

#[tokio::test]
async fn answers_look_like_wechats() {
    let caller = TestClient::plain().await;
    let url = format!("{}/cgi-bin/token?grant_type=x", caller.simulator.base_url());
    let answer = caller.http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json; encoding=utf-8");
    let text = answer.text().await.unwrap();
    assert!(text.contains("invalid grant_type rid: "), "{text}");
    let url = format!(
        "{}/cgi-bin/qrcode/create?access_token={}",
        caller.simulator.base_url(),
        caller.token
    );
    let body =
        json!({"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "q"}}});
    let text = caller.http.post(url).json(&body).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r"http:\/\/weixin.qq.com\/q\/02"), "{text}");
    assert!(!text.contains("expire_seconds"), "a permanent code has no expiry: {text}");
}

#[tokio::test]
async fn stable_tokens_follow_their_rules() {
    let caller = TestClient::plain().await;
    let second = caller.stable(json!({})).await;
    assert_eq!(second["access_token"], caller.token.as_str());
    assert!(second.get("errcode").is_none(), "success has no errcode");
    caller.simulator.advance_clock(Duration::from_secs(6800));
    let expires_in = caller.stable(json!({})).await["expires_in"].as_u64().unwrap();
    assert!((390..=400).contains(&expires_in), "what is left: {expires_in}");
    caller.simulator.advance_clock(Duration::from_secs(110));
    let rotated = caller.stable(json!({})).await;
    assert_ne!(rotated["access_token"], caller.token.as_str());
    assert_eq!(errcode_for_token(&caller, &caller.token).await, 0, "old and new both work");
    caller.simulator.advance_clock(Duration::from_secs(300));
    assert_eq!(errcode_for_token(&caller, &caller.token).await, 40001);
    caller.simulator.advance_clock(Duration::from_secs(7200));
    assert_eq!(errcode_for_token(&caller, rotated["access_token"].as_str().unwrap()).await, 42001);
    let stats = caller.simulator.stats();
    assert_eq!((stats.stable_fetches, stats.tokens_issued), (4, 2));
}

#[tokio::test]
async fn a_forced_refresh_is_bounded() {
    let caller = TestClient::plain().await;
    let force = || caller.stable(json!({"force_refresh": true}));
    let forced = force().await["access_token"].clone();
    assert_ne!(forced, caller.token.as_str());
    assert_eq!(force().await["access_token"], forced, "too soon: it does not refresh");
    for _ in 0..19 {
        caller.simulator.advance_clock(Duration::from_secs(31));
        force().await;
    }
    caller.simulator.advance_clock(Duration::from_secs(31));
    let twentieth = force().await["access_token"].clone();
    caller.simulator.advance_clock(Duration::from_secs(31));
    assert_eq!(force().await["access_token"], twentieth, "twenty a day");
    assert_eq!(caller.simulator.stats().forced_refreshes, 20);
}

#[tokio::test]
async fn credentials_are_checked() {
    let caller = TestClient::plain().await;
    for (change, code) in [
        (json!({"grant_type": "code"}), 40002),
        (json!({"appid": null}), 41002),
        (json!({"secret": ""}), 41004),
        (json!({"appid": "wx0000000000000000"}), 40013),
        (json!({"secret": "wrong"}), 40125),
    ] {
        assert_eq!(errcode(&caller.stable(change.clone()).await), code, "{change}");
    }
    assert_eq!(errcode(&caller.get("/cgi-bin/stable_token").await), 43002);
}

#[tokio::test]
async fn classic_tokens_replace_each_other_and_leave_stable_ones_alone() {
    let caller = TestClient::plain().await;
    let text = |answer: Value| answer["access_token"].as_str().unwrap().to_owned();
    let first = text(classic(&caller).await);
    let second = text(classic(&caller).await);
    assert_ne!(first, second);
    assert_eq!(
        (errcode_for_token(&caller, &first).await, errcode_for_token(&caller, &second).await),
        (0, 0)
    );
    caller.simulator.advance_clock(Duration::from_secs(301));
    assert_eq!(
        (errcode_for_token(&caller, &first).await, errcode_for_token(&caller, &second).await),
        (40001, 0)
    );
    assert_eq!(errcode_for_token(&caller, &caller.token).await, 0);
    assert_eq!(errcode_for_token(&caller, "").await, 41001);
    assert_eq!(errcode_for_token(&caller, "nonsense").await, 40014);
    assert_eq!(errcode_for_token(&caller, "98_never_issued").await, 40001);
}

#[tokio::test]
async fn quotas_and_early_deaths() {
    let quotas = Quotas { classic_per_day: 1, stable_per_minute: 3, ..Quotas::default() };
    let caller = TestClient::new(SimConfig { quotas, ..SimConfig::default() }).await;
    assert_eq!(errcode(&classic(&caller).await), 0);
    assert_eq!(errcode(&classic(&caller).await), 45009);
    caller.simulator.kill_tokens(None, TokenInvalidation::StillHandedOut);
    assert_eq!(caller.stable(json!({})).await["access_token"], caller.token.as_str());
    assert_eq!(errcode_for_token(&caller, &caller.token).await, 40001);
    caller.simulator.kill_tokens(None, TokenInvalidation::Replaced);
    assert_ne!(caller.stable(json!({})).await["access_token"], caller.token.as_str());
    // The clock may have stepped into the next minute between the calls.
    let mut code = 0;
    for _ in 0..4 {
        code = errcode(&caller.stable(json!({})).await);
    }
    assert_eq!(code, 45011);
}

#[tokio::test]
async fn a_code_is_created_drawn_and_listed() {
    let caller = TestClient::plain().await;
    let url = caller.code("queue/a", 60).await;
    let code = caller.simulator.code(&url).unwrap();
    assert_eq!((code.scene.as_str(), code.ticket.len()), ("queue/a", 96));
    assert_eq!(caller.simulator.codes(5)[0], code);
    let base = caller.simulator.base_url();
    let picture = |ticket: String| {
        let request = caller.http.get(format!("{base}/cgi-bin/showqrcode"));
        request.query(&[("ticket", ticket)]).send()
    };
    let picture_of_code = picture(code.ticket.clone()).await.unwrap();
    assert_eq!(picture_of_code.headers()["content-type"], "image/jpg");
    assert_eq!(picture_of_code.headers()["cache-control"], "max-age=604800");
    assert!(picture_of_code.bytes().await.unwrap().starts_with(&[0xff, 0xd8, 0xff]));
    assert_eq!(picture("bad".into()).await.unwrap().status(), 404);
    for (body, code) in
        [(json!({"action_name": "QR"}), 40052), (json!({"action_name": "QR_SCENE"}), 40053)]
    {
        assert_eq!(errcode(&caller.with_token("/cgi-bin/qrcode/create", body).await), code);
    }
    assert_eq!(caller.simulator.stats().codes_created, 1);
}
