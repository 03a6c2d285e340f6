//! Tests of the central token server over HTTP with the simulated WeChat and the documented client.

#![expect(clippy::disallowed_methods, reason = "it plays the owner's other systems")]

use futures::future::join_all;
use paihao_access_token::{TokenReader, TokenReaderOptions};
use paihao_cache::MemoryCache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_ledger::Ledger;
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_token::server::{ServerKey, ServerSettings, TokenServer};
use paihao_token::{Account, Channel, Ports, Settings, TokenService, start};
use paihao_wechat::{AppId, AppSecret, Client, ClientOptions, Endpoints};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use wechat_sim::{Fault, SimAccount, SimConfig, Simulator, TokenInvalidation};

const KEY: &str = "the-crm-systems-own-long-key";

struct Owner {
    wechat: Simulator,
    service: TokenService,
    server: TokenServer,
    url: String,
    http: reqwest::Client,
    tasks: Tasks,
    _dir: tempfile::TempDir,
}

fn settings(key: &str, per_minute: u32) -> ServerSettings {
    let accounts = ["shop", "gone"].map(str::to_owned).into();
    ServerSettings { keys: vec![ServerKey::new("crm", key, accounts)], per_minute }
}

impl Owner {
    async fn start(per_minute: u32) -> Owner {
        // Long enough for a slow machine; nothing waits this long when it works.
        Owner::with_wait_timeout(per_minute, Duration::from_secs(30)).await
    }

    async fn with_wait_timeout(per_minute: u32, wait: Duration) -> Owner {
        let wechat = Simulator::start(SimConfig::default()).await.unwrap();
        let base: url::Url = wechat.base_url().parse().unwrap();
        let endpoints = Endpoints { api: base.clone(), mp: base };
        let client = Client::new(ClientOptions { endpoints, ..ClientOptions::default() }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
        let ledger: Arc<dyn Ledger> =
            Arc::new(SqliteLedger::open(dir.path().join("ledger"), options).unwrap());
        let cache = Arc::new(MemoryCache::default());
        let defaults = SimAccount::default();
        let shop = Account {
            name: "shop".into(),
            app: AppId(defaults.appid),
            secret: AppSecret::new(defaults.secret),
            channel: Channel::Stable,
        };
        let clock = Arc::new(SystemClock);
        let ports = Ports {
            cache: cache.clone(),
            ledger: ledger.clone(),
            issuer: Arc::new(client),
            clock: clock.clone(),
            keyring: None,
        };
        let tasks = Tasks::new();
        let service = start(Settings::default(), vec![shop], ports, &tasks);
        let options = TokenReaderOptions {
            refresh_interval: Duration::from_secs(1),
            wait_timeout: wait,
            ..Default::default()
        };
        let reader = TokenReader::new(cache, ledger, clock.clone(), options);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = TokenServer::start(
            settings(KEY, per_minute),
            service.clone(),
            reader,
            clock,
            listener,
            &tasks,
        );
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Owner { wechat, service, server, url, http, tasks, _dir: dir }
    }

    async fn get(&self, path: &str, key: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(key);
        request.send().await.unwrap()
    }

    async fn report(&self, token: &str) -> Response {
        let request = self.http.post(format!("{}/token/shop/refused", self.url)).bearer_auth(KEY);
        request.json(&json!({ "access_token": token })).send().await.unwrap()
    }

    async fn token(&self) -> String {
        loop {
            let answer = self.get("/token/shop", KEY).await;
            if answer.status() == StatusCode::OK {
                let answer: Value = answer.json().await.unwrap();
                return answer["access_token"].as_str().unwrap().to_owned();
            }
        }
    }

    async fn close(self) {
        self.tasks.stop_and_wait().await;
        self.wechat.stop().await;
    }
}

/// True if WeChat accepts the token.
async fn works(owner: &Owner, token: &str) -> bool {
    let url = format!("{}/cgi-bin/getcallbackip?access_token={token}", owner.wechat.base_url());
    let answer: Value = owner.http.get(url).send().await.unwrap().json().await.unwrap();
    answer.get("errcode").is_none()
}

async fn refusal(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let headers = response.headers().clone();
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers.contains_key("retry-after"), [429, 503].contains(&status.as_u16()));
    assert_eq!(headers.contains_key("www-authenticate"), status == 401);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status.as_u16());
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_is_read_with_what_is_left_of_its_life_and_stored_nowhere() {
    let owner = Owner::start(0).await;
    let response = owner.get("/token/shop", KEY).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["account"], "shop");
    let expires_in = answer["expires_in"].as_u64().unwrap();
    assert!((7_000..=7_200).contains(&expires_in), "{expires_in}");
    assert!(works(&owner, answer["access_token"].as_str().unwrap()).await);
    let all = join_all((0..64).map(|_| owner.token())).await;
    assert!(all.iter().all(|token| *token == all[0]));
    assert_eq!(owner.wechat.stats().token_fetches(), 1);
    owner.close().await;
}

