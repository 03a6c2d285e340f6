//! Everything that a scene is played on: real servers, token services, three processes of callers,
//! and the simulator in the measuring process.

use super::callers::{Go, Tally};
use super::ways::{ACCOUNT, Way};
use crate::member::{Member, until};
use anyhow::{Context, ensure};
use clap::ValueEnum;
use harness::{NatsServer, Program, RedisServer, free_port};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechat_sim::{Quotas, SimAccount, SimConfig, Simulator};

const PROCESSES: usize = 3;

pub struct Stage {
    pub wechat: Simulator,
    pub redis: RedisServer,
    pub keepers: Vec<Member>,
    nats: NatsServer,
    program: PathBuf,
    crew: Vec<(Program, u16)>,
}

/// How often WeChat was asked for a token, and how many different ones it gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    pub fetches: u64,
    pub issued: u64,
    /// Calls that reached WeChat.
    pub calls: u64,
}

impl Stage {
    /// Servers and callers, but no token service yet.
    pub async fn start(way: Way, callers: usize) -> anyhow::Result<Stage> {
        let quotas = Quotas::unlimited();
        let wechat = Simulator::start(SimConfig { quotas, ..SimConfig::default() }).await?;
        let (nats, redis) = (NatsServer::start(), RedisServer::start());
        let program = std::env::current_exe().context("this program does not know its file")?;
        let mut stage =
            Stage { wechat, redis, keepers: Vec::new(), nats, program, crew: Vec::new() };
        for i in 0..PROCESSES {
            let port = free_port();
            let own = callers / PROCESSES + usize::from(i < callers % PROCESSES);
            let text = stage.configuration(free_port(), free_port());
            let way = way.to_possible_value().context("every way has a name")?;
            let (port_text, own) = (port.to_string(), own.to_string());
            let arguments = [
                &["callers", "--way", way.get_name()][..],
                &["--config", "{dir}/paihao.toml", "--port", &port_text, "--callers", &own],
            ];
            let files = [("paihao.toml", &*text)];
            let process = Program::start(&stage.program, &arguments.concat(), &files);
            let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            until("callers listen", listens).await.with_context(|| process.output())?;
            stage.crew.push((process, port));
        }
        Ok(stage)
    }

    /// Starts one more token service.
    pub fn add_keeper(&mut self) {
        let keeper =
            Member::start(&self.program, "token", |port, admin| self.configuration(port, admin));
        self.keepers.push(keeper);
    }

    fn configuration(&self, port: u16, admin: u16) -> String {
        let account = SimAccount::default();
        format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            [admin]
            listen = '127.0.0.1:{admin}'
            [ledger]
            kind = 'nats'
            url = '{nats}'
            [cache]
            kind = 'redis'
            url = '{redis}'
            [wechat]
            api = '{wechat}'
            mp = '{wechat}'
            [token]
            lease_seconds = 3
            [accounts.{ACCOUNT}]
            appid = '{appid}'
            secret = '{secret}'
            callback_token = '{token}'
            ",
            nats = self.nats.url(),
            redis = self.redis.url(),
            wechat = self.wechat.base_url(),
            appid = account.appid,
            secret = account.secret,
            token = account.callback_token,
        )
    }

    /// All callers of all processes at once.
    pub async fn go(&self, go: Go) -> anyhow::Result<Tally> {
        let path = go.path();
        let asked = self.crew.iter().map(|(_, port)| get(*port, &path));
        let mut all = Tally::default();
        for answer in futures::future::try_join_all(asked).await? {
            all.add(serde_json::from_str(&answer)?);
        }
        Ok(all)
    }

    pub fn asked(&self) -> Asked {
        let stats = self.wechat.stats();
        let calls = |path: &str| stats.calls.get(path).copied().unwrap_or(0);
        Asked {
            fetches: calls("/cgi-bin/token") + calls("/cgi-bin/stable_token"),
            issued: stats.tokens_issued,
            calls: calls("/cgi-bin/getcallbackip"),
        }
    }

    /// Which token service holds the account's lease.
    pub async fn holder(&self) -> anyhow::Result<usize> {
        let wanted = format!("paihao_token_kept_here{{account=\"{ACCOUNT}\"}} 1");
        for (i, keeper) in self.keepers.iter().enumerate() {
            if get(keeper.admin, "/metrics").await?.lines().any(|line| line == wanted) {
                return Ok(i);
            }
        }
        anyhow::bail!("no token service keeps the token")
    }

    /// Whether a token service raises this alarm.
    pub async fn alarm(&self, reason: &str) -> anyhow::Result<bool> {
        for keeper in &self.keepers {
            let metrics = get(keeper.admin, "/metrics").await?;
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

/// The body of an answer.
async fn get(port: u16, path: &str) -> anyhow::Result<String> {
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
