//! Deployment under test: real NATS and Redis, one process for each role of the product and each
//! baseline server, and the simulator in the measuring process.

use super::scans::{ACCOUNT, QUEUE, SECURE_ACCOUNT, secure_account, secure_site_id, site_id};
use super::servers::BaselineKind;
use crate::member::{RoleProcess, wait_until};
use crate::staff;
use anyhow::{Context, ensure};
use async_nats::jetstream::consumer::pull;
use harness::{NatsCluster, NatsServer, Program, RedisServer, free_port};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::commit::{Commit, Event};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::PLANNER;
use paihao_ledger::{Ledger, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use wechat_sim::{Quotas, SimAccount, SimConfig, SimTemplate, Simulator};

/// Settings of a gateway that takes what a load generator sends.
pub const NO_LIMITS: &str = "
        [gateway.limits]
        codes_per_minute = 0
        looks_per_minute = 0
        [gateway.codes]
        strangers_percent = 0
        ";

/// Fields of the template of a call.
const CALLED_FIELDS: &str =
    "thing1 = '{site}', character_string2 = '{number}', thing3 = '{counter}', time4 = '{time}'";

/// The running deployment.
pub struct Deployment {
    pub nats: NatsCluster,
    pub redis: RedisServer,
    pub gateway: RoleProcess,
    pub token: RoleProcess,
    pub notifier: RoleProcess,
    pub wechat: Simulator,
    sites: usize,
    partitions: Partitions,
    program: PathBuf,
}

/// Process of a baseline server.
pub struct BaselineServer {
    pub program: Program,
    pub port: u16,
}

impl Deployment {
    /// Starts one server of NATS and all roles, and waits until all are ready.
    pub async fn start(sites: usize, wechat_answers_in: Duration) -> anyhow::Result<Deployment> {
        Deployment::start_on(1, sites, wechat_answers_in).await
    }

    /// The same on so many servers of NATS, with as many copies.
    pub async fn start_on(
        servers: usize,
        sites: usize,
        wechat_answers_in: Duration,
    ) -> anyhow::Result<Deployment> {
        Deployment::start_as(this_program()?, servers, Partitions::ONE, sites, wechat_answers_in)
            .await
    }

    /// The same on one server of NATS, with a ledger in partitions.
    pub async fn start_divided(
        partitions: Partitions,
        sites: usize,
        wechat_answers_in: Duration,
    ) -> anyhow::Result<Deployment> {
        Deployment::start_as(this_program()?, 1, partitions, sites, wechat_answers_in).await
    }

    /// Starts roles of this program, the product's own, for which WeChat answers at once.
    pub async fn start_product(program: PathBuf, sites: usize) -> anyhow::Result<Deployment> {
        Deployment::start_as(program, 1, Partitions::ONE, sites, Duration::ZERO).await
    }

    async fn start_as(
        program: PathBuf,
        servers: usize,
        partitions: Partitions,
        sites: usize,
        wechat_answers_in: Duration,
    ) -> anyhow::Result<Deployment> {
        let wechat = Simulator::start(SimConfig {
            accounts: vec![SimAccount::default(), secure_account()],
            quotas: Quotas::unlimited(),
            everybody_follows: true,
            ..SimConfig::default()
        })
        .await?;
        wechat.change_behaviour(|behaviour| {
            behaviour.latency = wechat_answers_in;
            behaviour.receipt.pushed = false;
        });
        let nats = NatsCluster::start(servers);
        let redis = RedisServer::start();
        let start = |role: &str| {
            RoleProcess::start(&program, role, |port, admin| {
                let stores = stores(&nats, partitions, &redis);
                configuration(sites, NO_LIMITS, [port, admin], &stores, &wechat)
            })
        };
        let gateway = start("gateway");
        let token = start("token");
        let notifier = start("notifier");
        let deployment = Deployment {
            nats,
            redis,
            gateway,
            token,
            notifier,
            wechat,
            sites,
            partitions,
            program,
        };
        for member in [&deployment.gateway, &deployment.token, &deployment.notifier] {
            member.wait_until_ready().await?;
        }
        Ok(deployment)
    }

    /// Starts a further gateway with these settings of its pool of ready codes.
    pub async fn add_gateway(&self, pool: &str) -> anyhow::Result<RoleProcess> {
        self.start_gateway(&format!("{NO_LIMITS}\n[gateway.pool]\n{pool}")).await
    }

    /// Starts a further gateway with the limits that a gateway has by default.
    pub async fn add_gateway_with_default_limits(&self) -> anyhow::Result<RoleProcess> {
        self.start_gateway("").await
    }

    /// Starts a further notifier, without waiting until it is ready.
    pub fn add_notifier(&self) -> RoleProcess {
        let Deployment { sites, partitions, nats, redis, wechat, program, .. } = self;
        RoleProcess::start(program, "notifier", |port, admin| {
            let stores = stores(nats, *partitions, redis);
            configuration(*sites, NO_LIMITS, [port, admin], &stores, wechat)
        })
    }

    /// Address of one server of NATS, which names the others.
    fn first_nats_url(&self) -> anyhow::Result<String> {
        self.nats.servers().first().map(NatsServer::url).context("there is no NATS")
    }

    /// Processes of the servers of NATS.
    pub fn nats_pids(&self) -> anyhow::Result<Vec<u32>> {
        let pids = self.nats.servers().iter().map(NatsServer::pid);
        pids.collect::<Option<_>>().context("NATS does not run")
    }

    /// Connects to the ledger.
    pub async fn ledger(&self) -> anyhow::Result<NatsLedger> {
        let replicas = self.nats.servers().len();
        let url = self.nats.url();
        let partitions = self.partitions;
        let options = NatsOptions { url, replicas, partitions, ..NatsOptions::default() };
        Ok(NatsLedger::connect(options).await?)
    }

    /// Number of template messages that WeChat was asked to send so far.
    pub fn sent_templates(&self) -> u64 {
        let calls = self.wechat.stats().calls;
        calls.get("/cgi-bin/message/template/send").copied().unwrap_or_default()
    }

    async fn start_gateway(&self, settings: &str) -> anyhow::Result<RoleProcess> {
        let Deployment { sites, partitions, nats, redis, wechat, program, .. } = self;
        let member = RoleProcess::start(program, "gateway", |port, admin| {
            let stores = stores(nats, *partitions, redis);
            configuration(*sites, settings, [port, admin], &stores, wechat)
        });
        member.wait_until_ready().await?;
        Ok(member)
    }

    /// Number of calls to WeChat for codes so far: for tokens, codes and pictures.
    pub fn qr_api_calls(&self) -> u64 {
        let calls = self.wechat.stats().calls;
        let paths = ["/cgi-bin/stable_token", "/cgi-bin/qrcode/create", "/cgi-bin/showqrcode"];
        paths.iter().filter_map(|path| calls.get(*path)).sum()
    }

    /// Returns a commit of one ticket, as the gateway wrote it.
    pub async fn sample_commit(&self) -> anyhow::Result<Vec<u8>> {
        let ledger = self.ledger().await?;
        for i in 0..self.sites {
            let subject = Subject::new(&[ACCOUNT, &site_id(i)])?;
            let log = ledger.partition_of(&subject).ledger;
            let Some(last) = ledger.last(&log, &subject).await? else { continue };
            let commit: Commit = serde_json::from_slice(&last.entry.payload)?;
            // The first commit of a day also opens the day.
            if let [decision] = &commit.decisions[..]
                && matches!(decision.events.first(), Some(Event::TicketTaken { .. }))
            {
                return Ok(last.entry.payload.to_vec());
            }
        }
        anyhow::bail!("no site has a commit of one ticket alone")
    }

    /// Starts a baseline server with this reply, and with this commit if it publishes.
    pub async fn start_baseline(
        &self,
        kind: BaselineKind,
        commit: &[u8],
        reply: &str,
    ) -> anyhow::Result<BaselineServer> {
        let port = free_port();
        let name = format!("{kind:?}").to_lowercase();
        let commit = std::str::from_utf8(commit)?;
        let port_text = port.to_string();
        let sites = self.sites.to_string();
        let replicas = self.nats.servers().len().to_string();
        let nats = self.nats.url();
        let wechat = self.wechat.base_url();
        let arguments = [
            &["serve", &*name][..],
            &["--port", &port_text, "--nats", &nats, "--namespace", &name],
            &["--replicas", &replicas],
            &["--wechat", &wechat, "--sites", &sites],
            &["--commit", "{dir}/commit", "--reply", "{dir}/reply"],
        ];
        let files = [("commit", commit), ("reply", reply)];
        let program = Program::start(&self.program, &arguments.concat(), &files);
        let is_listening = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        wait_until("a server listens", is_listening).await.with_context(|| program.output())?;
        Ok(BaselineServer { program, port })
    }

    /// Waits until the notifier has read the whole ledger. Returns the number of unread entries,
    /// which is not 0 after the time limit.
    pub async fn wait_until_planned(&self, limit: Duration) -> anyhow::Result<u64> {
        let client = async_nats::connect(self.first_nats_url()?).await?;
        let context = async_nats::jetstream::new(client);
        let started = Instant::now();
        loop {
            let mut unread = 0;
            for log in self.partitions.all().map(|partition| partition.ledger) {
                let stream = format!("paihao_{}", log.name).replace('-', "_").to_uppercase();
                let consumer =
                    context.get_consumer_from_stream::<pull::Config, _, _>(PLANNER.name, &stream);
                let consumer = consumer.await.context("the planner has no consumer")?;
                let info = consumer.cached_info();
                unread += info.num_pending + info.num_ack_pending as u64;
            }
            if unread == 0 || started.elapsed() > limit {
                return Ok(unread);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Version of the server: `nats-server 2.x.y`.
    pub async fn nats_version(&self) -> anyhow::Result<String> {
        let client = async_nats::connect(self.first_nats_url()?).await?;
        Ok(format!("nats-server {}", client.server_info().version))
    }

    /// Stops everything, roles by their soft stop.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for member in [&mut self.gateway, &mut self.notifier, &mut self.token] {
            let code = member.program.stop();
            ensure!(code == Some(0), "a role ended with {code:?}\n{}", member.log_tail());
        }
        self.wechat.stop().await;
        Ok(())
    }
}

fn this_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("this program does not know its file")
}

/// Settings of NATS and Redis.
fn stores(nats: &NatsCluster, partitions: Partitions, redis: &RedisServer) -> String {
    shared_stores(&nats.url(), nats.servers().len(), partitions, redis)
}

/// Settings of one or more servers of NATS with so many copies, and of Redis.
pub fn shared_stores(
    nats: &str,
    replicas: usize,
    partitions: Partitions,
    redis: &RedisServer,
) -> String {
    let (partitions, redis) = (partitions.count(), redis.url());
    format!(
        "
        [ledger]
        kind = 'nats'
        url = '{nats}'
        replicas = {replicas}
        partitions = {partitions}
        [cache]
        kind = 'redis'
        url = '{redis}'
        "
    )
}

/// Configuration of a role with so many sites in each account, over these stores.
pub fn configuration(
    sites: usize,
    gateway_settings: &str,
    [port, admin]: [u16; 2],
    stores: &str,
    wechat: &Simulator,
) -> String {
    let account = SimAccount::default();
    // Business days begin half a day away, so that none ends during the run.
    let hour = SystemClock.now_ms().div_euclid(3_600_000).rem_euclid(24);
    let day_starts_at = (hour + 12) % 24;
    let mut text = format!(
        "
        [gateway]
        listen = '127.0.0.1:{port}'
        {gateway_settings}
        [admin]
        listen = '127.0.0.1:{admin}'
        {stores}
        {staff}
        [wechat]
        api = '{wechat}'
        mp = '{wechat}'
        [accounts.{ACCOUNT}]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{token}'
        mode = 'plain'
        [accounts.{SECURE_ACCOUNT}]
        appid = '{sealed_appid}'
        secret = '{secret}'
        callback_token = '{token}'
        mode = 'secure'
        aes_key = '{aes_key}'
        [accounts.{ACCOUNT}.called]
        template_id = '{template}'
        fields = {{ {CALLED_FIELDS} }}
        [accounts.{SECURE_ACCOUNT}.called]
        template_id = '{template}'
        fields = {{ {CALLED_FIELDS} }}
        ",
        staff = staff::settings(),
        wechat = wechat.base_url(),
        appid = account.appid,
        sealed_appid = secure_account().appid,
        aes_key = secure_account().aes_key,
        secret = account.secret,
        token = account.callback_token,
        template = SimTemplate::DEMO_CALLED,
    );
    let all = (0..sites).flat_map(|i| [(ACCOUNT, site_id(i)), (SECURE_ACCOUNT, secure_site_id(i))]);
    for (account, site) in all {
        write!(
            text,
            "
            [sites.{site}]
            account = '{account}'
            name = '城南大厅 {site}'
            time_zone = 'UTC'
            day_starts_at = {day_starts_at}
            [sites.{site}.queues.{QUEUE}]
            name = '综合业务'
            prefix = 'A'
            [sites.{site}.counters.1]
            name = '1号窗口'
            queues = ['{QUEUE}']
            "
        )
        .expect("writing to memory");
    }
    text
}
