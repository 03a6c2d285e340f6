//! Tests of a rehearsal's begin and end: the process may be killed at any moment of either, and is
//! on one side or the other then, with every setting.

use crate::support::http::client;
use harness::{Program, free_port, wait_until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Moments of a kill after the request, in milliseconds: while the stores are written, while the
/// process stops, and while it starts again.
const KILLED_AFTER_MS: [u64; 8] = [0, 1, 3, 8, 20, 60, 150, 500];

/// Program that was started with nothing, and its first manager's browser.
struct Deployment {
    program: Program,
    url: String,
    client: Client,
    cookie: String,
}

impl Deployment {
    async fn start() -> Deployment {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let set = [
            ("GATEWAY__LISTEN", format!("127.0.0.1:{port}")),
            ("GATEWAY__PUBLIC", url.clone()),
            ("ADMIN__LISTEN", format!("127.0.0.1:{}", free_port())),
            ("WECHAT__API", "http://127.0.0.1:9/".to_owned()),
        ];
        let environment: Vec<(OsString, OsString)> =
            set.map(|(key, value)| (format!("PAIHAO__{key}").into(), value.into())).into();
        let program = Program::start_with(PROGRAM, &[], &[], environment.clone());
        wait_until("the program runs", START_TIMEOUT, async || {
            program.output().contains("paihao first-manager")
        })
        .await;
        let mut command = Command::new(PROGRAM);
        command.arg("first-manager").current_dir(program.folder()).envs(environment);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        let (_, code) = text.split_once("#first=").expect("a link");
        let code = code.split_whitespace().next().expect("a code");
        let client = client();
        let first = client
            .post(format!("{url}/api/v1/first-manager"))
            .header("x-paihao-page", "1")
            .json(&json!({ "code": code }))
            .send()
            .await
            .unwrap();
        let cookie = first.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        Deployment { program, url, client, cookie }
    }

    /// Sends a request of the manager's browser. `None` while the process does not answer.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let url = format!("{}/api/v1/{path}", self.url);
        let request = self.client.request(method, url).header("cookie", &self.cookie);
        let request = request.header("x-paihao-page", "1");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.ok()?;
        Some((response.status().as_u16(), response.json().await.ok()?))
    }

    async fn state(&self) -> Option<String> {
        let (status, view) = self.send(Method::GET, "rehearsal", None).await?;
        assert_eq!(status, 200, "the browser is logged in: {view}");
        Some(view["state"].as_str().expect("a state").to_owned())
    }

    async fn wait_for_state(&self, wanted: &str) {
        wait_until(&format!("rehearsals are {wanted}"), START_TIMEOUT, async || {
            self.state().await.as_deref() == Some(wanted)
        })
        .await;
    }

    /// Ids of the sites whose settings there are.
    async fn sites(&self) -> Vec<String> {
        let (_, sites) = self.send(Method::GET, "book/sites", None).await.expect("an answer");
        let sites = sites.as_array().expect("a list").iter();
        sites.map(|site| site["site"].as_str().expect("an id").to_owned()).collect()
    }

    async fn set_site(&self, id: &str) {
        let site = json!({
            "account": "shop", "name": "老街面馆",
            "queues": { "a": { "name": "小桌", "prefix": "A" } },
            "counters": { "1": { "name": "迎宾台", "queues": ["a"] } },
        });
        let path = format!("book/sites/{id}");
        let (status, answer) = self.send(Method::PUT, &path, Some(&site)).await.expect("an answer");
        assert_eq!(status, 200, "{answer}");
    }

    /// Sends a request that has the process start again, and kills it after a time.
    async fn killed_after(&mut self, method: Method, path: &str, ms: u64) {
        let request = self.send(method, path, None);
        let _ = tokio::time::timeout(Duration::from_millis(ms), request).await;
        self.program.restart();
        wait_until("it runs again", START_TIMEOUT, async || self.state().await.is_some()).await;
    }

    /// Names of the files beside the ledger.
    fn files(&self) -> Vec<String> {
        let folder = self.program.folder().join("paihao-data");
        let files = std::fs::read_dir(folder).expect("a folder").flatten();
        files.map(|file| file.file_name().into_string().expect("a plain name")).collect()
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_one_side_with_every_setting() {
    let mut deployment = Deployment::start().await;
    assert_eq!(deployment.state().await.as_deref(), Some("ready"));
    let mut expected = Vec::new();
    for (round, ms) in KILLED_AFTER_MS.into_iter().enumerate() {
        deployment.killed_after(Method::POST, "rehearsal", ms).await;
        if deployment.state().await.as_deref() == Some("ready") {
            deployment.send(Method::POST, "rehearsal", None).await;
        }
        deployment.wait_for_state("running").await;
        assert_eq!(deployment.sites().await, expected, "round {round}");

        let site = format!("shop-{round}");
        deployment.set_site(&site).await;
        expected.push(site);
        deployment.killed_after(Method::DELETE, "rehearsal", ms).await;
        assert_eq!(deployment.sites().await, expected, "round {round}");
        if deployment.state().await.as_deref() == Some("running") {
            deployment.send(Method::DELETE, "rehearsal", None).await;
        }
        deployment.wait_for_state("ready").await;
        assert_eq!(deployment.sites().await, expected, "round {round}");
        let files = deployment.files();
        assert!(!files.iter().any(|file| file.contains("rehearsal")), "{files:?}");
    }

    // What is thrown away is not taken over, and the real side was not touched meanwhile.
    deployment.send(Method::POST, "rehearsal", None).await;
    deployment.wait_for_state("running").await;
    deployment.set_site("thrown-away").await;
    let real =
        json!({ "appid": "wx1234567890abcdef", "secret": "0123456789abcdef0123456789abcdef" });
    let (status, refused) =
        deployment.send(Method::PUT, "accounts/real", Some(&real)).await.expect("an answer");
    assert_eq!((status, &refused["code"]), (409, &json!("rehearsing")));
    deployment.send(Method::DELETE, "rehearsal?keep_settings=false", None).await;
    deployment.wait_for_state("ready").await;
    assert_eq!(deployment.sites().await, expected);
}
