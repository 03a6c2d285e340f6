//! Running shop over a store of either shape, its WeChat, and the commands of the program.

use super::store::Shape;
use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, start_program, wait_until_ready};
use crate::support::http::{client, send_json, staff_request};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use wechat_sim::{ChatContent, Routing, SimAccount, SimConfig, SimTemplate, Simulator};

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything in one process, over a store of either shape.
pub struct Shop {
    pub program: Option<Program>,
    pub config: String,
    pub url: String,
    pub admin: String,
}

/// Folder with the stores of a test, its WeChat, and its client.
pub struct World {
    folder: TempDir,
    pub wechat: Simulator,
    pub http: Client,
    requests: AtomicU64,
}

impl World {
    pub async fn new() -> World {
        let config = SimConfig {
            accounts: vec![SimAccount::default()],
            templates: SimTemplate::demo(),
            ..SimConfig::default()
        };
        World {
            folder: tempfile::tempdir().unwrap(),
            wechat: Simulator::start(config).await.unwrap(),
            http: client(),
            requests: AtomicU64::new(0),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Configuration of a shop over a store of its own, which is not there yet.
    pub fn shop(&self, shape: Shape) -> Shop {
        self.shop_with(shape, "")
    }

    /// As [`World::shop`], with further keys of the ledger.
    pub fn shop_with(&self, shape: Shape, keys: &str) -> Shop {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let store = NEXT.fetch_add(1, Ordering::Relaxed);
        let ledger = match shape {
            Shape::Sqlite => {
                format!("file = '{}'", self.path(&format!("{store}.sqlite")).display())
            }
            Shape::Nats | Shape::NatsOldest => {
                format!("kind = 'nats'\nurl = '{}'\nnamespace = 'shop-{store}'", shape.nats().url())
            }
        };
        let (port, admin) = (free_port(), free_port());
        let account = SimAccount::default();
        let config = format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            phones = '{sim}'
            [admin]
            listen = '127.0.0.1:{admin}'
            [ledger]
            {ledger}
            {keys}
            [wechat]
            api = '{sim}'
            mp = '{sim}'
            [staff.desk]
            key = '{STAFF_KEY}'
            sites = ['*']
            [accounts.shop]
            appid = '{appid}'
            secret = '{secret}'
            callback_token = '{token}'
            mode = 'plain'
            [accounts.shop.called]
            template_id = '{template}'
            fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
            {HALL}
            ",
            sim = self.wechat.base_url(),
            appid = account.appid,
            secret = account.secret,
            token = account.callback_token,
            template = SimTemplate::DEMO_CALLED,
        );
        Shop {
            program: None,
            config,
            url: format!("http://127.0.0.1:{port}"),
            admin: format!("http://127.0.0.1:{admin}"),
        }
    }

    pub async fn start(&self, shop: &mut Shop) {
        shop.program = Some(start_program(&shop.config));
        self.wechat.set_callback_urls(None, [format!("{}/wechat/shop", shop.url)]);
        wait_until_ready(&self.http, &shop.admin).await;
    }

    pub async fn post(&self, shop: &Shop, path: &str, body: Value) -> (StatusCode, Value) {
        let key = format!("request {}", self.requests.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/api/v1{path}", shop.url);
        send_json(staff_request(&self.http, STAFF_KEY, &url, &key).json(&body)).await
    }

    pub async fn get(&self, shop: &Shop, path: &str, key: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/v1{path}", shop.url);
        send_json(self.http.get(url).bearer_auth(key)).await
    }

    /// Takes a number at the kiosk; `None` if the shop does not answer.
    pub async fn take(&self, shop: &Shop) -> Option<u32> {
        let key = format!("request {}", self.requests.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/api/v1/sites/hall/queues/a/tickets", shop.url);
        let request = staff_request(&self.http, STAFF_KEY, &url, &key).json(&json!({}));
        let response = request.send().await.ok()?;
        let taken: Value = response.json().await.ok()?;
        taken["number"].as_str()?.trim_start_matches('A').parse().ok()
    }

    pub async fn act(&self, shop: &Shop, act: &str) -> Value {
        let (status, result) =
            self.post(shop, &format!("/sites/hall/counters/1/{act}"), json!({})).await;
        assert_eq!(status, StatusCode::OK, "{act}: {result}");
        result
    }

    /// Scans a code of the shop as a customer.
    pub async fn scan(&self, shop: &Shop, person: &str) {
        let url = format!("{}/api/v1/scan-sessions", shop.url);
        let body = r#"{"purpose":"ticket","site":"hall","queue":"a"}"#;
        let (status, opened) = send_json(self.http.post(url).body(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let link = opened["scan_link"].as_str().unwrap();
        let code = link.split_once("?scan=").unwrap().1;
        let scanned = self.wechat.scan(person, code, Routing::default()).await;
        assert!(scanned.reply.is_some_and(|reply| reply.contains("A0")), "no number");
    }

    /// Number of cards that WeChat has shown to a person.
    pub fn cards(&self, person: &str) -> usize {
        let chat = self.wechat.chat(person);
        chat.iter().filter(|line| matches!(line.content, ChatContent::Card { .. })).count()
    }

    pub async fn digest(&self, shop: &Shop) -> Value {
        let mut digest = Value::Null;
        wait_until("the site is there", WAIT_TIMEOUT, async || {
            digest = send_json(self.http.get(format!("{}/sites/hall/digest", shop.admin))).await.1;
            digest["position"] != 0
        })
        .await;
        digest
    }

    /// Runs a command of the program on the store of a shop.
    pub async fn run(&self, shop: &Shop, arguments: &[&str]) -> Output {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}.toml", NEXT.fetch_add(1, Ordering::Relaxed));
        let config = self.write(&name, &shop.config);
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let run = move || {
            let mut command = Command::new(PROGRAM);
            command.env_clear().arg("--config").arg(config).args(arguments);
            command.output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Waits until a command succeeds: a process that has ended is counted for a moment.
    pub async fn run_when_stopped(&self, shop: &Shop, arguments: &[&str]) -> Output {
        for _ in 0..60 {
            let output = self.run(shop, arguments).await;
            let is_in_use = text(&output).contains("in use") || text(&output).contains("uses the");
            if output.status.success() || !is_in_use {
                return output;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the store stays in use");
    }
}

impl Shop {
    pub fn stop(&mut self) {
        let stopped = self.program.take().and_then(|mut program| program.stop());
        assert_eq!(stopped, Some(0), "a soft stop");
    }
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn assert_ran(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
