//! Tests of bad input: each kind gets its refusal of docs/reference/refusals.md and changes
//! nothing.

use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{process_configuration, start_program, wait_until_ready};
use crate::support::http::{client, send_json, staff_request};
use harness::{Program, free_port};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::signature;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use wechat_sim::{SimAccount, SimConfig, Simulator};

const CALLBACK_TOKEN: &str = "tokenOfTheTests";

/// Program in one process with a simulated WeChat.
struct TestProgram {
    _process: Program,
    wechat: Simulator,
    http: Client,
    url: String,
}

impl TestProgram {
    async fn start() -> TestProgram {
        let account = SimAccount { callback_token: CALLBACK_TOKEN.into(), ..SimAccount::default() };
        let appid = account.appid.clone();
        let secret = account.secret.clone();
        let config = SimConfig { accounts: vec![account], ..SimConfig::default() };
        let wechat = Simulator::start(config).await.unwrap();
        let port = free_port();
        let admin = free_port();
        let text = format!(
            "
            {process}
            gateway.session_expiry_seconds = 60
            [staff.tests]
            key = '{STAFF_KEY}'
            sites = ['hall']
            [accounts.shop]
            appid = '{appid}'
            secret = '{secret}'
            callback_token = '{CALLBACK_TOKEN}'
            mode = 'plain'
            [sites.hall]
            account = 'shop'
            name = '大厅'
            [sites.hall.queues.a]
            name = '业务'
            prefix = 'A'
            [sites.hall.queues.shut]
            name = '外币'
            prefix = 'B'
            open = false
            [sites.hall.counters.1]
            name = '1号'
            queues = ['a']
            [sites.other]
            account = 'shop'
            name = '别处'
            [sites.other.queues.z]
            name = '业务'
            prefix = 'A'
            [sites.other.counters.1]
            name = '1号'
            queues = ['z']
            ",
            process = process_configuration(port, admin, &wechat.base_url()),
        );
        let process = start_program(&text);
        let url = format!("http://127.0.0.1:{port}");
        let http = client();
        wait_until_ready(&http, &format!("http://127.0.0.1:{admin}")).await;
        TestProgram { _process: process, wechat, http, url }
    }

    /// Posts a callback signed with `token`, whose timestamp is `age_s` seconds ago.
    async fn post_callback(
        &self,
        token: &str,
        age_s: i64,
        body: impl Into<String>,
    ) -> (StatusCode, Value) {
        let timestamp = (SystemClock.now_ms() / 1000 - age_s).to_string();
        let callback_signature = signature(&CallbackToken::new(token), &timestamp, "7");
        let query = format!("signature={callback_signature}&timestamp={timestamp}&nonce=7");
        let url = format!("{}/wechat/shop?{query}", self.url);
        send_json(self.http.post(url).body(body.into())).await
    }

    async fn state(&self) -> Value {
        send_json(self.http.get(format!("{}/api/v1/sites/hall", self.url))).await.1
    }

    async fn post_as_staff(&self, path: &str, key: &str, body: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/sites/{path}", self.url);
        send_json(staff_request(&self.http, STAFF_KEY, &url, key).body(body.to_owned())).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        send_json(self.http.get(format!("{}{path}", self.url))).await
    }
}

fn scan_body(person: &str, scene: &str) -> String {
    let at = SystemClock.now_ms() / 1000;
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\n<FromUserName><![CDATA[{person}]]></FromUserName>\n\
         <CreateTime>{at}</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[SCAN]]></Event>\n\
         <EventKey><![CDATA[{scene}]]></EventKey>\n<Ticket><![CDATA[T]]></Ticket>\n</xml>"
    )
}

