//! Deployment of one shape, and what is done in it.

use crate::callback::deployment::{NO_LIMITS, configuration, shared_stores};
use crate::callback::scans::{ACCOUNT, ScanGenerator, site_id};
use crate::callback::wire::HttpConnection;
use crate::member::{RoleProcess, wait_until};
use crate::notify::backlog::{Backlog, enqueue};
use crate::staff;
use anyhow::{Context, ensure};
use clap::ValueEnum;
use harness::{NatsCluster, RedisServer};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::partitions::Partitions;
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wechat_sim::{Quotas, SimConfig, Simulator};

/// Time after the last act in which everything that follows of it is written.
const SETTLE_TIME: Duration = Duration::from_secs(5);

/// Shape of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One process on one file.
    File,
    /// A process for each role, on one NATS server and Redis.
    Nats,
    /// A process for each role, on three NATS servers with three copies, and Redis.
    ThreeNats,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::File => "file",
            Shape::Nats => "nats",
            Shape::ThreeNats => "three-nats",
        })
    }
}

/// The running deployment, with one site.
pub struct WrittenDeployment {
    /// Servers, in the shapes that have them.
    pub servers: Option<(NatsCluster, RedisServer)>,
    program: PathBuf,
    roles: Vec<RoleProcess>,
    /// Settings of the stores.
    stores: String,
    wechat: Simulator,
    scanned: u64,
    queued: u32,
    replicas: usize,
}

impl WrittenDeployment {
    /// Starts servers and roles, waits until all are ready, and opens the counter.
    pub async fn start(shape: Shape, program: Option<&Path>) -> anyhow::Result<WrittenDeployment> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => std::env::current_exe().context("this program does not know its file")?,
        };
        let wechat = Simulator::start(SimConfig {
            quotas: Quotas::unlimited(),
            everybody_follows: true,
            ..SimConfig::default()
        })
        .await?;
        let (names, replicas): (&[&str], _) = match shape {
            Shape::File => (&["all"], 1),
            Shape::Nats => (&["gateway", "token", "notifier"], 1),
            Shape::ThreeNats => (&["gateway", "token", "notifier"], 3),
        };
        let servers =
            (shape != Shape::File).then(|| (NatsCluster::start(replicas), RedisServer::start()));
        let stores = match &servers {
            Some((nats, redis)) => shared_stores(&nats.url(), replicas, Partitions::ONE, redis),
            None => "[ledger]\nfile = '{dir}/ledger.sqlite'\n".to_owned(),
        };
        let mut roles = Vec::new();
        for name in names {
            roles.push(start_role(&program, name, &stores, &wechat));
        }
        for role in &roles {
            role.wait_until_ready().await?;
        }
        let url = format!("http://127.0.0.1:{}/wechat/{ACCOUNT}", roles[0].port);
        wechat.set_callback_urls(None, [url]);
        let (scanned, queued) = (0, 1_000_000);
        let deployment = WrittenDeployment {
            servers,
            program,
            roles,
            stores,
            wechat,
            scanned,
            queued,
            replicas,
        };
        deployment.act("open").await?;
        Ok(deployment)
    }

    /// Ids of the processes that write to disks.
    pub fn storing_pids(&self) -> Vec<u32> {
        match &self.servers {
            Some((nats, _)) => nats.servers().iter().filter_map(|server| server.pid()).collect(),
            None => self.roles.iter().filter_map(|role| role.program.pid()).collect(),
        }
    }

    /// Lets so many people scan, one after the other.
    pub async fn scan(&mut self, people: u32) -> anyhow::Result<()> {
        let port = self.roles[0].port;
        let scans = ScanGenerator::new(1);
        let mut wire = HttpConnection::connect(port).await?;
        let mut form = scans.callback_form(port, SystemClock.now_ms(), false);
        for _ in 0..people {
            self.scanned += 1;
            let reply = wire.request(form.fill(self.scanned, 0)).await?;
            ensure!(reply.ticket_serial().is_some(), "a reply without a number");
        }
        Ok(())
    }

    /// Calls so many people, one after the other: each when the one before has their message.
    pub async fn call(&mut self, people: u32) -> anyhow::Result<()> {
        for _ in 0..people {
            let before = self.sent();
            self.act("call-next").await?;
            wait_until("WeChat has the message", || self.sent() > before).await?;
            self.act("finish").await?;
        }
        Ok(())
    }

    /// Puts messages on the queue, and leaves them there.
    pub async fn enqueue(&mut self, messages: u32) -> anyhow::Result<()> {
        let (nats, _) = self.servers.as_ref().context("a queue that others can reach")?;
        let replicas = self.replicas;
        let options = NatsOptions { url: nats.url(), replicas, ..NatsOptions::default() };
        let ledger = NatsLedger::connect(options).await?;
        let mut notifier = self.roles.pop().context("a notifier")?;
        ensure!(notifier.program.stop() == Some(0), "the notifier did not stop");
        enqueue(&ledger, Backlog::Usual, self.queued..self.queued + messages).await?;
        self.queued += messages;
        Ok(())
    }

    /// Starts the notifier, which sends the messages of the queue.
    pub async fn drain(&mut self, messages: u32) -> anyhow::Result<()> {
        let before = self.sent();
        self.roles.push(start_role(&self.program, "notifier", &self.stores, &self.wechat));
        let all = || self.sent() - before >= u64::from(messages);
        wait_until("WeChat has all messages", all).await
    }

    /// Waits until all that follows is written.
    pub async fn settle(&self) {
        tokio::time::sleep(SETTLE_TIME).await;
    }

    /// Stops everything, roles by their soft stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        for mut role in self.roles {
            let code = role.program.stop();
            ensure!(code == Some(0), "a role ended with {code:?}\n{}", role.log_tail());
        }
        self.wechat.stop().await;
        Ok(())
    }

    /// Number of messages that WeChat was asked to send so far, texts among them.
    pub fn messages(&self) -> u64 {
        let calls = self.wechat.stats().calls;
        let texts = calls.get("/cgi-bin/message/custom/send").copied().unwrap_or_default();
        self.sent() + texts
    }

    /// Number of those that are templates.
    fn sent(&self) -> u64 {
        let calls = self.wechat.stats().calls;
        calls.get("/cgi-bin/message/template/send").copied().unwrap_or_default()
    }

    async fn act(&self, act: &str) -> anyhow::Result<()> {
        let mut wire = HttpConnection::connect(self.roles[0].port).await?;
        staff::post(&mut wire, &site_id(0), &format!("counters/1/{act}")).await?;
        Ok(())
    }
}

fn start_role(program: &Path, name: &str, stores: &str, wechat: &Simulator) -> RoleProcess {
    RoleProcess::start(program, name, |port, admin| {
        configuration(1, NO_LIMITS, [port, admin], stores, wechat)
    })
}
