//! Deployment of a scenario: real servers, token services, three processes of callers, and the
//! simulator in the measuring process.

use super::callers::{CallPlan, CallResults};
use super::strategies::{ACCOUNT, TokenStrategy};
use crate::callback::deployment::shared_stores;
use crate::member::{RoleProcess, wait_until};
use anyhow::{Context, ensure};
use clap::ValueEnum;
use harness::{NatsServer, Program, RedisServer, free_port};
use paihao_contracts::partitions::Partitions;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechat_sim::{Quotas, SimAccount, SimConfig, Simulator};

const CALLER_PROCESSES: usize = 3;

pub struct TokenDeployment {
    pub wechat: Simulator,
    pub redis: RedisServer,
    pub token_services: Vec<RoleProcess>,
    nats: NatsServer,
    program: PathBuf,
    caller_processes: Vec<(Program, u16)>,
}

/// Number of token fetches and of different tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct WeChatUsage {
    pub fetches: u64,
    pub issued: u64,
    /// Calls that reached WeChat.
    pub calls: u64,
}

impl TokenDeployment {
    /// Starts servers and callers, but no token service yet.
    pub async fn start(way: TokenStrategy, callers: usize) -> anyhow::Result<TokenDeployment> {
        let quotas = Quotas::unlimited();
        let wechat = Simulator::start(SimConfig { quotas, ..SimConfig::default() }).await?;
        let nats = NatsServer::start();
        let redis = RedisServer::start();
        let program = std::env::current_exe().context("this program does not know its file")?;
        let mut deployment = TokenDeployment {
            wechat,
            redis,
            token_services: Vec::new(),
            nats,
            program,
            caller_processes: Vec::new(),
        };
        for i in 0..CALLER_PROCESSES {
            let port = free_port();
            let caller_count =
                callers / CALLER_PROCESSES + usize::from(i < callers % CALLER_PROCESSES);
            let text = deployment.configuration(free_port(), free_port());
            let way = way.to_possible_value().context("every way has a name")?;
            let port_text = port.to_string();
            let caller_count = caller_count.to_string();
            let arguments = [
                &["callers", "--way", way.get_name()][..],
                &[
                    "--config",
                    "{dir}/paihao.toml",
                    "--port",
                    &port_text,
                    "--callers",
                    &caller_count,
                ],
            ];
            let files = [("paihao.toml", &*text)];
            let process = Program::start(&deployment.program, &arguments.concat(), &files);
            let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            wait_until("callers listen", listens).await.with_context(|| process.output())?;
            deployment.caller_processes.push((process, port));
        }
        Ok(deployment)
    }

    /// Starts a further token service.
    pub fn add_token_service(&mut self) {
        let token_service = RoleProcess::start(&self.program, "token", |port, admin| {
            self.configuration(port, admin)
        });
        self.token_services.push(token_service);
    }

    fn configuration(&self, port: u16, admin: u16) -> String {
        let account = SimAccount::default();
        format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            [admin]
            listen = '127.0.0.1:{admin}'
            {stores}
            [wechat]
            api = '{wechat}'
            mp = '{wechat}'
            [token]
            lease_seconds = 3
            [accounts.{ACCOUNT}]
            appid = '{appid}'
            secret = '{secret}'
            callback_token = '{token}'
            mode = 'plain'
            ",
            stores = shared_stores(&self.nats.url(), 1, Partitions::ONE, &self.redis),
            wechat = self.wechat.base_url(),
            appid = account.appid,
            secret = account.secret,
            token = account.callback_token,
        )
    }

    /// Runs a plan with all callers of all processes.
    pub async fn run_plan(&self, plan: CallPlan) -> anyhow::Result<CallResults> {
        let path = plan.query_path();
        let requests = self.caller_processes.iter().map(|(_, port)| http_get(*port, &path));
        let mut all = CallResults::default();
        for answer in futures::future::try_join_all(requests).await? {
            all.merge(serde_json::from_str(&answer)?);
        }
        Ok(all)
    }

    pub fn wechat_usage(&self) -> WeChatUsage {
        let stats = self.wechat.stats();
        let calls = |path: &str| stats.calls.get(path).copied().unwrap_or(0);
        WeChatUsage {
            fetches: calls("/cgi-bin/token") + calls("/cgi-bin/stable_token"),
            issued: stats.tokens_issued,
            calls: calls("/cgi-bin/getcallbackip"),
        }
    }

    /// Index of the token service that holds the account's lease.
    pub async fn lease_holder(&self) -> anyhow::Result<usize> {
        let metric_line = format!("paihao_token_kept_here{{account=\"{ACCOUNT}\"}} 1");
        for (i, token_service) in self.token_services.iter().enumerate() {
            if http_get(token_service.admin, "/metrics")
                .await?
                .lines()
                .any(|line| line == metric_line)
            {
                return Ok(i);
            }
        }
        anyhow::bail!("no token service keeps the token")
    }

    /// True if a token service raises this alarm.
    pub async fn is_alarm_raised(&self, reason: &str) -> anyhow::Result<bool> {
        for token_service in &self.token_services {
            let metrics = http_get(token_service.admin, "/metrics").await?;
            let raised = |line: &str| {
                line.starts_with("paihao_token_alarm")
                    && line.contains(&format!("reason=\"{reason}\""))
                    && line.ends_with(" 1")
            };
            if metrics.lines().any(raised) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Requests a path and returns the body of the answer.
async fn http_get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(120), read).await??;
    let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP answer")?;
    ensure!(head.contains(" 200 "), "{path}: {head}");
    Ok(body.to_owned())
}
