//! Tests of login by scanning with two gateways: the browser uses one, and WeChat pushes to the
//! other.

mod clients;
mod first_in_browser;
mod membership;
mod unionid;

use crate::support::cluster::{Cluster, ClusterSetup, ProgramProcess};
use crate::support::http::{SseReader, send_json};
use harness::{Program, free_port, wait_until};
use paihao_cache::Cache;
use paihao_cache_redis::{RedisCache, RedisOptions};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::Duration;
use wechat_sim::Routing;

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECT_URI: &str = "http://127.0.0.1:1/back";

/// Cluster with two gateways that have OAuth clients.
struct LoginCluster {
    cluster: Cluster,
    gateways: Vec<ProgramProcess>,
}

impl LoginCluster {
    async fn start() -> LoginCluster {
        let open_platform = Some("platform".to_owned());
        let setup = ClusterSetup { open_platform, ..ClusterSetup::default() };
        let cluster = Cluster::start_setup(setup).await;
        let mut gateways = Vec::new();
        for _ in 0..2 {
            let port = free_port();
            let admin = free_port();
            let url = format!("http://127.0.0.1:{port}");
            let public = "[gateway]\npublic = 'http://queue.example.com'\n";
            let with_public = cluster.configuration(port, admin).replacen("[gateway]\n", public, 1);
            let text = format!(
                "{with_public}
                [login.clients.intranet]
                name = '内部网'
                redirects = ['{REDIRECT_URI}']
                [login.clients.crm]
                name = '会员系统'
                redirects = ['{REDIRECT_URI}']
                unionid = true
                [login.clients.staff-only]
                name = '值班表'
                redirects = ['{REDIRECT_URI}']
                confirm = false
                staff_only = true
                "
            );
            let program = Program::start(
                env!("CARGO_BIN_EXE_paihao"),
                &["--config", "{dir}/paihao.toml", "gateway"],
                &[("paihao.toml", &text)],
            );
            gateways.push(ProgramProcess {
                program,
                admin: format!("http://127.0.0.1:{admin}"),
                url,
                paths: Vec::new(),
                clock: None,
            });
        }
        for gateway in &gateways {
            cluster.wait_until_ready(gateway).await;
        }
        LoginCluster { cluster, gateways }
    }

    /// Has the command print the link of the first manager. Returns its code.
    async fn first_code(&self) -> String {
        first_manager_code(&self.gateways[1].program).await
    }

    fn route_to(&self, gateway: usize) -> Routing {
        let url = format!("{}/wechat/shop", self.gateways[gateway].url);
        Routing { deliveries: 2, urls: vec![url] }
    }

    /// Scans a login's code; the event is pushed twice to the second gateway. Returns the reply.
    async fn scan(&self, person: &str, opened: &Value) -> String {
        let link = opened["scan_link"].as_str().expect("the simulator's phones are configured");
        let code = link.split_once("?scan=").unwrap().1;
        let outcome = self.cluster.wechat.scan(person, code, self.route_to(1)).await;
        outcome.reply.unwrap_or_else(|| panic!("no reply: {:?}", outcome.pushes))
    }

    async fn send_text(&self, person: &str, text: &str) -> String {
        let outcome = self.cluster.wechat.send_text(None, person, text, self.route_to(1)).await;
        outcome.expect("a follower").reply.unwrap_or_default()
    }

    fn browser(&self, gateway: usize) -> Browser<'_> {
        Browser { cluster: self, url: &self.gateways[gateway].url, cookies: BTreeMap::new() }
    }

    /// Makes a person the first manager. Returns their browser, logged in.
    async fn first_manager(&self, person: &str) -> Browser<'_> {
        let mut browser = self.browser(0);
        let first = json!({"first": self.first_code().await});
        let (status, redeemed) = browser.log_in(person, first).await;
        assert_eq!(status, StatusCode::CREATED, "{redeemed}");
        browser
    }
}

/// Digits that a phone shows.
pub fn digits_in(prompt: &str) -> String {
    let number = prompt.split("数字 ").nth(1).unwrap_or_else(|| panic!("no digits: {prompt}"));
    number.chars().take_while(char::is_ascii_digit).collect()
}

