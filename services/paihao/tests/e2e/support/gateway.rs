//! Deployment of one process: its start, and one with an account in each mode of callbacks.

use crate::support::cluster::STAFF_KEY;
use crate::support::http::{client, send_json};
use harness::{Program, free_port, wait_until};
use paihao_chassis::clock::{Clock, SystemClock};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use wechat_sim::{
    ActionOutcome, PushMode, PushOverrides, ReplyOutcome, Routing, SimAccount, SimConfig, Simulator,
};

/// Configuration of a hall of the account `shop` with one queue and one counter.
pub const HALL: &str = "
    [sites.hall]
    account = 'shop'
    name = '大厅'
    [sites.hall.queues.a]
    name = '业务'
    prefix = 'A'
    [sites.hall.counters.1]
    name = '1号窗口'
    queues = ['a']
";

/// Beginning of the configuration of one process: its ports, its file and WeChat. More keys of
/// these sections follow as `gateway.public = '…'`, before any other section.
pub fn process_configuration(port: u16, admin: u16, wechat: &str) -> String {
    format!(
        "
        gateway.listen = '127.0.0.1:{port}'
        admin.listen = '127.0.0.1:{admin}'
        ledger.file = '{{dir}}/ledger.sqlite'
        wechat.api = '{wechat}'
        wechat.mp = '{wechat}'
        "
    )
}

/// Address at which no WeChat answers.
pub const NO_WECHAT: &str = "http://127.0.0.1:1/";

/// Starts `paihao all` with the text of its configuration.
pub fn start_program(configuration: &str) -> Program {
    Program::start(
        env!("CARGO_BIN_EXE_paihao"),
        &["--config", "{dir}/paihao.toml", "all"],
        &[("paihao.toml", configuration)],
    )
}

/// Waits until the process with this admin port is ready, for at most 60 s.
pub async fn wait_until_ready(http: &Client, admin: &str) {
    let url = format!("{admin}/ready");
    wait_until("the program is ready", Duration::from_secs(60), async || {
        let response = http.get(&url).send().await;
        response.is_ok_and(|response| response.status() == StatusCode::OK)
    })
    .await;
}

/// Accounts of the tests: name, configured mode and WeChat's mode. The account `changing` has new
/// credentials in the configuration beside the former ones, and WeChat still uses the former ones.
pub const TEST_ACCOUNTS: [(&str, &str, PushMode); 4] = [
    ("plain", "plain", PushMode::Plain),
    ("compatible", "compatible", PushMode::Compatible),
    ("secure", "secure", PushMode::Secure),
    ("changing", "secure", PushMode::Secure),
];

/// Process with four accounts of two sites each, and a simulated WeChat.
pub struct ModesDeployment {
    pub program: Program,
    pub wechat: Simulator,
    pub http: Client,
    pub url: String,
    /// Base URL of the admin port.
    pub admin: String,
}

/// Account as in WeChat's console. The AES key of the last one is not canonical base64.
pub fn console_account(i: usize) -> SimAccount {
    let (_, _, mode) = TEST_ACCOUNTS[i];
    SimAccount {
        appid: format!("wx00000000000000{i:02}"),
        original_id: format!("gh_{i}"),
        callback_token: format!("tokenOfShop{i}"),
        aes_key: format!("{i}bcdefghijklmnopqrstuvwxyz0123456789ABCDEF{i}"),
        mode,
        ..SimAccount::default()
    }
}

