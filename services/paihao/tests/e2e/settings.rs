//! Tests of settings at run time: changes through the API reach every replica without a restart,
//! and the command line exports from one installation and imports into another.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::gateway::start_program;
use crate::support::http::{client, send_json, staff_request};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;
use wechat_sim::{Routing, SimAccount, SimConfig, SimTemplate, Simulator};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Manager's key for every site.
const OWNER_KEY: &str = "the-key-of-the-owner-alone";

const BASE_CONFIG: &str = "
    [accounts.shop]
    appid = 'wx0123456789abcdef'
    secret = '0123456789abcdef0123456789abcdef'
    callback_token = 'tokenOfTheseTests'
    mode = 'plain'
";

const HALL_CONFIG: &str = "
    [sites.hall]
    account = 'shop'
    name = '大厅'
    [sites.hall.queues.cash]
    name = '存取款'
    prefix = 'A'
    [sites.hall.counters.1]
    name = '1号窗口'
    queues = ['cash']
";

/// One process with a manager's key for every site.
struct Installation {
    program: Program,
    url: String,
    http: Client,
}

impl Installation {
    /// Starts an installation that cannot reach WeChat, which its tests do not need.
    async fn start(sites: &str) -> Installation {
        Installation::start_with(&format!("http://127.0.0.1:{}", free_port()), 0, sites).await
    }

