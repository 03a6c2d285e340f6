//! Deployment of several processes: real NATS and Redis, and replicas of every role.

use crate::support::http::{client, send_json};
use futures::StreamExt;
use harness::{NatsServer, Program, RedisServer, free_port, wait_until};
use paihao_contracts::streams::Log;
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;
use wechat_sim::{SimAccount, SimConfig, SimTemplate, Simulator};

/// Staff key of every deployment in the tests.
pub const STAFF_KEY: &str = "a-key-of-the-tests-alone";

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");

/// Running process of one role.
pub struct ProgramProcess {
    pub program: Program,
    /// Base URL of the admin port.
    pub admin: String,
    /// Base URL of the pages; of use in a gateway only.
    pub url: String,
}

/// Running deployment with its stores and a simulated WeChat.
pub struct Cluster {
    pub nats: NatsServer,
    pub redis: RedisServer,
    pub wechat: Simulator,
    pub gateways: Vec<ProgramProcess>,
    pub tokens: Vec<ProgramProcess>,
    pub notifiers: Vec<ProgramProcess>,
    pub http: Client,
    sites: usize,
    /// Further sections of every process's configuration.
    extra_config: &'static str,
}

impl Cluster {
    /// Starts two gateways, two token services and two notifiers with so many sites, and waits
    /// until they are ready. Each site has one queue and two counters.
    pub async fn start(sites: usize) -> Cluster {
        Cluster::start_with([2, 2, 2], sites, "").await
    }

    /// Starts gateways alone, with one site and `more` configuration, and waits until they are
    /// ready.
    pub async fn start_gateways(gateways: usize, more: &'static str) -> Cluster {
        Cluster::start_with([gateways, 0, 0], 1, more).await
    }

    /// Starts so many processes of each role, and waits until they are ready.
    pub async fn start_with(
        [gateways, tokens, notifiers]: [usize; 3],
        sites: usize,
        more: &'static str,
    ) -> Cluster {
        let config = SimConfig {
            accounts: vec![SimAccount::default()],
            templates: SimTemplate::demo(),
            ..SimConfig::default()
        };
        let wechat = Simulator::start(config).await.expect("a free port");
        let mut cluster = Cluster {
            nats: NatsServer::start(),
            redis: RedisServer::start(),
            wechat,
            gateways: Vec::new(),
            tokens: Vec::new(),
            notifiers: Vec::new(),
            http: client(),
            sites,
            extra_config: more,
        };
        cluster.gateways = (0..gateways).map(|_| cluster.add_process("gateway")).collect();
        cluster.tokens = (0..tokens).map(|_| cluster.add_process("token")).collect();
        cluster.notifiers = (0..notifiers).map(|_| cluster.add_process("notifier")).collect();
        for process in cluster.processes() {
            cluster.wait_until_ready(process).await;
        }
        cluster
    }

    fn processes(&self) -> impl Iterator<Item = &ProgramProcess> {
        self.gateways.iter().chain(&self.tokens).chain(&self.notifiers)
    }

