//! Client of the simulator's API, and a fake gateway with scripted answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use parking_lot::Mutex;
use serde_json::{Value, json};
use wechat_sim::{SimConfig, Simulator};

/// Simulator with a client of its API.
pub(crate) struct TestClient {
    pub(crate) simulator: Simulator,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

pub(crate) const SEND: &str = "/cgi-bin/message/template/send";

impl TestClient {
    pub(crate) async fn new(config: SimConfig) -> Self {
        let wechat = Simulator::start(config).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let mut caller = Self { simulator: wechat, http, token: String::new() };
        caller.token = caller.stable(json!({})).await["access_token"].as_str().unwrap().to_owned();
        caller
    }

    pub(crate) async fn plain() -> Self {
        Self::new(SimConfig::default()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.simulator.base_url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.simulator.base_url());
        let sent = self.http.post(url).json(&body).send().await.unwrap();
        let text = sent.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"))
    }

    pub(crate) async fn with_token(&self, path: &str, body: Value) -> Value {
        self.post(&format!("{path}?access_token={}", self.token), body).await
    }

    /// Requests `stable_token` with the account's credentials and these changes.
    pub(crate) async fn stable(&self, change: Value) -> Value {
        let defaults = wechat_sim::SimAccount::default();
        let mut body = json!({
            "grant_type": "client_credential",
            "appid": defaults.appid,
            "secret": defaults.secret,
        });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.post("/cgi-bin/stable_token", body).await
    }

    /// Creates a code with this scene and returns its content.
    pub(crate) async fn code(&self, scene: &str, expire_seconds: u64) -> String {
        let created = self
            .with_token(
                "/cgi-bin/qrcode/create",
                json!({
                    "action_name": "QR_STR_SCENE",
                    "action_info": { "scene": { "scene_str": scene } },
                    "expire_seconds": expire_seconds,
                }),
            )
            .await;
        created["url"].as_str().unwrap().to_owned()
    }

    /// Sends a template message with valid content and these changes.
    pub(crate) async fn send(&self, openid: &str, change: Value) -> Value {
        let mut body = json!({
            "touser": openid,
            "template_id": wechat_sim::SimTemplate::DEMO_CALLED,
            "url": "https://example.test/t/1",
            "data": {
                "thing1": { "value": "和平门诊" },
                "thing3": { "value": "3号窗口" },
                "character_string2": { "value": "A012" },
                "time4": { "value": "10:20" },
            },
        });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.with_token(SEND, body).await
    }
}

/// Answer of a fake gateway to a push.
#[derive(Debug, Clone)]
pub(crate) enum FakeBehaviour {
    Body(&'static str),
    Reply(&'static str),
    Status(u16),
    /// Answers after a delay.
    Delay(Duration),
}

/// Request that a fake gateway received.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Gateway with scripted answers: the n-th request gets the n-th answer, the last one for ever.
#[derive(Clone)]
pub(crate) struct FakeGateway {
    pub(crate) url: String,
    script: Arc<Mutex<Vec<FakeBehaviour>>>,
    received: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl FakeGateway {
    pub(crate) async fn new(script: &[FakeBehaviour]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Self {
            url: format!("http://{}/wechat/demo", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(script.to_vec())),
            received: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    pub(crate) fn received(&self) -> Vec<ReceivedRequest> {
        self.received.lock().clone()
    }
}

async fn answer(State(gateway): State<FakeGateway>, request: Request) -> Response<String> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 8 << 20).await.unwrap();
    let headers = parts.headers.iter();
    let received = ReceivedRequest {
        method: parts.method.to_string(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    gateway.received.lock().push(received.clone());
    let does = {
        let mut script = gateway.script.lock();
        if script.len() > 1 { script.remove(0) } else { script[0].clone() }
    };
    match does {
        FakeBehaviour::Body("echo") => {
            let echo = received.query.split("echostr=").nth(1).unwrap().split('&').next();
            Response::new(echo.unwrap().to_owned())
        }
        FakeBehaviour::Body(text) => Response::new(text.to_owned()),
        FakeBehaviour::Reply(text) => {
            let part = |name: &str| {
                let open = format!("<{name}><![CDATA[");
                let rest = received.body.split(&open).nth(1).unwrap();
                rest.split("]]>").next().unwrap().to_owned()
            };
            let to = part("FromUserName");
            let from = part("ToUserName");
            Response::new(format!(
                "<xml><ToUserName><![CDATA[{to}]]></ToUserName>\
                 <FromUserName><![CDATA[{from}]]></FromUserName><CreateTime>1</CreateTime>\
                 <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content></xml>"
            ))
        }
        FakeBehaviour::Status(status) => {
            Response::builder().status(status).body(String::new()).unwrap()
        }
        FakeBehaviour::Delay(time) => {
            tokio::time::sleep(time).await;
            Response::new("success".into())
        }
    }
}