    /// Starts an installation with the simulator's address and the size of the pool of codes, and
    /// waits until the gateway responds.
    async fn start_with(wechat: &str, pool: usize, sites: &str) -> Installation {
        let port = free_port();
        let admin = free_port();
        let text = format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            phones = '{wechat}'
            [gateway.pool]
            size = {pool}
            [admin]
            listen = '127.0.0.1:{admin}'
            [ledger]
            file = '{{dir}}/ledger.sqlite'
            [wechat]
            api = '{wechat}'
            mp = '{wechat}'
            [staff.owner]
            key = '{STAFF_KEY}'
            sites = ['*']
            {BASE_CONFIG}{sites}"
        );
        let program = start_program(&text);
        let url = format!("http://127.0.0.1:{port}");
        let installation = Installation { program, url, http: client() };
        wait_until("the gateway responds", WAIT_TIMEOUT, async || {
            let settings = format!("{}/api/v1/book", installation.url);
            let request = installation.http.get(settings).bearer_auth(STAFF_KEY);
            request.send().await.is_ok_and(|response| response.status() == StatusCode::OK)
        })
        .await;
        installation
    }

    /// Runs `paihao settings` with the manager's key.
    fn run_settings_command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
        command.args(["settings", "--gateway", &self.url]).args(arguments);
        command.env("PAIHAO_KEY", STAFF_KEY);
        command.output().expect("the program runs")
    }

    fn export(&self, format: &str) -> String {
        let output = self.run_settings_command(&["export", "--format", format]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_exported_from_one_installation_and_imported_into_another() {
    let shop = Installation::start(HALL_CONFIG).await;
    let queue = json!({"name": "贷款", "prefix": "L", "open": false}).to_string();
    let url = format!("{}/api/v1/book/sites/hall/queues/loan", shop.url);
    let put = shop.http.put(url).bearer_auth(STAFF_KEY).header("if-match", "\"0\"").body(queue);
    assert_eq!(send_json(put).await.0, StatusCode::OK);
    let toml = shop.export("toml");
    let json = shop.export("json");
    assert!(toml.contains("贷款") && !toml.contains("0123456789abcdef"), "{toml}");

    let fresh = Installation::start("").await;
    let file = |name: &str, text: &str| {
        let path = fresh.program.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let import = |arguments: &[&str]| {
        let output = fresh.run_settings_command(&[&["import"], arguments].concat());
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(printed).expect("UTF-8"))
    };
    let exported = file("settings.toml", &toml);
    let (code, printed) = import(&[&exported, "--dry-run"]);
    assert!(code == Some(0) && printed.contains("site hall"), "{printed}");
    assert!(printed.contains("would"), "{printed}");
    assert!(!fresh.export("toml").contains("hall"), "nothing was written");
    let (code, printed) = import(&[&exported]);
    assert!(code == Some(0) && printed.contains("in force"), "{printed}");
    assert_eq!(fresh.export("toml"), toml);
    let (code, printed) = import(&[&file("settings.json", &json)]);
    assert!(code == Some(0) && printed.contains("nothing changes"), "{printed}");

    // Errors name the line, or the key with advice.
    let (code, printed) = import(&[&file("broken.toml", "[sites.hall]\nname = \n")]);
    assert!(code == Some(2) && printed.contains("line 2"), "{printed}");
    let (code, printed) = import(&[&file("broken.json", "{\n  \"sites\": [}")]);
    assert!(code == Some(2) && printed.contains("line 2"), "{printed}");
    let (code, printed) =
        import(&[&file("odd.toml", &toml.replace("prefix = \"L\"", "prefix = \"A\""))]);
    assert!(code == Some(2) && printed.contains("sites.hall.queues.loan.prefix"), "{printed}");
    assert_eq!(fresh.export("toml"), toml);
}

/// Owner who changes the settings of a running deployment of one or more gateways.
struct OwnerSession<'a> {
    /// Base URLs of the gateways.
    urls: Vec<&'a str>,
    site: String,
    key: &'a str,
    http: &'a Client,
    wechat: &'a Simulator,
}

impl OwnerSession<'_> {
    /// Replaces a settings document at its current revision.
    async fn put_document(&self, path: &str, body: Value) {
        let url = format!("{}/api/v1/book/{path}", self.urls[0]);
        let document: Vec<_> = path.split('/').take(2).collect();
        let document_url = format!("{}/api/v1/book/{}", self.urls[0], document.join("/"));
        let request = self.http.get(document_url).bearer_auth(self.key);
        let current = request.send().await.expect("a response");
        let revision = current.headers().get("etag").expect("a revision");
        let put = self.http.put(url).bearer_auth(self.key).header("if-match", revision);
        let (status, response) = send_json(put.body(body.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{path}: {response}");
    }

    /// Takes a number of the queue `new` by a code of the gateway, once the gateway knows the
    /// queue. Returns the reply.
    async fn take_number(&self, gateway: usize, person: &str) -> String {
        let url = self.urls[gateway];
        let body = format!(r#"{{"purpose":"ticket","site":"{}","queue":"new"}}"#, self.site);
        let open =
            || send_json(self.http.post(format!("{url}/api/v1/scan-sessions")).body(body.clone()));
        let created = async || open().await.0 == StatusCode::CREATED;
        wait_until("the gateway has a code for the queue", WAIT_TIMEOUT, created).await;
        let opened = open().await.1;
        let link = opened["scan_link"].as_str().expect("the simulator's phones are configured");
        let code = link.split_once("?scan=").expect("a link to a code").1;
        let to = Routing { deliveries: 1, urls: vec![format!("{url}/wechat/shop")] };
        let scanned = self.wechat.scan(person, code, to).await;
        scanned.reply.unwrap_or_else(|| panic!("no reply: {:?}", scanned.pushes))
    }

    async fn post_counter_act(&self, act: &str, key: &str) {
        let url = format!("{}/api/v1/sites/{}/counters/9/{act}", self.urls[0], self.site);
        let (status, response) = send_json(staff_request(self.http, self.key, &url, key)).await;
        assert_eq!(status, StatusCode::OK, "{act}: {response}");
    }

    /// Waits for the notice of a call. Returns its field `thing3`.
    async fn call_message(&self, person: &str) -> String {
        let notified = async || !self.wechat.messages(person).is_empty();
        wait_until("the called person is notified", WAIT_TIMEOUT, notified).await;
        self.wechat.messages(person)[0].data["thing3"].clone()
    }

    /// Calls new people until a notice has the new text; until then notices have the text before.
    async fn call_until_text_changes(&self, round: &str, text: &str, before: &str) {
        for n in 0.. {
            assert!(n < 50, "no notice has the new text");
            let person = format!("o{round}{n}");
            assert!(self.take_number(0, &person).await.contains("N0"), "no number");
            self.post_counter_act("call-next", &format!("call {person}")).await;
            let message = self.call_message(&person).await;
            self.post_counter_act("finish", &format!("finish {person}")).await;
            if message == text {
                return;
            }
            assert_eq!(message, before);
        }
    }

    /// Adds a queue, a counter and wording while the processes run.
    async fn set_up_queue(&self) {
        let site = format!("sites/{}", self.site);
        let queue = |open: bool| json!({"name": "贷款", "prefix": "N", "open": open});
        self.put_document(&format!("{site}/queues/new"), queue(false)).await;
        let counter = json!({"name": "9号窗口", "queues": ["new"]});
        self.put_document(&format!("{site}/counters/9"), counter).await;
        self.put_document(&format!("{site}/queues/new"), queue(true)).await;
        for gateway in 0..self.urls.len() {
            let reply = self.take_number(gateway, &format!("oFirst{gateway}")).await;
            assert!(reply.contains(&format!("N00{}", gateway + 1)), "{reply}");
        }
        self.post_counter_act("open", "open").await;
        for n in 0..self.urls.len() {
            self.post_counter_act("call-next", &format!("first call {n}")).await;
            self.post_counter_act("finish", &format!("first finish {n}")).await;
        }
        // The text of the account changes first, then the site's wording within it.
        let account = format!("{}/api/v1/book/accounts/shop", self.urls[0]);
        let (_, mut account) = send_json(self.http.get(account).bearer_auth(self.key)).await;
        account["called"] = json!({
            "template_id": SimTemplate::DEMO_CALLED,
            "fields": {
                "thing1": "{site}", "character_string2": "{number}", "thing3": "{news}", "time4": "{time}",
            },
        });
        self.put_document("accounts/shop", account).await;
        self.call_until_text_changes("Usual", "请到9号窗口", "9号窗口").await;
        let wording = json!({"news": "有请，{counter}"});
        self.put_document(&format!("{site}/wording/called"), wording).await;
        self.call_until_text_changes("Own", "有请，9号窗口", "请到9号窗口").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_through_the_api_reach_every_replica_without_a_restart() {
    let more = "
        [staff.owner]
        key = 'the-key-of-the-owner-alone'
        sites = ['*']
    ";
    let cluster = Cluster::start_with([2, 1, 1], 1, more).await;
    let urls = cluster.gateways.iter().map(|gateway| &*gateway.url).collect();
    let http = &cluster.http;
    let wechat = &cluster.wechat;
    OwnerSession { urls, site: site_id(0), key: OWNER_KEY, http, wechat }.set_up_queue().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_through_the_api_take_effect_in_one_process_too() {
    let account = SimAccount {
        appid: "wx0123456789abcdef".into(),
        callback_token: "tokenOfTheseTests".into(),
        ..SimAccount::default()
    };
    let templates = SimTemplate::demo();
    let config = SimConfig { accounts: vec![account], templates, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("a free port");
    let called = "
        [accounts.shop.called]
        template_id = 'TEMPLATE'
        fields = { thing1 = '{site}', character_string2 = '{number}', thing3 = '{counter}', time4 = '{time}' }
    ";
    let called = called.replace("TEMPLATE", SimTemplate::DEMO_CALLED);
    let shop = Installation::start_with(&wechat.base_url(), 0, &(called + HALL_CONFIG)).await;
    let urls = vec![&*shop.url];
    OwnerSession { urls, site: "hall".into(), key: STAFF_KEY, http: &shop.http, wechat: &wechat }
        .set_up_queue()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_first_site_is_added_at_run_time_has_codes_ready() {
    let wechat = Simulator::start(SimConfig::default()).await.expect("a free port");
    let SimAccount { appid, secret, callback_token, .. } = SimAccount::default();
    let second = format!(
        "
        [accounts.second]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
        mode = 'plain'
        "
    );
    let shop = Installation::start_with(&wechat.base_url(), 3, &second).await;
    let site = json!({
        "account": "second",
        "name": "分店",
        "queues": {"cash": {"name": "存取款", "prefix": "A"}},
        "counters": {"1": {"name": "1号窗口", "queues": ["cash"]}},
    });
    let put =
        shop.http.put(format!("{}/api/v1/book/sites/branch", shop.url)).bearer_auth(STAFF_KEY);
    let put = put.header("if-match", "\"0\"").body(site.to_string());
    let (status, response) = send_json(put).await;
    assert_eq!(status, StatusCode::OK, "{response}");
    wait_until("codes are ready", WAIT_TIMEOUT, async || {
        let usage = shop.http.get(format!("{}/api/v1/sites/branch/codes", shop.url));
        send_json(usage.bearer_auth(STAFF_KEY)).await.1["ready"] == 3
    })
    .await;
}