    /// Starts a further replica of a role, without waiting for it.
    pub fn add_process(&self, role: &str) -> ProgramProcess {
        let port = free_port();
        let admin = free_port();
        let files = [("paihao.toml", &*self.configuration(port, admin))];
        ProgramProcess {
            program: Program::start(PROGRAM, &["--config", "{dir}/paihao.toml", role], &files),
            admin: format!("http://127.0.0.1:{admin}"),
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Text of the configuration of one process, with its ports.
    pub fn configuration(&self, port: u16, admin: u16) -> String {
        let account = SimAccount::default();
        let mut text = format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            phones = '{wechat}'
            [admin]
            listen = '127.0.0.1:{admin}'
            [log]
            filter = 'info,async_nats=warn,paihao_notifier=debug'
            [ledger]
            kind = 'nats'
            url = '{nats}'
            [cache]
            kind = 'redis'
            url = '{redis}'
            [wechat]
            api = '{wechat}'
            mp = '{wechat}'
            [staff.tests]
            key = '{STAFF_KEY}'
            sites = [{sites}]
            [accounts.shop]
            appid = '{appid}'
            secret = '{secret}'
            callback_token = '{token}'
            [accounts.shop.called]
            template_id = '{template}'
            fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
            ",
            nats = self.nats.url(),
            redis = self.redis.url(),
            wechat = self.wechat.base_url(),
            sites = (0..self.sites).map(|i| format!("'{}'", site_id(i))).collect::<Vec<_>>().join(","),
            appid = account.appid,
            secret = account.secret,
            token = account.callback_token,
            template = SimTemplate::DEMO_CALLED,
        );
        for i in 0..self.sites {
            let site = site_id(i);
            write!(
                text,
                "
                [sites.{site}]
                account = 'shop'
                name = '{site}'
                [sites.{site}.queues.a]
                name = '综合业务'
                prefix = 'A'
                [sites.{site}.counters.1]
                name = '1号窗口'
                queues = ['a']
                [sites.{site}.counters.2]
                name = '2号窗口'
                queues = ['a']
                "
            )
            .expect("writing to memory");
        }
        text + self.extra_config
    }

    /// Waits until a process is ready and has its stores, for at most 60 s.
    pub async fn wait_until_ready(&self, process: &ProgramProcess) {
        let url = format!("{}/ready", process.admin);
        wait_until("a process is ready", Duration::from_secs(60), async || {
            let Ok(response) = self.http.get(&url).send().await else { return false };
            let status = response.status();
            let said = response.bytes().await.unwrap_or_default();
            let said: Value = serde_json::from_slice(&said).unwrap_or_default();
            status == StatusCode::OK && said["degraded"] == false
        })
        .await;
    }

    /// Callback URL of each gateway.
    pub fn callback_urls(&self) -> Vec<String> {
        self.gateways.iter().map(|gateway| format!("{}/wechat/shop", gateway.url)).collect()
    }

    /// Opens a scan session for a number at a site. Returns the content of its QR code.
    pub async fn site_code(&self, gateway: usize, site: &str) -> String {
        let url = format!("{}/api/v1/scan-sessions", self.gateways[gateway].url);
        let body = format!(r#"{{"purpose":"ticket","site":"{site}","queue":"a"}}"#);
        let (status, opened) = send_json(self.http.post(url).body(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let link = opened["scan_link"].as_str().expect("the simulator's phones are configured");
        link.split_once("?scan=").expect("a link to a code").1.to_owned()
    }

    /// Reads the digest of a site's state at one replica.
    pub async fn digest(&self, process: &ProgramProcess, site: &str) -> Value {
        send_json(self.http.get(format!("{}/sites/{site}/digest", process.admin))).await.1
    }

    /// Waits until the replicas hold the same state of every site, for at most 20 s each.
    pub async fn wait_until_agreed(&self, processes: &[&ProgramProcess]) {
        for i in 0..self.sites {
            let site = site_id(i);
            wait_until("all replicas hold the same state", Duration::from_secs(20), async || {
                let mut digests = Vec::new();
                for process in processes {
                    digests.push(self.digest(process, &site).await);
                }
                digests[0]["position"] != 0 && digests.windows(2).all(|pair| pair[0] == pair[1])
            })
            .await;
        }
    }
}

/// Reads all entries of a log.
pub async fn log_entries<T: DeserializeOwned>(cluster: &Cluster, log: &Log) -> Vec<T> {
    let options = NatsOptions { url: cluster.nats.url(), ..NatsOptions::default() };
    let ledger = NatsLedger::connect(options).await.unwrap();
    let head = ledger.head(log).await.unwrap();
    let mut records = Vec::new();
    if head == Position::START {
        return records;
    }
    let mut follower = ledger.follow(log, Position::START).await.unwrap();
    while let Some(LogItem::Entry(recorded)) = follower.next().await {
        records.push(serde_json::from_slice(&recorded.entry.payload).unwrap());
        if recorded.position >= head {
            break;
        }
    }
    records
}

/// Id of the i-th site.
pub fn site_id(i: usize) -> String {
    format!("hall-{i}")
}

impl Drop for Cluster {
    /// Prints the last 40 lines of every process's log if the test has failed.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for process in self.processes() {
            let output = process.program.output();
            let tail: Vec<_> = output.lines().rev().take(40).collect();
            eprintln!("--- {}", process.admin);
            tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
