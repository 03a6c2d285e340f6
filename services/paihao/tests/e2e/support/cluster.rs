//! A deployment in the cluster shape: real NATS and Redis, several replicas of every role.

use crate::support::http::{client, send_json};
use futures::StreamExt;
use harness::{NatsServer, Program, RedisServer, free_port, wait_until};
use paihao_contracts::streams::Log;
use paihao_ledger::{Followed, Ledger, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;
use wechat_sim::{SimAccount, SimConfig, SimTemplate, Simulator};

/// The staff key of every deployment of the tests.
pub const STAFF_KEY: &str = "a-key-of-the-tests-alone";

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");

/// One process.
pub struct ProgramProcess {
    pub program: Program,
    /// Its admin port.
    pub admin: String,
    /// Its pages, if it is a gateway.
    pub url: String,
}

/// All of it.
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
    /// Two gateways, two token services, two notifiers, and this many sites with one queue and two
    /// counters each; ready.
    pub async fn start(sites: usize) -> Cluster {
        Cluster::start_with([2, 2, 2], sites, "").await
    }

    /// So many gateways and nothing else, with one site and what is added to it; ready.
    pub async fn start_gateways(gateways: usize, more: &'static str) -> Cluster {
        Cluster::start_with([gateways, 0, 0], 1, more).await
    }

    /// So many of each, so many sites, and what is added to them; ready.
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
        for member in cluster.processes() {
            cluster.wait_until_ready(member).await;
        }
        cluster
    }

    fn processes(&self) -> impl Iterator<Item = &ProgramProcess> {
        self.gateways.iter().chain(&self.tokens).chain(&self.notifiers)
    }

    /// A further replica of a role.
    pub fn add_process(&self, role: &str) -> ProgramProcess {
        let (port, admin) = (free_port(), free_port());
        let files = [("paihao.toml", &*self.configuration(port, admin))];
        ProgramProcess {
            program: Program::start(PROGRAM, &["--config", "{dir}/paihao.toml", role], &files),
            admin: format!("http://127.0.0.1:{admin}"),
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    /// The configuration of one process.
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

    /// Waits until a process says that it is ready.
    pub async fn wait_until_ready(&self, member: &ProgramProcess) {
        let url = format!("{}/ready", member.admin);
        wait_until("a process is ready", Duration::from_secs(60), async || {
            let answer = self.http.get(&url).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
    }

    /// Where WeChat reaches each gateway.
    pub fn callback_urls(&self) -> Vec<String> {
        self.gateways.iter().map(|gateway| format!("{}/wechat/shop", gateway.url)).collect()
    }

    /// What a code says that takes a number at a site.
    pub async fn site_code(&self, gateway: usize, site: &str) -> String {
        let url = format!("{}/api/v1/scan-sessions", self.gateways[gateway].url);
        let body = format!(r#"{{"purpose":"ticket","site":"{site}","queue":"a"}}"#);
        let (status, opened) = send_json(self.http.post(url).body(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let link = opened["scan_link"].as_str().expect("there are phones");
        link.split_once("?scan=").expect("a link to a code").1.to_owned()
    }

    /// The digest of a site at one replica.
    pub async fn digest(&self, member: &ProgramProcess, site: &str) -> Value {
        send_json(self.http.get(format!("{}/sites/{site}/digest", member.admin))).await.1
    }

    /// Waits until these replicas hold the same state of every site.
    pub async fn wait_until_agreed(&self, members: &[&ProgramProcess]) {
        for i in 0..self.sites {
            let site = site_id(i);
            wait_until("all replicas hold the same state", Duration::from_secs(20), async || {
                let mut digests = Vec::new();
                for member in members {
                    digests.push(self.digest(member, &site).await);
                }
                digests[0]["position"] != 0 && digests.windows(2).all(|pair| pair[0] == pair[1])
            })
            .await;
        }
    }
}

/// Everything that stands in a log now.
pub async fn log_entries<T: DeserializeOwned>(cluster: &Cluster, log: &Log) -> Vec<T> {
    let options = NatsOptions { url: cluster.nats.url(), ..NatsOptions::default() };
    let ledger = NatsLedger::connect(options).await.unwrap();
    let head = ledger.head(log).await.unwrap();
    let mut found = Vec::new();
    if head == Position::START {
        return found;
    }
    let mut entries = ledger.follow(log, Position::START).await.unwrap();
    while let Some(Followed::Entry(recorded)) = entries.next().await {
        found.push(serde_json::from_slice(&recorded.entry.payload).unwrap());
        if recorded.position >= head {
            break;
        }
    }
    found
}

/// The name of the i-th site.
pub fn site_id(i: usize) -> String {
    format!("hall-{i}")
}

impl Drop for Cluster {
    /// A test that failed shows what the processes had to say.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for member in self.processes() {
            let output = member.program.output();
            let tail: Vec<_> = output.lines().rev().take(40).collect();
            eprintln!("--- {}", member.admin);
            tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
