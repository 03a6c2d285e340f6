//! Story of an account that is added while the program runs: connected through the API, verified by
//! WeChat, used, given another secret, and retired; in one process and in a cluster.

use crate::support::cluster::{Cluster, ClusterSetup, STAFF_KEY};
use crate::support::gateway::{process_configuration, start_program, wait_until_ready};
use crate::support::http::{client, send_json, staff_request};
use harness::{free_port, wait_until};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use wechat_sim::{PushMode, Routing, SimAccount, SimConfig, SimTemplate, Simulator};

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const NEW_SECRET: &str = "fedcba9876543210fedcba9876543210";

/// Account of the clinic, as in WeChat's console.
pub(crate) fn clinic() -> SimAccount {
    SimAccount {
        appid: "wx00000000c11111c0".to_owned(),
        secret: "5ecre70f7hec11n1c5ecre70f7hec11n".to_owned(),
        original_id: "gh_clinic".to_owned(),
        name: "诊所".to_owned(),
        callback_token: "tokenOfTheClinic2026".to_owned(),
        aes_key: "c11n1cdefghijklmnopqrstuvwxyz0123456789ABCD".to_owned(),
        mode: PushMode::Secure,
        ..SimAccount::default()
    }
}

/// Gateways of a deployment of either shape, as an owner and WeChat reach them.
pub(crate) struct Deployment<'a> {
    pub(crate) gateways: Vec<String>,
    pub(crate) wechat: &'a Simulator,
    pub(crate) http: Client,
    pub(crate) requests: Cell<u32>,
}

