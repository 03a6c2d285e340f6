//! Deployment of several processes: real NATS and Redis, and replicas of every role.

use crate::support::gateway::scan_body;
use crate::support::http::{client, send_json};
use crate::support::leaks::leaks;
use futures::StreamExt;
use futures::stream::BoxStream;
use harness::{ClockOffset, NatsCluster, Program, Proxy, RedisServer, free_port, wait_until};
use paihao_contracts::commit::Commit;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::Log;
use paihao_ledger::{Ledger, LogItem, Position, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ffi::OsString;
use std::fmt::Write;
use std::time::Duration;
use wechat_sim::{Refusal, Routing, SimAccount, SimConfig, SimTemplate, Simulator};

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
    /// Path of this process to each NATS server, if there are several.
    pub paths: Vec<Proxy>,
    /// Wrong clock of this process, if it may be wrong.
    pub clock: Option<ClockOffset>,
}

/// Setup of a [`Cluster`].
#[derive(Debug, Clone)]
pub struct ClusterSetup {
    /// Number of gateways, token services and notifiers.
    pub processes: [usize; 3],
    /// Number of sites with one queue and two counters each.
    pub sites: usize,
    /// Number of NATS servers, and of replicas of each stream.
    pub servers: usize,
    /// Number of partitions of the ledger.
    pub partitions: usize,
    /// Further sections of every process's configuration.
    pub extra_config: String,
    /// Sites in those sections, where staff may act too.
    pub extra_sites: Vec<String>,
    /// Environment of every process.
    pub environment: Vec<(OsString, OsString)>,
    /// True if the clocks of the processes may be set.
    pub with_clocks: bool,
    /// Open platform that the account belongs to at the simulated WeChat.
    pub open_platform: Option<String>,
    /// Further accounts of the simulated WeChat, which the configuration does not have.
    pub further_accounts: Vec<SimAccount>,
}

impl Default for ClusterSetup {
    /// Two processes of every role, one site, one server.
    fn default() -> Self {
        ClusterSetup {
            processes: [2, 2, 2],
            sites: 1,
            servers: 1,
            partitions: 1,
            extra_config: String::new(),
            extra_sites: Vec::new(),
            environment: Vec::new(),
            with_clocks: false,
            open_platform: None,
            further_accounts: Vec::new(),
        }
    }
}

/// Running deployment with its stores and a simulated WeChat.
pub struct Cluster {
    pub nats: NatsCluster,
    pub redis: RedisServer,
    pub wechat: Simulator,
    pub gateways: Vec<ProgramProcess>,
    pub tokens: Vec<ProgramProcess>,
    pub notifiers: Vec<ProgramProcess>,
    pub http: Client,
    pub setup: ClusterSetup,
}

impl Cluster {
    /// Starts two gateways, two token services and two notifiers with so many sites, and waits
    /// until they are ready. Each site has one queue and two counters.
    pub async fn start(sites: usize) -> Cluster {
        Cluster::start_with([2, 2, 2], sites, "").await
    }

    /// Starts gateways alone, with one site and `more` configuration, and waits until they are
    /// ready.
    pub async fn start_gateways(gateways: usize, more: &str) -> Cluster {
        Cluster::start_with([gateways, 0, 0], 1, more).await
    }

    /// Starts so many processes of each role, and waits until they are ready.
    pub async fn start_with(processes: [usize; 3], sites: usize, more: &str) -> Cluster {
        let extra_config = more.to_owned();
        let setup = ClusterSetup { processes, sites, extra_config, ..ClusterSetup::default() };
        Cluster::start_setup(setup).await
    }

    /// Starts what the setup says, and waits until it is ready.
    pub async fn start_setup(setup: ClusterSetup) -> Cluster {
        let mut accounts = vec![SimAccount {
            open_platform: setup.open_platform.clone(),
            ..SimAccount::default()
        }];
        accounts.extend(setup.further_accounts.clone());
        let config = SimConfig { accounts, templates: SimTemplate::demo(), ..SimConfig::default() };
        let wechat = Simulator::start(config).await.expect("a free port");
        let mut cluster = Cluster {
            nats: NatsCluster::start(setup.servers),
            redis: RedisServer::start(),
            wechat,
            gateways: Vec::new(),
            tokens: Vec::new(),
            notifiers: Vec::new(),
            http: client(),
            setup,
        };
        let [gateways, tokens, notifiers] = cluster.setup.processes;
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
        let paths = if self.setup.servers > 1 { self.nats.client_paths() } else { Vec::new() };
        let nats = match &*paths {
            [] => self.nats.url(),
            paths => paths
                .iter()
                .map(|path| format!("nats://127.0.0.1:{}", path.port()))
                .collect::<Vec<_>>()
                .join(","),
        };
        let files = [("paihao.toml", &*self.configuration_at(port, admin, &nats))];
        let clock = self.setup.with_clocks.then(ClockOffset::new);
        let mut environment = self.setup.environment.clone();
        environment.extend(clock.iter().flat_map(ClockOffset::environment));
        let arguments = ["--config", "{dir}/paihao.toml", role];
        ProgramProcess {
            program: Program::start_with(PROGRAM, &arguments, &files, environment),
            admin: format!("http://127.0.0.1:{admin}"),
            url: format!("http://127.0.0.1:{port}"),
            paths,
            clock,
        }
    }

    /// Text of the configuration of one process, with its ports.
    pub fn configuration(&self, port: u16, admin: u16) -> String {
        self.configuration_at(port, admin, &self.nats.url())
    }