impl ModesDeployment {
    /// Starts the deployment, waits until it is ready, and registers its callbacks at WeChat.
    pub async fn start() -> ModesDeployment {
        let config =
            SimConfig { accounts: (0..4).map(console_account).collect(), ..SimConfig::default() };
        let wechat = Simulator::start(config).await.unwrap();
        let port = free_port();
        let admin = free_port();
        let mut text = process_configuration(port, admin, &wechat.base_url());
        let _ = write!(
            text,
            "
            [staff.tests]
            key = '{STAFF_KEY}'
            sites = ['plain-one']
            "
        );
        for (i, (name, mode, _)) in TEST_ACCOUNTS.iter().enumerate() {
            let SimAccount { appid, secret, callback_token, aes_key, .. } = console_account(i);
            let credentials = match *name {
                "changing" => format!(
                    "callback_token = 'theNewToken'\n aes_key = '{}'\n \
                     former_callback_token = '{callback_token}'\n former_aes_key = '{aes_key}'",
                    "N".repeat(43)
                ),
                _ => format!("callback_token = '{callback_token}'\n aes_key = '{aes_key}'"),
            };
            let _ = write!(
                text,
                "
                [accounts.{name}]
                appid = '{appid}'
                secret = '{secret}'
                mode = '{mode}'
                {credentials}
                greeting = '欢迎来到{name}'
                keywords = {{ '排队' = 'my_ticket', '退号' = 'leave' }}
                [accounts.{name}.menu]
                MY = 'my_ticket'
                BYE = 'leave'
                "
            );
            for site in ["one", "two"] {
                let _ = write!(
                    text,
                    "
                    [sites.{name}-{site}]
                    account = '{name}'
                    name = '{name}-{site}'
                    [sites.{name}-{site}.queues.a]
                    name = '业务'
                    prefix = 'A'
                    [sites.{name}-{site}.counters.1]
                    name = '1号窗口'
                    queues = ['a']
                    "
                );
            }
        }
        let program = start_program(&text);
        let url = format!("http://127.0.0.1:{port}");
        let http = client();
        let admin = format!("http://127.0.0.1:{admin}");
        wait_until_ready(&http, &admin).await;
        for (i, (name, _, _)) in TEST_ACCOUNTS.iter().enumerate() {
            let callback = format!("{url}/wechat/{name}");
            let appid = console_account(i).appid;
            assert_eq!(wechat.verify_server(Some(&appid), &callback).await, Ok(()), "{name}");
            wechat.set_callback_urls(Some(&appid), [callback]);
        }
        ModesDeployment { program, wechat, http, url, admin }
    }

    /// Reads the number of waiting tickets at a site.
    pub async fn waiting_counts(&self, site: &str) -> Value {
        let url = format!("{}/api/v1/sites/{site}", self.url);
        send_json(self.http.get(url)).await.1["queues"][0]["waiting_count"].take()
    }

    /// Scans the permanent code of a site. Returns the reply to each delivery.
    pub async fn scan(&self, i: usize, person: &str, site: &str, deliveries: usize) -> Vec<String> {
        let body =
            scan_body(&console_account(i), person, &format!("q_{}-{site}_a", TEST_ACCOUNTS[i].0));
        let routing = Routing { deliveries, ..Routing::default() };
        let appid = console_account(i).appid;
        let forged = PushOverrides::default();
        let pushes = self.wechat.push_raw(Some(&appid), person, &body, routing, forged).await;
        let text = |push: &std::sync::Arc<wechat_sim::PushRecord>| match &push.answer {
            ReplyOutcome::Text { content } => content.clone(),
            other => panic!("{}: {other:?}", TEST_ACCOUNTS[i].0),
        };
        pushes.iter().map(text).collect()
    }

    /// Sends a text as a customer.
    pub async fn send_text(&self, i: usize, person: &str, text: &str) -> ActionOutcome {
        let appid = console_account(i).appid;
        let routing = Routing::default();
        self.wechat.send_text(Some(&appid), person, text, routing).await.expect("a follower")
    }

    /// Clicks a key of the account's menu as a customer; the event is delivered twice.
    pub async fn click(&self, i: usize, person: &str, key: &str) -> ActionOutcome {
        let appid = console_account(i).appid;
        let routing = Routing { deliveries: 2, ..Routing::default() };
        self.wechat.click(Some(&appid), person, key, routing).await.expect("a follower")
    }
}

/// Body of a scan event as WeChat pushes it, unique by its ticket.
pub fn scan_body(account: &SimAccount, person: &str, scene: &str) -> String {
    static TICKETS: AtomicU32 = AtomicU32::new(0);
    let at = SystemClock.now_ms() / 1000;
    let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
    format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName>\n<FromUserName><![CDATA[{person}]]></FromUserName>\n\
         <CreateTime>{at}</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[SCAN]]></Event>\n\
         <EventKey><![CDATA[{scene}]]></EventKey>\n<Ticket><![CDATA[T{ticket}]]></Ticket>\n</xml>",
        account.original_id
    )
}