#[track_caller]
fn assert_refused(response: (StatusCode, Value), status: u16, code: &str) {
    let (actual, body) = response;
    assert_eq!((actual.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
    assert_eq!(body["status"], status);
    for sentence in ["title", "title_en"] {
        assert!(body[sentence].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }
}

#[tokio::test]
async fn callbacks_that_wechat_did_not_send_change_nothing() {
    let program = TestProgram::start().await;
    let before = program.state().await;
    let valid = scan_body("oAnn", "q_hall_a");
    assert_refused(program.post_callback("somebodyElse", 0, &valid).await, 403, "wrong_signature");
    let bare =
        send_json(program.http.post(format!("{}/wechat/shop", program.url)).body(valid.clone()))
            .await;
    assert_refused(bare, 400, "bad_callback_query");
    assert_refused(program.post_callback(CALLBACK_TOKEN, 400, &valid).await, 403, "stale_callback");
    assert_refused(
        program.post_callback(CALLBACK_TOKEN, -400, &valid).await,
        403,
        "stale_callback",
    );
    let doctype = format!("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{valid}");
    // WeChat signed these: they are answered as it wants, and change nothing either.
    for body in [
        doctype,
        "x".repeat(10 << 20),
        valid[..valid.len() / 2].to_owned(),
        "<xml>".repeat(5000),
        String::new(),
        "{\"json\":true}".to_owned(),
    ] {
        let start: String = body.chars().take(20).collect();
        let (status, answer) = program.post_callback(CALLBACK_TOKEN, 0, body).await;
        assert_eq!((status, &answer), (StatusCode::OK, &json!("success")), "{start}");
    }
    let unknown = format!("{}/wechat/nobody?signature=a&timestamp=1&nonce=2", program.url);
    assert_refused(send_json(program.http.post(unknown).body(valid)).await, 404, "unknown_account");
    assert_eq!(program.state().await, before);
}

#[tokio::test]
async fn the_query_cannot_switch_the_signature_off() {
    let program = TestProgram::start().await;
    let before = program.state().await;
    for query in [
        "encrypt_type=aes&msg_signature=x",
        "encrypt_type=aes&msg_signature=x&timestamp=1&nonce=1",
        "signature=&timestamp=&nonce=",
        "signature=a&signature=b&timestamp=1&nonce=1",
    ] {
        let url = format!("{}/wechat/shop?{query}", program.url);
        let (status, body) =
            send_json(program.http.post(url).body(scan_body("oAnn", "q_hall_a"))).await;
        assert!(status.is_client_error(), "{query} was answered {status}: {body}");
    }
    let timestamp = (SystemClock.now_ms() / 1000).to_string();
    let callback_signature = signature(&CallbackToken::new(CALLBACK_TOKEN), &timestamp, "7");
    let url = format!(
        "{}/wechat/shop?signature={callback_signature}&timestamp={timestamp}&nonce=7&encrypt_type=aes&msg_signature=x",
        program.url
    );
    let response = send_json(program.http.post(url).body(scan_body("oAnn", "q_hall_a"))).await;
    assert_eq!(response, (StatusCode::OK, json!("success")));
    assert_eq!(program.state().await, before);
}

#[tokio::test]
async fn a_replayed_body_is_the_same_reply_and_the_same_number() {
    let program = TestProgram::start().await;
    let body = scan_body("oAnn", "q_hall_a");
    let (status, first) = program.post_callback(CALLBACK_TOKEN, 0, &body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(first.as_str().unwrap().contains("A001"), "{first}");
    // The repeat may have the same signature or, since WeChat may renew it, another one.
    assert_eq!(program.post_callback(CALLBACK_TOKEN, 0, &body).await, (status, first.clone()));
    assert_eq!(program.post_callback(CALLBACK_TOKEN, 5, &body).await, (status, first));
    assert_eq!(program.state().await["queues"][0]["waiting_count"], 1);
}

#[tokio::test]
async fn server_verification_echoes_only_for_the_right_token() {
    let program = TestProgram::start().await;
    let url = format!("{}/wechat/shop", program.url);
    assert_eq!(program.wechat.verify_server(None, &url).await, Ok(()));
    let forged = "/wechat/shop?signature=0000&timestamp=1&nonce=2&echostr=42";
    assert_refused(program.get(forged).await, 403, "wrong_signature");
}

#[tokio::test]
async fn dead_codes_are_answered_with_a_text_and_those_of_others_with_nothing() {
    let program = TestProgram::start().await;
    let before = program.state().await;
    for (person, scene) in [
        ("oAnn", "q_nowhere_a"),
        ("oBen", "q_hall_nothing"),
        ("oCai", "s_neverMade0000000000000"),
        ("oDan", "110"),
        ("oDan", "s_summer"),
        ("oDan", "q_poster"),
        ("oEve", ""),
    ] {
        let (status, reply) =
            program.post_callback(CALLBACK_TOKEN, 0, scan_body(person, scene)).await;
        assert_eq!(status, StatusCode::OK);
        let reply = reply.as_str().unwrap();
        match scene {
            "" | "110" | "s_summer" | "q_poster" => assert_eq!(reply, "success", "{scene}"),
            _ => assert!(reply.contains("这个二维码已失效"), "{scene}: {reply}"),
        }
    }
    let (_, reply) =
        program.post_callback(CALLBACK_TOKEN, 0, scan_body("oFay", "q_hall_shut")).await;
    assert!(reply.as_str().unwrap().contains("现在不取号"), "{reply}");
    assert_eq!(program.state().await, before);
}

#[tokio::test]
async fn invalid_scan_sessions_are_refused() {
    let program = TestProgram::start().await;
    let open = async |body: Value| {
        let url = format!("{}/api/v1/scan-sessions", program.url);
        send_json(program.http.post(url).body(body.to_string())).await
    };
    assert_refused(open(json!({"queue": "nothing"})).await, 404, "unknown_queue");
    assert_refused(open(json!({"site": "nowhere", "queue": "a"})).await, 404, "unknown_site");
    assert_refused(open(json!({"site": "hall", "queue": "z"})).await, 404, "unknown_queue");
    assert_refused(open(json!({"queue": "a", "uuid": "not-a-uuid"})).await, 400, "malformed_uuid");
    assert_refused(open(json!({"queue": "a", "purpose": "dance"})).await, 400, "malformed_request");
    assert_refused(open(json!({"que": "a"})).await, 400, "malformed_request");
    assert_refused(open(json!("no object")).await, 400, "malformed_request");
    let uuid = "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f";
    assert_eq!(open(json!({"queue": "a", "uuid": uuid})).await.0, StatusCode::CREATED);
    assert_refused(open(json!({"queue": "shut", "uuid": uuid})).await, 409, "session_taken");
    assert_refused(program.get("/qr/zzz?queue=a").await, 400, "malformed_uuid");
    assert_refused(program.get(&format!("/qr/{uuid}")).await, 400, "malformed_request");
    assert_refused(program.get(&format!("/qr/{uuid}.gif?queue=a")).await, 400, "malformed_request");
    let at = |uuid: &str, action: &str| format!("/api/v1/scan-sessions/{uuid}/{action}");
    assert_refused(program.get(&at(uuid, "dance")).await, 404, "unknown_path");
    assert_refused(program.get(&at("nonsense", "events")).await, 400, "malformed_uuid");
    let unknown = "ffffffff-7d1a-4e0e-9a5f-0a1b2c3d4e5f";
    assert_refused(program.get(&at(unknown, "qr.svg")).await, 404, "unknown_session");
}

#[tokio::test]
async fn invalid_requests_of_staff_are_refused() {
    let program = TestProgram::start().await;
    let url = format!("{}/api/v1/sites/hall/counters/1/open", program.url);
    assert_refused(send_json(program.http.post(&url)).await, 401, "unauthorised");
    assert_refused(
        send_json(program.http.post(&url).bearer_auth("wrong")).await,
        401,
        "unauthorised",
    );
    assert_refused(
        program.post_as_staff("nowhere/counters/1/open", "1", "").await,
        404,
        "unknown_site",
    );
    assert_refused(
        program.post_as_staff("other/counters/1/open", "1", "").await,
        403,
        "not_your_site",
    );
    assert_refused(
        program.post_as_staff("hall/counters/9/call-next", "2", "").await,
        404,
        "unknown_counter",
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/dance", "3", "").await,
        404,
        "unknown_path",
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/call-next", "4", "").await,
        409,
        "counter_closed",
    );
    let long = "k".repeat(256);
    let malformed = program.post_as_staff("hall/counters/1/open", &long, "").await;
    assert_refused(malformed, 400, "malformed_idempotency_key");
    assert_eq!(program.post_as_staff("hall/counters/1/open", "5", "").await.0, StatusCode::OK);
    assert_refused(
        program.post_as_staff("hall/counters/1/call-next", "6", "").await,
        409,
        "nobody_waiting",
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/finish", "7", "").await,
        409,
        "counter_idle",
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/missed", "8", "").await,
        409,
        "counter_idle",
    );
    assert_refused(
        program.post_as_staff("hall/tickets/A001/leave", "9", "").await,
        404,
        "unknown_ticket",
    );
    program.post_callback(CALLBACK_TOKEN, 0, scan_body("oAnn", "q_hall_a")).await;
    assert_eq!(
        program.post_as_staff("hall/counters/1/call-next", "10", "").await.0,
        StatusCode::OK
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/call-next", "11", "").await,
        409,
        "counter_busy",
    );
    let other = r#"{"number":"A007"}"#;
    assert_refused(
        program.post_as_staff("hall/counters/1/finish", "13", other).await,
        409,
        "counter_busy",
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/finish", "14", "{").await,
        400,
        "malformed_request",
    );
    let large = format!(r#"{{"number":"{}"}}"#, "A".repeat(5000));
    assert_refused(
        program.post_as_staff("hall/counters/1/finish", "15", &large).await,
        413,
        "body_too_large",
    );
    let valid_body = r#"{"number":"A001"}"#;
    assert_eq!(
        program.post_as_staff("hall/counters/1/finish", "16", valid_body).await.0,
        StatusCode::OK
    );
    assert_refused(
        program.post_as_staff("hall/tickets/A001/leave", "17", "").await,
        409,
        "ticket_ended",
    );
}

#[tokio::test]
async fn an_idempotency_key_names_one_request() {
    let program = TestProgram::start().await;
    assert_eq!(program.post_as_staff("hall/counters/1/open", "k", "").await.0, StatusCode::OK);
    assert_eq!(program.post_as_staff("hall/counters/1/open", "k", "").await.0, StatusCode::OK);
    assert_refused(
        program.post_as_staff("hall/counters/1/close", "k", "").await,
        422,
        "idempotency_key_reused",
    );
    assert_refused(
        program.post_as_staff("hall/counters/1/open", "k", "{}").await,
        422,
        "idempotency_key_reused",
    );
    assert_eq!(program.state().await["counters"][0]["open"], true);
}