    fn configuration_at(&self, port: u16, admin: u16, nats: &str) -> String {
        let account = SimAccount::default();
        let sites = (0..self.setup.sites).map(site_id).chain(self.setup.extra_sites.clone());
        let staff_sites: Vec<_> = sites.map(|site| format!("'{site}'")).collect();
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
            replicas = {replicas}
            partitions = {partitions}
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
            mode = 'plain'
            [accounts.shop.called]
            template_id = '{template}'
            fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
            ",
            replicas = self.setup.servers,
            partitions = self.setup.partitions,
            redis = self.redis.url(),
            wechat = self.wechat.base_url(),
            sites = staff_sites.join(","),
            appid = account.appid,
            secret = account.secret,
            token = account.callback_token,
            template = SimTemplate::DEMO_CALLED,
        );
        for i in 0..self.setup.sites {
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
        text + &self.setup.extra_config
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

    /// Scans the permanent code of a site's queue as a follower. Returns the reply.
    pub async fn scan_permanent_code(&self, person: &str, site: &str) -> String {
        self.wechat.set_person(None, person, true, Refusal::No);
        let body = scan_body(&SimAccount::default(), person, &format!("q_{site}_a"));
        let to = Routing { deliveries: 1, urls: vec![self.callback_urls().remove(0)] };
        let pushes = self.wechat.push_raw(None, person, &body, to, Default::default()).await;
        format!("{:?}", pushes[0].answer)
    }

    /// Reads the digest of a site's state at one replica.
    pub async fn digest(&self, process: &ProgramProcess, site: &str) -> Value {
        send_json(self.http.get(format!("{}/sites/{site}/digest", process.admin))).await.1
    }

    /// Waits until the replicas hold the same state of every site, for at most 20 s each.
    pub async fn wait_until_agreed(&self, processes: &[&ProgramProcess]) {
        for i in 0..self.setup.sites {
            self.wait_until_agreed_at(&site_id(i), processes).await;
        }
    }

    /// Waits until the replicas hold the same state of one site, for at most 20 s.
    pub async fn wait_until_agreed_at(&self, site: &str, processes: &[&ProgramProcess]) {
        wait_until("all replicas hold the same state", Duration::from_secs(20), async || {
            let mut digests = Vec::new();
            for process in processes {
                digests.push(self.digest(process, site).await);
            }
            digests[0]["position"] != 0 && digests.windows(2).all(|pair| pair[0] == pair[1])
        })
        .await;
    }
}

/// Connects to the ledger of a deployment as a further process.
pub async fn connect_ledger(cluster: &Cluster) -> NatsLedger {
    let ClusterSetup { servers: replicas, partitions, .. } = cluster.setup;
    let partitions = Partitions::new(partitions).unwrap();
    let url = cluster.nats.url();
    let options = NatsOptions { url, replicas, partitions, ..NatsOptions::default() };
    NatsLedger::connect(options).await.unwrap()
}

/// Reads all entries of a log.
pub async fn log_entries<T: DeserializeOwned>(cluster: &Cluster, log: &Log) -> Vec<T> {
    let ledger = connect_ledger(cluster).await;
    let head = ledger.head(log).await.unwrap();
    let follower = ledger.follow(log, Position::START).await.unwrap();
    entries_until(follower, head).await
}

/// Reads all commits, of every partition.
pub async fn commits(cluster: &Cluster) -> Vec<Commit> {
    let partitions = Partitions::new(cluster.setup.partitions).unwrap();
    let mut commits = Vec::new();
    for partition in partitions.all() {
        commits.extend(log_entries::<Commit>(cluster, &partition.ledger).await);
    }
    commits
}

/// Reads all entries of one subject of a log.
pub async fn subject_entries<T: DeserializeOwned>(
    cluster: &Cluster,
    log: &Log,
    subject: &Subject,
) -> Vec<T> {
    let ledger = connect_ledger(cluster).await;
    let last = ledger.last(log, subject).await.unwrap();
    let follower = ledger.follow_subject(log, subject, Position::START).await.unwrap();
    entries_until(follower, last.map_or(Position::START, |last| last.position)).await
}

async fn entries_until<T: DeserializeOwned>(
    mut follower: BoxStream<'static, LogItem>,
    end: Position,
) -> Vec<T> {
    let mut records = Vec::new();
    let mut position = Position::START;
    while position < end {
        let Some(LogItem::Entry(recorded)) = follower.next().await else { break };
        records.push(serde_json::from_slice(&recorded.entry.payload).unwrap());
        position = recorded.position;
    }
    records
}

/// Id of the i-th site.
pub fn site_id(i: usize) -> String {
    format!("hall-{i}")
}

impl Drop for Cluster {
    /// Prints the last 40 lines of every process's log if the test has failed, and asserts
    /// otherwise that none printed a secret, a token or an openid, whatever befell it.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_nothing_leaked();
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

impl Cluster {
    fn assert_nothing_leaked(&self) {
        let SimAccount { secret, callback_token, aes_key, .. } = SimAccount::default();
        let secrets = [secret, callback_token, aes_key, STAFF_KEY.to_owned()];
        let openids = self.wechat.people().into_iter().map(|person| person.openid);
        let secrets = secrets.into_iter().chain(openids).collect();
        for process in self.processes() {
            let output = process.program.output();
            let leaks = leaks(&output, &secrets);
            assert!(leaks.is_empty(), "printed: {leaks:#?}");
        }
    }
}
