//! Tests behind a real nginx: with nothing but `proxy_pass`, and with the configuration that is
//! shipped.

use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{
    HALL, process_configuration, scan_body, start_program, wait_until_ready,
};
use crate::support::http::{client, send_json, staff_request};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use wechat_sim::{PushOverrides, ReplyOutcome, Routing, SimAccount, SimConfig, Simulator};

const SHIPPED: &str = include_str!("../../../../deploy/nginx.conf");

/// Time limit of the gateway for a callback, and of WeChat.
const REPLY_TIMEOUTS: [Duration; 2] = [Duration::from_millis(4500), Duration::from_secs(5)];

/// Configuration with nothing but `proxy_pass`.
fn bare_configuration(port: u16, upstream: u16) -> String {
    format!(
        "
        pid {{dir}}/nginx.pid;
        error_log stderr;
        events {{}}
        http {{
            access_log off;
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
            }}
        }}
        "
    )
}

/// Shipped configuration with the addresses of this machine in place of the container's.
fn shipped_configuration(port: u16, upstream: u16) -> String {
    let changes = [
        ("resolver 127.0.0.11 valid=5s ipv6=off;", String::new()),
        ("server gateway:8080 resolve ", format!("server 127.0.0.1:{upstream} ")),
        ("listen 8080;", format!("listen 127.0.0.1:{port};")),
        ("pid /tmp/nginx.pid;", "pid {dir}/nginx.pid;".to_owned()),
        ("error_log /dev/stderr crit;", "error_log stderr crit;".to_owned()),
        ("access_log /dev/stdout brief;", "access_log {dir}/access.log brief;".to_owned()),
    ];
    changes.iter().fold(SHIPPED.to_owned(), |text, (shipped, here)| {
        assert_eq!(text.matches(shipped).count(), 1, "{shipped}");
        text.replace(shipped, here)
    })
}