#[tokio::test]
async fn many_reports_of_one_token_are_answered_with_the_one_newer_one() {
    let owner = Owner::start(0).await;
    let old = owner.token().await;
    owner.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    let answers = join_all((0..64).map(|_| owner.report(&old))).await;
    let mut newer = Vec::new();
    for answer in answers {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let answer: Value = answer.json().await.unwrap();
        newer.push(answer["access_token"].as_str().unwrap().to_owned());
    }
    assert!(newer.iter().all(|token| *token == newer[0] && *token != old));
    assert!(works(&owner, &newer[0]).await);
    let stats = owner.wechat.stats();
    assert_eq!((stats.token_fetches(), stats.forced_refreshes), (2, 0));
    // A late report is answered at once with the newer token.
    let late: Value = owner.report(&old).await.json().await.unwrap();
    assert_eq!(late["access_token"], newer[0].as_str());
    assert_eq!(owner.wechat.stats().token_fetches(), 2);
    owner.close().await;
}

#[tokio::test]
async fn who_may_not_is_refused_before_anything_else() {
    let owner = Owner::start(0).await;
    let code = async |response| refusal(response).await.1;
    assert_eq!(code(owner.get("/token/shop", "wrong").await).await, "unauthorised");
    let bare = owner.http.get(format!("{}/token/shop", owner.url)).send().await.unwrap();
    assert_eq!(refusal(bare).await, (StatusCode::UNAUTHORIZED, "unauthorised".into()));
    let in_query = format!("{}/token/shop?key={KEY}&access_token={KEY}", owner.url);
    let in_query = owner.http.get(in_query).send().await.unwrap();
    assert_eq!(code(in_query).await, "unauthorised", "a key in an address is no key");
    assert_eq!(code(owner.get("/token/other", KEY).await).await, "not_your_account");
    assert_eq!(code(owner.get("/token/gone", KEY).await).await, "unknown_account");
    assert_eq!(code(owner.get("/elsewhere", KEY).await).await, "unknown_path");
    assert_eq!(code(owner.get("/token/shop/refused", KEY).await).await, "method_not_allowed");
    let url = format!("{}/token/shop/refused", owner.url);
    for (body, expected) in [
        ("", "malformed_request"),
        ("{}", "malformed_request"),
        ("{\"access_token\": \"\"}", "malformed_request"),
        ("[1]", "malformed_request"),
        (&*"x".repeat(5_000), "body_too_large"),
    ] {
        let sent = owner.http.post(&url).bearer_auth(KEY).body(body.to_owned()).send().await;
        assert_eq!(code(sent.unwrap()).await, expected, "{body:.20}");
        let sent = owner.http.post(&url).bearer_auth("wrong").body(body.to_owned()).send().await;
        assert_eq!(code(sent.unwrap()).await, "unauthorised");
    }
    owner.close().await;
}

#[tokio::test]
async fn a_key_has_its_minute_and_can_be_changed() {
    let owner = Owner::start(5).await;
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(owner.get("/token/shop", KEY).await.status().as_u16());
    }
    assert_eq!(outcomes, [200, 200, 200, 200, 200, 429]);
    let (status, code) = refusal(owner.get("/token/shop", KEY).await).await;
    assert_eq!((status.as_u16(), &*code), (429, "too_many_requests"));
    owner.server.set(settings("another-key-that-is-long", 0));
    assert_eq!(refusal(owner.get("/token/shop", KEY).await).await.1, "unauthorised");
    assert_eq!(owner.get("/token/shop", "another-key-that-is-long").await.status(), 200);
    owner.service.reload(Vec::new()).await;
    let response = owner.get("/token/shop", "another-key-that-is-long").await;
    assert_eq!(refusal(response).await.1, "unknown_account");
    owner.close().await;
}

#[tokio::test]
async fn the_client_of_the_documentation_works() {
    let owner = Owner::start(0).await;
    owner.token().await;
    owner.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    let page = include_str!("../../../docs/guide/token-server.md");
    let program =
        page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(program.lines().filter(|line| !line.trim().is_empty()).count() <= 10, "ten lines");
    let script = format!("{program}\nprint(token)\nprint(newer)\n");
    let url = owner.url.clone();
    let runs = tokio::task::spawn_blocking;
    let ran = runs(move || {
        let mut python = std::process::Command::new("python3");
        python.args(["-c", &script]).env("TOKEN_SERVER", url).env("TOKEN_KEY", KEY);
        python.output().expect("python3 is needed for the documented client: install it")
    });
    let ran = ran.await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let stdout = String::from_utf8(ran.stdout).unwrap();
    let tokens: Vec<&str> = stdout.lines().collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
    assert!(!works(&owner, tokens[0]).await && works(&owner, tokens[1]).await);
    owner.close().await;
}