impl<'a> Deployment<'a> {
    pub(crate) fn new(gateways: Vec<String>, wechat: &'a Simulator) -> Deployment<'a> {
        Deployment { gateways, wechat, http: client(), requests: Cell::new(0) }
    }

    /// Sends a request of the owner to the first gateway, with the newest revision.
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/api/v1{path}", self.gateways[0]);
        let current = self.http.get(&url).bearer_auth(STAFF_KEY).send().await.unwrap();
        let tag = current.headers().get("etag").cloned();
        let mut request = self.http.request(method, &url).bearer_auth(STAFF_KEY);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let (status, answer) = send_json(request).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn act(&self, path: &str) {
        self.requests.set(self.requests.get() + 1);
        let key = format!("request {}", self.requests.get());
        let gateway = &self.gateways[self.requests.get() as usize % self.gateways.len()];
        let url = format!("{gateway}/api/v1/sites/clinic{path}");
        let (status, answer) = send_json(staff_request(&self.http, STAFF_KEY, &url, &key)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }

    /// Waits until WeChat, with what its console says, has verified the address at every gateway.
    async fn wait_until_verified(&self) {
        let appid = clinic().appid;
        for gateway in &self.gateways {
            let url = format!("{gateway}/wechat/clinic");
            wait_until("WeChat verifies the address", WAIT_TIMEOUT, async || {
                self.wechat.verify_server(Some(&appid), &url).await.is_ok()
            })
            .await;
        }
        let urls = self.gateways.iter().map(|gateway| format!("{gateway}/wechat/clinic"));
        self.wechat.set_callback_urls(Some(&appid), urls);
    }

    /// Takes a number by a code that is made for it, is called, and waits for the message.
    pub(crate) async fn visit(&self, person: &str) {
        let body = json!({"purpose": "ticket", "site": "clinic", "queue": "a"});
        let mut opened = Value::Null;
        // The token of an account comes a moment after the account.
        wait_until("a code can be made", WAIT_TIMEOUT, async || {
            let url = format!("{}/api/v1/scan-sessions", self.gateways[0]);
            let (status, answer) = send_json(self.http.post(url).json(&body)).await;
            opened = answer;
            status == StatusCode::CREATED
        })
        .await;
        let link = opened["scan_link"].as_str().unwrap();
        let code = link.split_once("?scan=").unwrap().1;
        let scanned = self.wechat.scan(person, code, Routing::default()).await;
        let reply = scanned.reply.clone().unwrap_or_default();
        assert!(reply.contains("取号成功"), "{scanned:?}");
        self.act("/counters/1/call-next").await;
        wait_until("the call is told", WAIT_TIMEOUT, async || {
            !self.wechat.messages(person).is_empty()
        })
        .await;
        self.act("/counters/1/finish").await;
    }

    /// Connects the clinic's account, and has WeChat verify it. Returns the answer.
    pub(crate) async fn connect(&self) -> Value {
        let account = clinic();
        let added = self
            .put(
                "/accounts/clinic",
                json!({
                    "appid": account.appid,
                    "secret": account.secret,
                    "callback_token": account.callback_token,
                    "aes_key": account.aes_key,
                }),
            )
            .await;
        self.wait_until_verified().await;
        added
    }

    /// Binds a template for the call, by which it is told.
    pub(crate) async fn bind_template(&self) {
        let template = json!({
            "template_id": SimTemplate::DEMO_CALLED,
            "fields": {
                "thing1": "{site}",
                "character_string2": "{number}",
                "thing3": "{counter}",
                "time4": "{time}",
            },
        });
        self.put("/book/accounts/clinic", json!({"called": template})).await;
    }

    /// Sets the clinic up, and opens its counter.
    pub(crate) async fn set_up_site(&self) {
        let site = json!({
            "account": "clinic",
            "name": "诊所",
            "queues": {"a": {"name": "全科", "prefix": "C"}},
            "counters": {"1": {"name": "1诊室", "queues": ["a"]}},
        });
        self.put("/book/sites/clinic", site).await;
        let counter = format!("{}/api/v1/sites/clinic", self.gateways[self.gateways.len() - 1]);
        wait_until("every gateway has the site", WAIT_TIMEOUT, async || {
            send_json(self.http.get(&counter)).await.0 == StatusCode::OK
        })
        .await;
        self.act("/counters/1/open").await;
    }

    /// The story. Returns everything that the API told, but for the answer with what was made.
    async fn story(&self) -> String {
        let account = clinic();
        let added = self.connect().await;
        self.bind_template().await;
        self.set_up_site().await;
        self.visit("oFirstOfTheClinic").await;

        // The console makes another secret, with which the present token ends.
        self.wechat.set_secret(Some(&account.appid), NEW_SECRET);
        self.wechat.kill_tokens(Some(&account.appid), wechat_sim::TokenInvalidation::Replaced);
        let replaced =
            self.put("/accounts/clinic", json!({"appid": account.appid, "secret": NEW_SECRET}));
        let replaced = replaced.await;
        let keys: Vec<_> = replaced["changed"].as_array().unwrap().iter().collect();
        assert_eq!(keys, [&json!({"key": "secret", "before": "***", "after": "***"})]);
        self.visit("oSecondOfTheClinic").await;

        let mut told = added.to_string() + &replaced.to_string();
        for path in ["/accounts", "/book", "/book?format=toml", "/book/changes", "/audit"] {
            let url = format!("{}/api/v1{path}", self.gateways[0]);
            let request = self.http.get(url).bearer_auth(STAFF_KEY);
            told.push_str(&request.send().await.unwrap().text().await.unwrap());
        }
        self.act("/counters/1/close").await;
        self.send(Method::DELETE, "/book/sites/clinic", None).await;
        self.send(Method::DELETE, "/accounts/clinic", None).await;
        for gateway in &self.gateways {
            let url = format!("{gateway}/wechat/clinic?signature=x&timestamp=1&nonce=n");
            wait_until("the account is unknown", WAIT_TIMEOUT, async || {
                self.http.get(&url).send().await.unwrap().status() == StatusCode::NOT_FOUND
            })
            .await;
        }
        told
    }
}

/// Checks that none of the account's secrets is in a text or file, by its name.
pub(crate) fn assert_no_secret(name: &str, bytes: &[u8]) {
    let SimAccount { secret, callback_token, aes_key, .. } = clinic();
    for hidden in [&*secret, NEW_SECRET, &*callback_token, &*aes_key] {
        let found = bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes());
        assert!(!found, "{hidden} is in {name}");
    }
}

/// Checks all files below a folder but the configuration. Returns their size together.
fn assert_no_secret_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                return assert_no_secret_below(&path);
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            assert_no_secret(&path.display().to_string(), &bytes);
            bytes.len()
        })
        .sum()
}

/// Makes a backup by the command, and checks it. The ledger's text is in it as it is stored.
fn assert_no_secret_in_backup(folder: &Path, config: &Path) {
    let file = folder.join("of-the-story.backup");
    let made = Command::new(PROGRAM).arg("--config").arg(config).arg("backup").arg(&file).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.windows(9).any(|window| window == b"wx0000000"), "the account is in it");
    assert_no_secret("the backup", &bytes);
}

