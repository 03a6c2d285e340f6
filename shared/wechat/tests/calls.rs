//! Tests of the client against a server that behaves like WeChat, or misbehaves.

#![expect(clippy::disallowed_methods, reason = "it plays WeChat, with a task of its own")]

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use paihao_wechat::{
    AccessToken, AccountClient, AccountClientError, AppId, AppSecret, CallError, Client,
    ClientOptions, Endpoints, FailureClass, MiniProgramPage, OpenId, QrRequest, TemplateMessage,
    TokenSource, TokenUnavailable,
};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

const TOKEN: &str = "43_the-access-token";
const SECRET: &str = "the-app-secret-0123456789";
const OPENID: &str = "oThePersonsOpenId";

/// A recorded request: method, path with query, body.
type RecordedRequest = (String, String, String);

#[derive(Clone, Default)]
struct FakeWeChat(Arc<Mutex<(VecDeque<FakeResponse>, Vec<RecordedRequest>)>>);

enum FakeResponse {
    Json(&'static str),
    Image(&'static str, Vec<u8>),
    Status(u16, &'static str),
    Redirect(&'static str),
    Silence,
    Half,
}

impl FakeWeChat {
    async fn start() -> (FakeWeChat, Client) {
        let wechat = FakeWeChat::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(wechat.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (wechat, client(&format!("http://{address}/base/")))
    }

    fn enqueue(&self, answer: FakeResponse) {
        self.0.lock().unwrap().0.push_back(answer);
    }

    fn requests(&self) -> Vec<RecordedRequest> {
        self.0.lock().unwrap().1.clone()
    }
}

fn client(base: &str) -> Client {
    let base = url::Url::parse(base).unwrap();
    Client::new(ClientOptions {
        endpoints: Endpoints { api: base.clone(), mp: base },
        total_timeout: Duration::from_millis(700),
        ..ClientOptions::default()
    })
    .unwrap()
}

async fn answer(State(wechat): State<FakeWeChat>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let answer = {
        let mut inside = wechat.0.lock().unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        inside.1.push((parts.method.to_string(), parts.uri.to_string(), text));
        inside.0.pop_front().expect("an answer was prepared")
    };
    let typed = |kind: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
    match answer {
        FakeResponse::Json(text) => {
            (typed("application/json; encoding=utf-8"), text).into_response()
        }
        FakeResponse::Image(kind, bytes) => (typed(kind), bytes).into_response(),
        FakeResponse::Status(status, text) => {
            (StatusCode::from_u16(status).unwrap(), text).into_response()
        }
        FakeResponse::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        FakeResponse::Silence => std::future::pending().await,
        FakeResponse::Half => {
            let broken = futures_stream_that_breaks();
            (typed("application/json"), axum::body::Body::from_stream(broken)).into_response()
        }
    }
}

fn futures_stream_that_breaks() -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> {
    futures::stream::iter([
        Ok(Bytes::from_static(b"{\"errcode\":0,")),
        Err(std::io::Error::other("gone")),
    ])
}

fn message() -> TemplateMessage {
    TemplateMessage {
        to: OpenId::new(OPENID),
        template_id: "TID".into(),
        url: Some("https://hall.example/t/1".into()),
        mini_program: Some(MiniProgramPage { appid: "wx2".into(), path: "web?t=1".into() }),
        client_msg_id: Some("abc".into()),
        fields: vec![
            ("character_string1".into(), "A012".into()),
            ("thing2".into(), "3号窗口".into()),
        ],
    }
}

fn token() -> AccessToken {
    AccessToken::new(TOKEN)
}

#[tokio::test]
async fn a_stable_token_is_asked_for_in_a_body() {
    let (wechat, client) = FakeWeChat::start().await;
    wechat.enqueue(FakeResponse::Json(r#"{"access_token":"43_x","expires_in":345}"#));
    let issued =
        client.stable_token(&AppId("wx1".into()), &AppSecret::new(SECRET), true).await.unwrap();
    assert_eq!((issued.token.expose(), issued.expires_in), ("43_x", Duration::from_secs(345)));
    let (method, path, body) = wechat.requests().remove(0);
    assert_eq!((&*method, &*path), ("POST", "/base/cgi-bin/stable_token"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({
        "grant_type": "client_credential", "appid": "wx1", "secret": SECRET, "force_refresh": true
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_classic_token_is_asked_for_in_a_query() {
    let (wechat, client) = FakeWeChat::start().await;
    wechat.enqueue(FakeResponse::Json(r#"{"access_token":"43_x","expires_in":7200}"#));
    client.classic_token(&AppId("wx1".into()), &AppSecret::new("a b&c")).await.unwrap();
    let (method, path, _) = wechat.requests().remove(0);
    assert_eq!(method, "GET");
    assert_eq!(path, "/base/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=a+b%26c");
}

#[tokio::test]
async fn a_code_is_created_and_its_answer_read() {
    let (wechat, client) = FakeWeChat::start().await;
    let answer =
        r#"{"ticket":"gQ+\/=","expire_seconds":600,"url":"http:\/\/weixin.qq.com\/q\/02"}"#;
    for _ in 0..3 {
        wechat.enqueue(FakeResponse::Json(answer));
    }
    let day = Duration::from_secs(86_400);
    let code = client.create_qr(&token(), &QrRequest::temporary_str("q", day)).await.unwrap();
    assert_eq!((&*code.ticket, &*code.url), ("gQ+/=", "http://weixin.qq.com/q/02"));
    assert_eq!(code.expires_in, Some(Duration::from_secs(600)));
    let code = client.create_qr(&token(), &QrRequest::permanent_id(7)).await.unwrap();
    assert_eq!(code.expires_in, None);
    client.create_qr(&token(), &QrRequest::temporary_id(7, day * 1000)).await.unwrap();
    let bodies: Vec<serde_json::Value> =
        wechat.requests().iter().map(|(_, _, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(
        bodies,
        [
            serde_json::json!({"action_name":"QR_STR_SCENE","expire_seconds":86400,"action_info":{"scene":{"scene_str":"q"}}}),
            serde_json::json!({"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":7}}}),
            serde_json::json!({"action_name":"QR_SCENE","expire_seconds":2592000,"action_info":{"scene":{"scene_id":7}}}),
        ]
    );
    assert!(
        wechat.requests()[0].1.ends_with("/cgi-bin/qrcode/create?access_token=43_the-access-token")
    );
}

#[tokio::test]
async fn a_picture_is_fetched_by_an_encoded_ticket() {
    let (wechat, client) = FakeWeChat::start().await;
    wechat.enqueue(FakeResponse::Image("image/jpg", vec![0xff, 0xd8]));
    let picture = client.show_qr("gQ+a/b==").await.unwrap();
    assert_eq!((&*picture.content_type, &picture.bytes[..]), ("image/jpeg", &[0xff, 0xd8][..]));
    assert_eq!(wechat.requests()[0].1, "/base/cgi-bin/showqrcode?ticket=gQ%2Ba%2Fb%3D%3D");

    wechat.enqueue(FakeResponse::Status(404, "<html>"));
    wechat
        .enqueue(FakeResponse::Image("text/plain", br#"{"errcode":40053,"errmsg":"x"}"#.to_vec()));
    wechat.enqueue(FakeResponse::Image("text/html", b"{}".to_vec()));
    wechat.enqueue(FakeResponse::Image("image/jpeg", vec![0; 3 << 20]));
    assert!(matches!(client.show_qr("t").await, Err(CallError::Garbled(_))));
    let Err(CallError::Refused(refusal)) = client.show_qr("t").await else { panic!() };
    assert_eq!(refusal.code, 40053);
    assert!(matches!(client.show_qr("t").await, Err(CallError::Garbled(_))));
    assert!(matches!(client.show_qr("t").await, Err(CallError::Garbled(_))), "too large");
}

#[tokio::test]
async fn a_template_message_is_sent_and_its_number_read_in_full() {
    let (wechat, client) = FakeWeChat::start().await;
    wechat
        .enqueue(FakeResponse::Json(r#"{"errcode":0,"errmsg":"ok","msgid":2702600966117900289}"#));
    let id = client.send_template(&token(), &message()).await.unwrap();
    assert_eq!(id.0, 2_702_600_966_117_900_289);
    let (_, path, body) = wechat.requests().remove(0);
    assert_eq!(path, "/base/cgi-bin/message/template/send?access_token=43_the-access-token");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({
        "touser": OPENID, "template_id": "TID", "url": "https://hall.example/t/1",
        "miniprogram": {"appid": "wx2", "pagepath": "web?t=1"}, "client_msg_id": "abc",
        "data": {"character_string1": {"value": "A012"}, "thing2": {"value": "3号窗口"}},
    });
    assert_eq!(body, expected);
}

/// Every kind of failure, with the token, the secret and the openid in the answer where possible.
async fn failures() -> Vec<(&'static str, CallError)> {
    let (wechat, client) = FakeWeChat::start().await;
    let address = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let leaky = r#"{"errcode":40001,"errmsg":"invalid credential 43_the-access-token of oThePersonsOpenId rid: 1-2"}"#;
    let app = AppId("wx1".into());
    let secret = AppSecret::new(SECRET);
    let mut all = Vec::new();
    for (description, answer) in [
        ("refused", FakeResponse::Json(leaky)),
        ("html", FakeResponse::Status(502, "<html>43_the-access-token</html>")),
        (
            "redirect",
            FakeResponse::Redirect("http://example.invalid/?access_token=43_the-access-token"),
        ),
        ("silence", FakeResponse::Silence),
        ("half", FakeResponse::Half),
        ("mistyped", FakeResponse::Json(r#"{"msgid":"43_the-access-token"}"#)),
    ] {
        wechat.enqueue(answer);
        all.push((description, client.send_template(&token(), &message()).await.unwrap_err()));
    }
    let leaky =
        r#"{"errcode":40125,"errmsg":"invalid appsecret the-app-secret-0123456789, view more at"}"#;
    wechat.enqueue(FakeResponse::Json(leaky));
    all.push(("secret", client.classic_token(&app, &secret).await.unwrap_err()));
    wechat.enqueue(FakeResponse::Json(
        r#"{"access_token":43,"expires_in":"the-app-secret-0123456789"}"#,
    ));
    all.push(("mistyped token", client.classic_token(&app, &secret).await.unwrap_err()));
    let client = self::client(&address);
    all.push(("nobody", client.send_template(&token(), &message()).await.unwrap_err()));
    all.push(("nobody", client.classic_token(&app, &secret).await.unwrap_err()));
    all
}

fn all_renderings<E: Error + Debug + Display + 'static>(error: &E) -> String {
    let mut all = format!("{error} {error:?} {error:#} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        all += &format!(" {error} {error:?} {error:#} {error:#?}");
        source = error.source();
    }
    all
}

#[tokio::test]
async fn no_rendering_of_a_failure_holds_a_secret() {
    for (description, error) in failures().await {
        let all =
            all_renderings(&error) + &all_renderings(&AccountClientError::from(error.clone()));
        for secret in [TOKEN, "the-access", SECRET, OPENID, "access_token=", "secret="] {
            assert!(!all.contains(secret), "{description}: {all}");
        }
    }
}

#[tokio::test]
async fn a_failure_tells_if_the_call_may_have_taken_effect() {
    for (description, error) in failures().await {
        let expected = match description {
            "refused" | "secret" => matches!(error, CallError::Refused(_)),
            "nobody" => matches!(error, CallError::Unreachable(_)),
            "silence" => error == CallError::TimedOut,
            _ => matches!(error, CallError::Garbled(_)),
        };
        assert!(expected, "{description}: {error:?}");
        let unsure = !matches!(description, "refused" | "secret" | "nobody");
        assert_eq!(error.may_have_happened(), unsure, "{description}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (wechat, client) = FakeWeChat::start().await;
    wechat.enqueue(FakeResponse::Redirect("/elsewhere"));
    client.send_template(&token(), &message()).await.unwrap_err();
    assert_eq!(wechat.requests().len(), 1);
}

/// Provides `1_token`, and `2_token` once the first was refused.
#[derive(Default)]
struct FakeTokens {
    refused: Mutex<Vec<String>>,
    exhausted: bool,
}

#[async_trait::async_trait]
impl TokenSource for FakeTokens {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        Ok(AccessToken::new("1_token"))
    }
    async fn replace_refused(
        &self,
        _: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        self.refused.lock().unwrap().push(refused.expose().to_owned());
        if self.exhausted {
            return Err(TokenUnavailable("none left".into()));
        }
        Ok(AccessToken::new("2_token"))
    }
}

const REFUSED: &str = r#"{"errcode":42001,"errmsg":"access_token expired rid: 1"}"#;

#[tokio::test]
async fn a_refused_token_is_reported_and_the_call_repeated_once() {
    let (wechat, client) = FakeWeChat::start().await;
    let tokens = Arc::new(FakeTokens::default());
    let caller = AccountClient::new(client, tokens.clone());
    wechat.enqueue(FakeResponse::Json(REFUSED));
    wechat.enqueue(FakeResponse::Json(r#"{"errcode":0,"errmsg":"ok","msgid":7}"#));
    assert_eq!(caller.send_template("hall", &message()).await.unwrap().0, 7);
    assert_eq!(*tokens.refused.lock().unwrap(), ["1_token"]);
    let used: Vec<String> = wechat
        .requests()
        .iter()
        .map(|seen| seen.1.rsplit('=').next().unwrap().to_owned())
        .collect();
    assert_eq!(used, ["1_token", "2_token"]);
}

#[tokio::test]
async fn an_answer_without_a_token_or_a_lifetime_is_no_token() {
    let (wechat, client) = FakeWeChat::start().await;
    let (app, secret) = (AppId("wx1".to_owned()), AppSecret::new("secret"));
    for answer in [
        r#"{"access_token":"","expires_in":7200}"#,
        r#"{"access_token":" ","expires_in":7200}"#,
        r#"{"access_token":"t","expires_in":0}"#,
        r#"{"expires_in":7200}"#,
        "{}",
    ] {
        wechat.enqueue(FakeResponse::Json(answer));
        let stable = client.stable_token(&app, &secret, false).await.unwrap_err();
        wechat.enqueue(FakeResponse::Json(answer));
        let classic = client.classic_token(&app, &secret).await.unwrap_err();
        for error in [stable, classic] {
            assert!(matches!(error, CallError::Garbled(_)), "{answer}: {error}");
        }
    }
}

#[tokio::test]
async fn a_call_is_never_made_a_third_time() {
    let (wechat, client) = FakeWeChat::start().await;
    let caller = AccountClient::new(client, Arc::new(FakeTokens::default()));
    wechat.enqueue(FakeResponse::Json(REFUSED));
    wechat.enqueue(FakeResponse::Json(REFUSED));
    let request = QrRequest::permanent_str("q");
    let error = caller.create_qr("hall", &request).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::InvalidToken);
    assert_eq!(wechat.requests().len(), 2);
}

#[tokio::test]
async fn a_failure_unrelated_to_the_token_is_not_retried() {
    let (wechat, client) = FakeWeChat::start().await;
    let tokens = Arc::new(FakeTokens { exhausted: true, ..FakeTokens::default() });
    let caller = AccountClient::new(client, tokens.clone());
    for (answer, meaning) in [
        (r#"{"errcode":-1,"errmsg":"system error"}"#, FailureClass::RetryLater(None)),
        (r#"{"errcode":43004,"errmsg":"require subscribe"}"#, FailureClass::Recipient),
        (
            r#"{"errcode":47003,"errmsg":"argument invalid! data.thing2.value invalid"}"#,
            FailureClass::Permanent,
        ),
        (r#"{"errcode":48001,"errmsg":"api unauthorized"}"#, FailureClass::Configuration),
    ] {
        wechat.enqueue(FakeResponse::Json(answer));
        assert_eq!(caller.send_template("hall", &message()).await.unwrap_err().class(), meaning);
    }
    assert!(tokens.refused.lock().unwrap().is_empty());
    assert_eq!(wechat.requests().len(), 4);
    wechat.enqueue(FakeResponse::Json(REFUSED));
    let error = caller.send_template("hall", &message()).await.unwrap_err();
    assert!(matches!(error, AccountClientError::Token(_)), "{error}");
}