#[tokio::test]
async fn without_any_token_it_says_when_to_ask_again() {
    let owner = Owner::with_wait_timeout(0, Duration::from_secs(2)).await;
    let first = owner.token().await;
    owner.wechat.add_fault(Fault::errcode("/cgi-bin/stable_token", 40164));
    owner.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    let (status, code) = refusal(owner.report(&first).await).await;
    assert_eq!((status.as_u16(), &*code), (503, "no_token"));
    owner.close().await;
}

/// Operation, status and code of every response in the document; the code of a success is empty.
fn named(document: &Value) -> BTreeSet<(String, u16, String)> {
    let mut named = BTreeSet::new();
    for operations in document["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/problem+json"]["schema"];
                let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array().cloned();
                for code in codes.unwrap_or_else(|| vec![json!("")]) {
                    let id = operation["operationId"].as_str().unwrap().to_owned();
                    named.insert((id, status.parse().unwrap(), code.as_str().unwrap().to_owned()));
                }
            }
        }
    }
    named
}

#[tokio::test]
async fn the_document_names_every_answer_and_refusal_and_nothing_else() {
    let owner = Owner::with_wait_timeout(0, Duration::from_secs(2)).await;
    let document = owner.http.get(format!("{}/openapi.json", owner.url)).send().await.unwrap();
    assert_eq!(document.status(), 200, "without a key");
    let document: Value = document.json().await.unwrap();
    let written = include_str!("../../../docs/reference/openapi-token.json");
    assert_eq!(document, serde_json::from_str::<Value>(written).unwrap());

    let mut outcomes = BTreeSet::from([("openapi".to_owned(), 200, String::new())]);
    let mut meet = async |id: &str, response: Response| {
        let met_now = match response.status().as_u16() {
            200 => {
                let token: Value = response.json().await.unwrap();
                let fields: BTreeSet<_> = token.as_object().unwrap().keys().cloned().collect();
                let schema = &document["components"]["schemas"]["TokenView"];
                let required: BTreeSet<String> =
                    serde_json::from_value(schema["required"].clone()).unwrap();
                assert_eq!(fields, required);
                (id.to_owned(), 200, String::new())
            }
            _ => {
                let (status, code) = refusal(response).await;
                (id.to_owned(), status.as_u16(), code)
            }
        };
        outcomes.insert(met_now);
    };
    let read = async |account: &str, key: &str| owner.get(&format!("/token/{account}"), key).await;
    let report = async |account: &str, key: &str, body: String| {
        let url = format!("{}/token/{account}/refused", owner.url);
        owner.http.post(url).bearer_auth(key).body(body).send().await.unwrap()
    };
    let first = owner.token().await;
    let of_first = json!({ "access_token": first }).to_string();
    let requests = [("shop", KEY), ("shop", "wrong"), ("other", KEY), ("gone", KEY), ("%FF", KEY)];
    for (account, key) in requests {
        meet("read_token", read(account, key).await).await;
        if account != "shop" || key != KEY {
            meet("report_refused_token", report(account, key, of_first.clone()).await).await;
        }
    }
    for body in ["{}".to_owned(), "x".repeat(5_000)] {
        meet("report_refused_token", report("shop", KEY, body).await).await;
    }
    owner.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    meet("report_refused_token", report("shop", KEY, of_first.clone()).await).await;
    // From here on no token can be fetched.
    let last = json!({ "access_token": owner.token().await }).to_string();
    owner.wechat.add_fault(Fault::errcode("/cgi-bin/stable_token", 40164));
    owner.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    meet("report_refused_token", report("shop", KEY, last).await).await;
    // This account never had a token.
    let new = Account {
        name: "gone".into(),
        app: AppId("wx0000000000000404".into()),
        secret: AppSecret::new("of-nobody".to_owned()),
        channel: Channel::Stable,
    };
    owner.service.reload(vec![new]).await;
    meet("read_token", read("gone", KEY).await).await;
    owner.server.set(settings(KEY, 1));
    read("shop", KEY).await;
    meet("read_token", read("shop", KEY).await).await;
    meet("report_refused_token", report("shop", KEY, of_first).await).await;
    assert_eq!(outcomes, named(&document));
    owner.close().await;
}