pub(crate) async fn simulator(listen: u16) -> Simulator {
    let listen = format!("127.0.0.1:{listen}").parse().unwrap();
    let accounts = vec![clinic()];
    let templates = SimTemplate::demo();
    let config = SimConfig { listen, accounts, templates, ..SimConfig::default() };
    Simulator::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_account_is_added_to_one_process_that_has_none() {
    let wechat = simulator(0).await;
    let (port, admin) = (free_port(), free_port());
    let sim = wechat.base_url();
    let mut configuration = process_configuration(port, admin, &sim);
    configuration.push_str(&format!(
        "
        gateway.phones = '{sim}'
        ledger.write_version = 2
        [staff.owner]
        key = '{STAFF_KEY}'
        sites = ['*']
        "
    ));
    let mut program = start_program(&configuration);
    let admin = format!("http://127.0.0.1:{admin}");
    wait_until_ready(&client(), &admin).await;
    let deployment = Deployment::new(vec![format!("http://127.0.0.1:{port}")], &wechat);
    let told = deployment.story().await;
    assert_no_secret("the answers of the API", told.as_bytes());
    wait_until("its keeper has ended", WAIT_TIMEOUT, async || {
        program.output().contains(r#"removed=["clinic"]"#)
    })
    .await;
    assert_no_secret("the output", program.output().as_bytes());
    let folder = program.folder().to_owned();
    assert_no_secret_in_backup(&folder, &folder.join("paihao.toml"));
    program.stop();
    assert!(assert_no_secret_below(&folder) > 10_000, "the store was searched");
    // The key seals what is there: without it the program does not start, and says why.
    let key = folder.join("operator.key");
    let moved = folder.join("elsewhere.key");
    std::fs::rename(&key, &moved).unwrap();
    let refused = start_again(&folder);
    assert!(refused.contains("operator.key is missing"), "{refused}");
    assert!(!key.exists(), "no other one is made");
    std::fs::rename(&moved, &key).unwrap();
    program.restart();
    wait_until_ready(&client(), &admin).await;
}

/// Starts the program over the files of a folder, which ends at once. Returns what it said.
fn start_again(folder: &Path) -> String {
    let config = folder.join("paihao.toml");
    let ended = Command::new(PROGRAM).arg("--config").arg(config).arg("all").output().unwrap();
    assert!(!ended.status.success());
    String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout)
}

/// Starts a cluster that seals the secrets of accounts, with [`clinic`] known to WeChat alone.
pub(crate) async fn start_cluster_with_clinic(processes: [usize; 3]) -> Cluster {
    let key = paihao_chassis::sealing::Keyring::generate_key();
    let variable = |name: &str, value: &str| (name.into(), value.into());
    let setup = ClusterSetup {
        processes,
        extra_sites: vec!["*".to_owned()],
        further_accounts: vec![clinic()],
        environment: vec![
            variable("PAIHAO__LEDGER__WRITE_VERSION", "2"),
            variable("PAIHAO__SECRETS__KEY", &key),
        ],
        ..ClusterSetup::default()
    };
    Cluster::start_setup(setup).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_added_to_a_cluster_while_all_roles_run() {
    let cluster = start_cluster_with_clinic([2, 1, 1]).await;
    let gateways = cluster.gateways.iter().map(|gateway| gateway.url.clone()).collect();
    let deployment = Deployment::new(gateways, &cluster.wechat);
    let told = deployment.story().await;
    assert_no_secret("the answers of the API", told.as_bytes());
    let token = &cluster.tokens[0].program;
    wait_until("its keeper has ended", WAIT_TIMEOUT, async || {
        token.output().contains(r#"removed=["clinic"]"#)
    })
    .await;
    let processes = cluster.gateways.iter().chain(&cluster.tokens).chain(&cluster.notifiers);
    for process in processes {
        assert_no_secret("the output", process.program.output().as_bytes());
    }
    let folder = cluster.gateways[0].program.folder();
    assert_no_secret_in_backup(folder, &folder.join("paihao.toml"));
    for server in cluster.nats.servers() {
        assert!(assert_no_secret_below(server.data_folder()) > 10_000, "the store was searched");
    }
}
