//! The book: what is set up through the API counts at every replica of every role without a restart;
//! and on the command line out of one installation, into a fresh one, with what is wrong told by its line.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::http::{client, send_json, staff_request};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;
use wechat_sim::{Routing, SimAccount, SimConfig, SimTemplate, Simulator};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Opens every site.
const OWNER_KEY: &str = "the-key-of-the-owner-alone";

const BASE_CONFIG: &str = "
    [accounts.shop]
    appid = 'wx0123456789abcdef'
    secret = '0123456789abcdef0123456789abcdef'
    callback_token = 'token1'
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

/// An installation with an owner's key.
struct Installation {
    program: Program,
    url: String,
    http: Client,
}

impl Installation {
    /// WeChat is not there, and not needed.
    async fn start(sites: &str) -> Installation {
        Installation::start_with(&format!("http://127.0.0.1:{}", free_port()), 0, sites).await
    }

    async fn start_with(wechat: &str, pool: usize, sites: &str) -> Installation {
        let (port, admin) = (free_port(), free_port());
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
        let program = Program::start(
            env!("CARGO_BIN_EXE_paihao"),
            &["--config", "{dir}/paihao.toml", "all"],
            &[("paihao.toml", &text)],
        );
        let (http, url) = (client(), format!("http://127.0.0.1:{port}"));
        let shop = Installation { program, url, http };
        wait_until("the gateway answers", Duration::from_secs(60), async || {
            let asked = shop.http.get(format!("{}/api/v1/book", shop.url)).bearer_auth(STAFF_KEY);
            asked.send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        shop
    }

    /// `paihao book …` with the owner's key.
    fn run_book_command(&self, typed: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
        command.args(["book", "--gateway", &self.url]).args(typed).env("PAIHAO_KEY", STAFF_KEY);
        command.output().expect("the program runs")
    }

    fn export(&self, format: &str) -> String {
        let output = self.run_book_command(&["export", "--format", format]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_comes_out_of_one_installation_and_into_a_fresh_one() {
    let shop = Installation::start(HALL_CONFIG).await;
    let queue = json!({"name": "贷款", "prefix": "L", "open": false}).to_string();
    let url = format!("{}/api/v1/book/sites/hall/queues/loan", shop.url);
    let put = shop.http.put(url).bearer_auth(STAFF_KEY).header("if-match", "\"0\"").body(queue);
    assert_eq!(send_json(put).await.0, StatusCode::OK);
    let (toml, json) = (shop.export("toml"), shop.export("json"));
    assert!(toml.contains("贷款") && !toml.contains("0123456789abcdef"), "{toml}");

    let fresh = Installation::start("").await;
    let file = |name: &str, text: &str| {
        let path = fresh.program.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let import = |typed: &[&str]| {
        let output = fresh.run_book_command(&[&["import"], typed].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("UTF-8"))
    };
    let book = file("book.toml", &toml);
    let (code, would) = import(&[&book, "--dry-run"]);
    assert!(code == Some(0) && would.contains("site hall") && would.contains("would"), "{would}");
    assert!(!fresh.export("toml").contains("hall"), "nothing was written");
    let (code, did) = import(&[&book]);
    assert!(code == Some(0) && did.contains("in force"), "{did}");
    assert_eq!(fresh.export("toml"), toml);
    let (code, same) = import(&[&file("book.json", &json)]);
    assert!(code == Some(0) && same.contains("so already"), "{same}");

    // What is wrong is told by its line, or by its key with what to do.
    let (code, told) = import(&[&file("broken.toml", "[sites.hall]\nname = \n")]);
    assert!(code == Some(2) && told.contains("line 2"), "{told}");
    let (code, told) = import(&[&file("broken.json", "{\n  \"sites\": [}")]);
    assert!(code == Some(2) && told.contains("line 2"), "{told}");
    let (code, told) =
        import(&[&file("odd.toml", &toml.replace("prefix = \"L\"", "prefix = \"A\""))]);
    assert!(code == Some(2) && told.contains("sites.hall.queues.loan.prefix"), "{told}");
    assert_eq!(fresh.export("toml"), toml);
}

/// A running installation in either shape, as an owner with a browser sees it.
struct OwnerSession<'a> {
    /// Of its gateways.
    urls: Vec<&'a str>,
    site: String,
    key: &'a str,
    http: &'a Client,
    wechat: &'a Simulator,
}

impl OwnerSession<'_> {
    /// Puts something in the book, as somebody who has just looked.
    async fn put_document(&self, path: &str, body: Value) {
        let url = format!("{}/api/v1/book/{path}", self.urls[0]);
        let whole: Vec<_> = path.split('/').take(2).collect();
        let whole = format!("{}/api/v1/book/{}", self.urls[0], whole.join("/"));
        let seen = self.http.get(whole).bearer_auth(self.key).send().await.expect("an answer");
        let seen = seen.headers().get("etag").expect("a revision").clone();
        let put = self.http.put(url).bearer_auth(self.key).header("if-match", seen);
        let (status, answer) = send_json(put.body(body.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }

    /// Somebody takes a number of the queue `new` by a code of this gateway, as soon as it has one.
    async fn take_number(&self, gateway: usize, person: &str) -> String {
        let url = self.urls[gateway];
        let body = format!(r#"{{"purpose":"ticket","site":"{}","queue":"new"}}"#, self.site);
        let open =
            || send_json(self.http.post(format!("{url}/api/v1/scan-sessions")).body(body.clone()));
        let opens = async || open().await.0 == StatusCode::CREATED;
        wait_until("the gateway has a code for the queue", WAIT_TIMEOUT, opens).await;
        let opened = open().await.1;
        let link = opened["scan_link"].as_str().expect("there are phones");
        let code = link.split_once("?scan=").expect("a link to a code").1;
        let to = Routing { deliveries: 1, to: vec![format!("{url}/wechat/shop")] };
        let scanned = self.wechat.scan(person, code, to).await;
        scanned.reply.unwrap_or_else(|| panic!("no reply: {:?}", scanned.pushes))
    }

    async fn post_counter_act(&self, what: &str, wish: &str) {
        let url = format!("{}/api/v1/sites/{}/counters/9/{what}", self.urls[0], self.site);
        let (status, answer) = send_json(staff_request(self.http, self.key, &url, wish)).await;
        assert_eq!(status, StatusCode::OK, "{what}: {answer}");
    }

    /// What somebody reads as they are called.
    async fn call_message(&self, person: &str) -> String {
        let there = async || !self.wechat.messages(person).is_empty();
        wait_until("the called person is told", WAIT_TIMEOUT, there).await;
        self.wechat.messages(person)[0].data["thing3"].clone()
    }

    /// One after another is called until a message says this; until then they say what was so before.
    async fn call_until_told(&self, round: &str, words: &str, before: &str) {
        for n in 0.. {
            assert!(n < 50, "nobody is told in the new words");
            let person = format!("o{round}{n}");
            assert!(self.take_number(0, &person).await.contains("N0"), "no number");
            self.post_counter_act("call-next", &format!("call {person}")).await;
            let told = self.call_message(&person).await;
            self.post_counter_act("finish", &format!("finish {person}")).await;
            if told == words {
                return;
            }
            assert_eq!(told, before);
        }
    }

    /// A queue, a counter and words are set up while everything runs.
    async fn set_up_queue(&self) {
        let within = format!("sites/{}", self.site);
        let queue = |open: bool| json!({"name": "贷款", "prefix": "N", "open": open});
        self.put_document(&format!("{within}/queues/new"), queue(false)).await;
        let counter = json!({"name": "9号窗口", "queues": ["new"]});
        self.put_document(&format!("{within}/counters/9"), counter).await;
        self.put_document(&format!("{within}/queues/new"), queue(true)).await;
        for gateway in 0..self.urls.len() {
            let reply = self.take_number(gateway, &format!("oFirst{gateway}")).await;
            assert!(reply.contains(&format!("N00{}", gateway + 1)), "{reply}");
        }
        self.post_counter_act("open", "open").await;
        for n in 0..self.urls.len() {
            self.post_counter_act("call-next", &format!("first call {n}")).await;
            self.post_counter_act("finish", &format!("first finish {n}")).await;
        }
        // What the account says, and then what this site says in it.
        let account = format!("{}/api/v1/book/accounts/shop", self.urls[0]);
        let (_, mut account) = send_json(self.http.get(account).bearer_auth(self.key)).await;
        account["called"] = json!({
            "template_id": SimTemplate::DEMO_CALLED,
            "fields": {
                "thing1": "{site}", "character_string2": "{number}", "thing3": "{news}", "time4": "{time}",
            },
        });
        self.put_document("accounts/shop", account).await;
        self.call_until_told("Usual", "请到9号窗口", "9号窗口").await;
        let words = json!({"news": "有请，{counter}"});
        self.put_document(&format!("{within}/wording/called"), words).await;
        self.call_until_told("Own", "有请，9号窗口", "请到9号窗口").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_sets_up_counts_at_every_replica_without_a_restart() {
    let more = "
        [staff.owner]
        key = 'the-key-of-the-owner-alone'
        sites = ['*']
    ";
    let cluster = Cluster::start_with([2, 1, 1], 1, more).await;
    let urls = cluster.gateways.iter().map(|gateway| &*gateway.url).collect();
    let (http, wechat) = (&cluster.http, &cluster.wechat);
    OwnerSession { urls, site: site_id(0), key: OWNER_KEY, http, wechat }.set_up_queue().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_sets_up_counts_in_one_process_too() {
    let account = SimAccount {
        appid: "wx0123456789abcdef".into(),
        callback_token: "token1".into(),
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
    let (http, urls) = (&shop.http, vec![&*shop.url]);
    OwnerSession { urls, site: "hall".into(), key: STAFF_KEY, http, wechat: &wechat }
        .set_up_queue()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_first_site_comes_through_the_book_has_codes_ready() {
    let wechat = Simulator::start(SimConfig::default()).await.expect("a free port");
    let SimAccount { appid, secret, callback_token, .. } = SimAccount::default();
    let second = format!(
        "
        [accounts.second]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
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
    let (status, answer) = send_json(put.header("if-match", "\"0\"").body(site.to_string())).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    wait_until("codes are ready", WAIT_TIMEOUT, async || {
        let cost = shop.http.get(format!("{}/api/v1/sites/branch/codes", shop.url));
        send_json(cost.bearer_auth(STAFF_KEY)).await.1["ready"] == 3
    })
    .await;
}