/// Starts nginx and waits until it accepts connections.
async fn start_nginx(configuration: &str, port: u16) -> Program {
    let arguments = ["-p", "{dir}", "-c", "{dir}/nginx.conf", "-g", "daemon off;"];
    let nginx = Program::start(harness::nginx(), &arguments, &[("nginx.conf", configuration)]);
    wait_until("nginx listens", Duration::from_secs(20), async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
    nginx
}

/// Gateway behind nginx, with a ticket, a scan session, a login and an invitation.
struct Deployment {
    _program: Program,
    nginx: Program,
    wechat: Simulator,
    http: Client,
    url: String,
    /// Values of the parameters of paths, by operation and name.
    parameters: BTreeMap<(String, String), String>,
    /// Cookie of the browser that logs in.
    cookie: String,
}

impl Deployment {
    async fn start(configuration: impl Fn(u16, u16) -> String) -> Deployment {
        let account = SimAccount::default();
        let config = SimConfig { accounts: vec![account.clone()], ..SimConfig::default() };
        let wechat = Simulator::start(config).await.unwrap();
        let (port, upstream, admin) = (free_port(), free_port(), free_port());
        let url = format!("http://127.0.0.1:{port}");
        let text = format!(
            "
            {process}
            gateway.public = '{url}'
            [login]
            account = 'shop'
            [staff.tests]
            key = '{STAFF_KEY}'
            sites = ['*']
            [accounts.shop]
            appid = '{appid}'
            secret = '{secret}'
            callback_token = '{token}'
            mode = 'plain'
            {HALL}
            ",
            process = process_configuration(upstream, admin, &wechat.base_url()),
            appid = account.appid,
            secret = account.secret,
            token = account.callback_token,
        );
        let program = start_program(&text);
        let http = client();
        wait_until_ready(&http, &format!("http://127.0.0.1:{admin}")).await;
        let nginx = start_nginx(&configuration(port, upstream), port).await;
        wechat.set_callback_urls(Some(&account.appid), [format!("{url}/wechat/shop")]);

        let body = scan_body(&account, "oAnn", "q_hall_a");
        let forged = PushOverrides::default();
        let appid = Some(&*account.appid);
        let pushes = wechat.push_raw(appid, "oAnn", &body, Routing::default(), forged).await;
        let ReplyOutcome::Text { content } = &pushes[0].answer else { panic!("{pushes:?}") };
        let link = content.split("/t/hall/").nth(1).expect("a link to the ticket");
        let id = link.split('"').next().unwrap().to_owned();

        let post = |path: &str, body: Value| {
            let url = format!("{url}/api/v1/{path}");
            staff_request(&http, STAFF_KEY, &url, path).body(body.to_string())
        };
        let uuid = |created: &Value| created["uuid"].as_str().expect("a uuid").to_owned();
        let session = post("scan-sessions", json!({"site": "hall", "queue": "a"}));
        let session = uuid(&send_json(session).await.1);
        let member = json!({"name": "Ben", "role": "manager", "sites": ["hall"]});
        let invitation = uuid(&send_json(post("invitations", member)).await.1);
        let login = http.post(format!("{url}/api/v1/logins")).body("{}");
        let login = login.header("x-paihao-page", "1").send().await.unwrap();
        let cookie = login.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let login = uuid(&login.json().await.unwrap());

        let parameters = [
            ("scan_session_events", "uuid", session),
            ("invitation_events", "uuid", invitation),
            ("login_events", "uuid", login),
            ("held_ticket_events", "id", id),
        ];
        let parameters = parameters
            .into_iter()
            .map(|(operation, name, value)| ((operation.to_owned(), name.to_owned()), value));
        let parameters = parameters.collect();
        Deployment { _program: program, nginx, wechat, http, url, parameters, cookie }
    }

    /// Operations of the gateway's own document whose answer is a stream of events: id and path.
    async fn event_streams(&self) -> Vec<(String, String)> {
        let document = self.http.get(format!("{}/api/v1/openapi.json", self.url));
        let (status, document) = send_json(document).await;
        assert_eq!(status, StatusCode::OK);
        let mut streams = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for operation in operations.as_object().unwrap().values() {
                let content = &operation["responses"]["200"]["content"];
                if content.get("text/event-stream").is_some() {
                    let id = operation["operationId"].as_str().unwrap().to_owned();
                    streams.push((id, path.clone()));
                }
            }
        }
        streams
    }

    /// Path with the values of its parameters.
    fn fill(&self, operation: &str, path: &str) -> String {
        let segments = path.split('/').map(|segment| {
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                None => segment,
                Some("site") => "hall",
                Some(name) => self
                    .parameters
                    .get(&(operation.to_owned(), name.to_owned()))
                    .unwrap_or_else(|| panic!("{operation} has a new parameter {name}")),
            }
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Opens every stream and waits for its first bytes, while it stays open.
    async fn check_event_streams(&self) {
        let streams = self.event_streams().await;
        assert!(streams.len() >= 7, "{streams:?}");
        let checks = streams.iter().map(async |(operation, path)| {
            let url = format!("{}{}", self.url, self.fill(operation, path));
            let request = self.http.get(url).bearer_auth(STAFF_KEY).header("cookie", &self.cookie);
            let mut response = request.send().await.unwrap_or_else(|e| panic!("{operation}: {e}"));
            assert_eq!(response.status(), StatusCode::OK, "{operation}");
            let chunk = response.chunk().await.unwrap_or_else(|e| panic!("{operation}: {e}"));
            let chunk = String::from_utf8(chunk.unwrap_or_default().to_vec()).unwrap();
            assert!(chunk.contains("data:"), "{operation}: {chunk:?}");
        });
        futures::future::join_all(checks).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_of_events_arrives_at_once_through_a_bare_proxy() {
    let deployment = Deployment::start(bare_configuration).await;
    deployment.check_event_streams().await;
    deployment.wechat.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_configuration_serves_callbacks_and_streams() {
    let deployment = Deployment::start(shipped_configuration).await;
    deployment.check_event_streams().await;
    assert_eq!(deployment.wechat.stats().pushes_failed, 0);
    deployment.wechat.stop().await;
    let log = std::fs::read_to_string(deployment.nginx.folder().join("access.log")).unwrap();
    assert!(log.lines().any(|line| line.contains(" callback ")), "{log}");
    let secrets = deployment.parameters.values().map(String::as_str).chain(["oAnn", "signature"]);
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the access log:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_configuration_gives_a_callback_more_time_than_the_gateway_takes() {
    // A gateway that accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = silent.local_addr().unwrap().port();
    let port = free_port();
    let nginx = start_nginx(&shipped_configuration(port, upstream), port).await;
    let url = format!("http://127.0.0.1:{port}/wechat/shop");
    let started = Instant::now();
    let response = client().post(url).body("<xml/>").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(started.elapsed() > REPLY_TIMEOUTS[0], "{:?}", started.elapsed());
    let limit = SHIPPED.split("proxy_read_timeout ").nth(1).unwrap().split("ms").next().unwrap();
    let limit = Duration::from_millis(limit.parse().unwrap());
    assert!(REPLY_TIMEOUTS[0] < limit && limit < REPLY_TIMEOUTS[1], "{limit:?}");
    drop(nginx);
}