/// Digits other than these.
fn other_digits(digits: &str) -> String {
    format!("{:04}", (digits.parse::<u32>().unwrap() + 1) % 10_000)
}

/// Has the command print the link of the first manager, beside the running program. Returns its
/// code.
pub async fn first_manager_code(program: &Program) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
    command.args(["--config", "paihao.toml", "first-manager"]).current_dir(program.folder());
    let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
    let Output { status, stdout, stderr } = run.await.unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(status.success(), "{text}");
    let link = text.split("http://queue.example.com/login#first=").nth(1);
    let code = link.and_then(|link| link.split_whitespace().next());
    code.unwrap_or_else(|| panic!("no link: {text}")).to_owned()
}

/// Browser at one gateway, with its cookies.
struct Browser<'a> {
    cluster: &'a LoginCluster,
    url: &'a str,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    async fn request(&mut self, method: Method, path: &str, body: Option<Value>) -> Response {
        let http = &self.cluster.cluster.http;
        let cookies: Vec<_> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let request = http
            .request(method, format!("{}{path}", self.url))
            .header(COOKIE, cookies.join("; "))
            .header("x-paihao-page", "1")
            .body(body.map(|body| body.to_string()).unwrap_or_default());
        let response = request.send().await.expect("a response");
        for set in response.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    async fn json(&mut self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.request(method, path, body).await;
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn open_login(&mut self, request: Value) -> Value {
        let (status, opened) = self.json(Method::POST, "/api/v1/logins", Some(request)).await;
        assert_eq!(status, 201, "{opened}");
        opened
    }

    async fn redeem(&mut self, opened: &Value) -> (StatusCode, Value) {
        let path = opened["redeem"].as_str().unwrap();
        let response = self.request(Method::POST, path, None).await;
        (response.status(), response.json().await.unwrap())
    }

    /// Opens a login, scans its code, confirms it on the phone, and redeems it.
    async fn log_in(&mut self, person: &str, request: Value) -> (StatusCode, Value) {
        let opened = self.open_login(request).await;
        let prompt = self.cluster.scan(person, &opened).await;
        let (status, refused) = self.enter(&opened, &digits_in(&prompt)).await;
        assert_eq!(status, 204, "{refused}");
        self.redeem(&opened).await
    }

    /// Enters digits at the page that shows the code.
    async fn enter(&mut self, opened: &Value, digits: &str) -> (u16, Value) {
        let path = format!("/api/v1/logins/{}/confirm", opened["uuid"].as_str().unwrap());
        self.json(Method::POST, &path, Some(json!({ "digits": digits }))).await
    }

    /// Invites a member, who scans, and confirms them.
    async fn invite(&mut self, member: Value, person: &str) -> Value {
        let (status, invited) = self.json(Method::POST, "/api/v1/invitations", Some(member)).await;
        assert_eq!(status, 201, "{invited}");
        let prompt = self.cluster.scan(person, &invited).await;
        let entered = Some(json!({ "digits": digits_in(&prompt) }));
        let path = invited["confirm"].as_str().unwrap();
        let (status, joined) = self.json(Method::POST, path, entered).await;
        assert_eq!(status, 200, "{joined}");
        joined
    }

    async fn me(&mut self) -> (u16, Value) {
        self.json(Method::GET, "/api/v1/me", None).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_invited_logs_in_and_is_logged_out_at_once_when_removed() {
    let mut deployment = LoginCluster::start().await;
    let code = deployment.first_code().await;
    let other_code = deployment.first_code().await;
    assert_ne!(code, other_code, "each is a new one");
    for gateway in &deployment.gateways {
        let output = gateway.program.output();
        assert!(output.contains("paihao first-manager"), "the log names the command");
        assert!(!output.contains("#first="), "a log opens nothing");
    }

    let mut browser = deployment.browser(0);
    let opened = browser.open_login(json!({ "first": code })).await;
    let events = browser.request(Method::GET, opened["events"].as_str().unwrap(), None).await;
    let mut events = SseReader::new(events);
    assert_eq!(events.next().await.0, "pending");
    let (status, refused) = browser.redeem(&opened).await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("login_pending")));
    let question = deployment.scan("oAnn", &opened).await;
    for part in ["queue.example.com", "127.0.0.*", "时间：", "只有登录页是您自己打开的", "reply 0"]
    {
        assert!(question.contains(part), "{part}: {question}");
    }
    let (step, data) = events.next().await;
    assert_eq!((&*step, &data["digits"]), ("scanned", &json!(4)), "{data}");
    assert!(deployment.scan("oEve", &opened).await.contains("已有人扫过"), "one person a code");
    // An answer on the phone lets nobody in: the digits are entered where the code is.
    assert_eq!(deployment.send_text("oAnn", "１").await, question);
    assert_eq!(browser.redeem(&opened).await.1["code"], "login_pending");
    let digits = digits_in(&question);
    assert_eq!(browser.enter(&opened, &other_digits(&digits)).await.1["code"], "wrong_digits");
    assert_eq!(browser.enter(&opened, &digits).await.0, 204);
    assert_eq!(browser.enter(&opened, &digits).await.0, 204, "entered again");
    while events.next().await.0 != "approved" {}
    let (status, redeemed) = browser.redeem(&opened).await;
    assert_eq!((status, &redeemed["me"]["role"]), (StatusCode::CREATED, &json!("manager")));
    assert_eq!(redeemed["me"]["sites"], Value::Null, "every site");
    let (status, refused) = browser.redeem(&opened).await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("login_used")), "once");
    for code in [code, other_code] {
        let again = Some(json!({ "first": code }));
        let (status, refused) = browser.json(Method::POST, "/api/v1/logins", again).await;
        assert_eq!((status, &refused["code"]), (410, &json!("first_code_used")));
    }

    // A manager invites, and confirms whoever stands before them; the code works once.
    let member = json!({"name": "李雷", "role": "staff", "sites": ["hall-0"], "counters": ["1"]});
    let (status, invited) =
        browser.json(Method::POST, "/api/v1/invitations", Some(member.clone())).await;
    assert_eq!(status, 201, "{invited}");
    let confirm = invited["confirm"].as_str().unwrap();
    let enter = |digits: &str| Some(json!({ "digits": digits }));
    assert_eq!(browser.json(Method::POST, confirm, enter("0000")).await.1["code"], "login_pending");
    // A stranger who saw the code is first to scan it: nobody has joined, and the manager sees it.
    let prompt = deployment.scan("oEve", &invited).await;
    assert!(prompt.contains("李雷") && prompt.contains("标记"), "{prompt}");
    assert!(deployment.scan("oBen", &invited).await.contains("已有人扫过"));
    let open = "/api/v1/invitations";
    let (_, listed) = browser.json(Method::GET, open, None).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["scanned"]), (1, &json!(true)));
    let (_, list) = browser.json(Method::GET, "/api/v1/staff", None).await;
    assert_eq!(list["members"].as_array().unwrap().len(), 1, "{list}");
    let revoke = format!("{open}/{}", invited["uuid"].as_str().unwrap());
    assert_eq!(browser.json(Method::DELETE, &revoke, None).await.0, 204);
    let entered = enter(&digits_in(&prompt));
    assert_eq!(browser.json(Method::POST, confirm, entered).await.1["code"], "not_staff");
    assert!(deployment.scan("oEve", &invited).await.contains("不能再用"));
    assert_eq!(browser.json(Method::GET, open, None).await.1, json!([]));
    // Nor does anybody join by guessing.
    let (_, invited) =
        browser.json(Method::POST, "/api/v1/invitations", Some(member.clone())).await;
    let confirm = invited["confirm"].as_str().unwrap();
    let digits = digits_in(&deployment.scan("oEve", &invited).await);
    let mut wrong = other_digits(&digits);
    for code in ["wrong_digits", "wrong_digits", "login_refused", "login_refused"] {
        assert_eq!(browser.json(Method::POST, confirm, enter(&wrong)).await.1["code"], code);
        wrong = other_digits(&wrong);
    }
    let late = browser.json(Method::POST, confirm, enter(&digits)).await;
    assert_eq!(late.1["code"], "login_refused", "the right digits are too late");
    let joined = browser.invite(member, "oBen").await;
    assert_eq!((&joined["name"], &joined["role"]), (&json!("李雷"), &json!("staff")));
    let mut staff = deployment.browser(0);
    let (_, redeemed) = staff.log_in("oBen", json!({})).await;
    assert_eq!(
        (&redeemed["me"]["name"], &redeemed["me"]["role"]),
        (&json!("李雷"), &json!("staff"))
    );
    let id = redeemed["me"]["id"].as_str().unwrap().to_owned();
    let open = "/api/v1/sites/hall-0/counters/1/open";
    let other = "/api/v1/sites/hall-0/counters/2/open";
    assert_eq!(staff.json(Method::POST, open, None).await.0, 200);
    assert_eq!(staff.json(Method::POST, other, None).await.1["code"], "not_your_counter");
    assert_eq!(staff.json(Method::GET, "/api/v1/staff", None).await.1["code"], "not_allowed");

    // The sessions survive a restart of the cache and the gateways, at any replica.
    let cookies = (browser.cookies.clone(), staff.cookies.clone());
    deployment.cluster.redis.kill();
    deployment.cluster.redis.restart();
    for gateway in &mut deployment.gateways {
        gateway.program.restart();
    }
    for gateway in &deployment.gateways {
        deployment.cluster.wait_until_ready(gateway).await;
    }
    let mut browser = deployment.browser(1);
    let mut staff = deployment.browser(1);
    (browser.cookies, staff.cookies) = cookies;
    assert_eq!((browser.me().await.0, staff.me().await.0), (200, 200));

    // A stream of the console ends when the permissions of its member change.
    let stream = staff.request(Method::GET, "/api/v1/sites/hall-0/desk/events", None).await;
    assert_eq!(stream.status(), 200);
    let path = format!("/api/v1/staff/{id}");
    let patched = browser.json(Method::PATCH, &path, Some(json!({"counters": ["2"]}))).await;
    assert_eq!(patched.0, 200, "{}", patched.1);
    let _ = tokio::time::timeout(WAIT_TIMEOUT, stream.bytes()).await.expect("the stream ends");
    assert_eq!(staff.json(Method::POST, open, None).await.1["code"], "not_your_counter");
    let (_, sessions) = browser.json(Method::GET, &format!("{path}/sessions"), None).await;
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    assert_eq!(sessions[0]["current"], false);

    let deleted = browser.json(Method::DELETE, &format!("/api/v1/staff/{id}"), None).await;
    assert_eq!(deleted.0, 204);
    assert_eq!(staff.me().await.0, 401, "logged out at once at the same gateway");
    staff.url = &deployment.gateways[0].url;
    wait_until("logged out at the other", WAIT_TIMEOUT, async || staff.me().await.0 == 401).await;
    let opened = staff.open_login(json!({})).await;
    assert!(deployment.scan("oBen", &opened).await.contains("不在工作人员名单"));
    let (_, listed) = browser.json(Method::GET, "/api/v1/staff", None).await;
    let members = listed["members"].as_array().unwrap();
    assert_eq!(members.len(), 1);
    let last = format!("/api/v1/staff/{}", members[0]["id"].as_str().unwrap());
    assert_eq!(browser.json(Method::DELETE, &last, None).await.1["code"], "last_manager");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_cannot_be_redeemed_by_another_browser_or_person() {
    let deployment = LoginCluster::start().await;
    let mut manager = deployment.first_manager("oAnn").await;
    let mut browser = deployment.browser(0);
    let opened = browser.open_login(json!({})).await;

    // Another browser with every address of the login is refused.
    let mut other = deployment.browser(1);
    for path in ["events", "qr_svg"] {
        let path = opened[path].as_str().unwrap();
        let (status, refused) = other.json(Method::GET, path, None).await;
        assert_eq!((status, &refused["code"]), (403, &json!("wrong_browser")), "{path}");
    }
    let uuid = opened["uuid"].as_str().unwrap();
    for part in ["events", "qr.svg", "qr.png"] {
        let path = format!("/api/v1/scan-sessions/{uuid}/{part}");
        assert_eq!(other.json(Method::GET, &path, None).await.1["code"], "unknown_session");
    }
    let scene = opened["scan_link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(!opened["redeem"].to_string().contains(&scene));
    let digits = digits_in(&deployment.scan("oAnn", &opened).await);
    assert_eq!(other.enter(&opened, &digits).await.1["code"], "wrong_browser");
    assert_eq!(browser.enter(&opened, &digits).await.0, 204);
    assert_eq!(other.redeem(&opened).await.1["code"], "wrong_browser");
    other.open_login(json!({})).await;
    assert_eq!(other.redeem(&opened).await.1["code"], "wrong_browser", "with its own cookie");
    let forged = deployment.cluster.http.post(format!(
        "{}{}",
        browser.url,
        opened["redeem"].as_str().unwrap()
    ));
    let cookies: Vec<_> = browser.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let (_, refused) = send_json(forged.header(COOKIE, cookies.join("; "))).await;
    assert_eq!(refused["code"], "cross_site", "a page of another site");
    assert_eq!(
        browser.redeem(&opened).await.0,
        StatusCode::CREATED,
        "its own browser can still redeem it"
    );

    // The person refuses on the phone.
    let opened = browser.open_login(json!({})).await;
    let events = browser.request(Method::GET, opened["events"].as_str().unwrap(), None).await;
    let mut events = SseReader::new(events);
    deployment.scan("oAnn", &opened).await;
    assert!(deployment.send_text("oAnn", "0").await.contains("已拒绝"));
    while events.next().await.0 != "refused" {}
    assert_eq!(browser.redeem(&opened).await.1["code"], "login_refused");
    assert!(deployment.send_text("oAnn", "1").await.contains("已拒绝"), "a refusal is final");

    // A person who is not staff is refused, and so is a code that has expired.
    let opened = browser.open_login(json!({})).await;
    assert!(deployment.scan("oEve", &opened).await.contains("不在工作人员名单"));
    assert_eq!(browser.redeem(&opened).await.1["code"], "not_staff");
    let opened = browser.open_login(json!({})).await;
    expire_code(&deployment, opened["uuid"].as_str().unwrap()).await;
    assert!(deployment.scan("oAnn", &opened).await.contains("已失效"));
    assert_eq!(browser.redeem(&opened).await.1["code"], "session_expired");
    let opened = browser.open_login(json!({})).await;
    deployment.scan("oAnn", &opened).await;
    expire_code(&deployment, opened["uuid"].as_str().unwrap()).await;
    let late = deployment.send_text("oAnn", "1").await;
    assert!(late.contains("没有等待确认的登录"), "{late}");

    assert_eq!(manager.me().await.0, 200);
    for gateway in &deployment.gateways {
        let output = gateway.program.output();
        for secret in browser.cookies.values().chain(manager.cookies.values()) {
            assert!(secret.is_empty() || !output.contains(secret), "a secret is in the logs");
        }
        assert!(!output.contains("oAnn") && !output.contains("oEve"), "a person is in the logs");
    }
}

/// Makes a scan session expire at once, by rewriting it in the cache.
async fn expire_code(deployment: &LoginCluster, uuid: &str) {
    let options = RedisOptions::new(deployment.cluster.redis.url());
    let cache = RedisCache::connect(options).expect("the cache of the cluster");
    let key = paihao_contracts::streams::scan_session_key(uuid);
    let stored = cache.get(&key).await.unwrap().expect("a session");
    let mut session: Value = serde_json::from_slice(&stored).unwrap();
    session["expires_at"] = json!(1);
    let session = serde_json::to_vec(&session).unwrap();
    cache.put(&key, session.into(), Duration::from_secs(600)).await.unwrap();
}
