//! A gateway process over a ledger with sites.

use crate::callback::deployment::shared_stores;
use crate::line::sites::bench_facts;
use crate::member::RoleProcess;
use anyhow::{Context, ensure};
use harness::{NatsServer, RedisServer};
use paihao_contracts::partitions::Partitions;
use paihao_ledger::Position;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;

/// State of a gateway at its readiness.
pub struct Started {
    /// Time from the start of the process.
    pub ready_after: Duration,
    /// Sites whose position was behind the given one.
    pub behind: usize,
}

/// Starts a gateway, waits until it is ready, looks at its sites, and kills it.
pub async fn start_gateway(
    configuration: &str,
    newest: &[Position],
    nats: &NatsServer,
    redis: &RedisServer,
) -> anyhow::Result<Started> {
    let program = std::env::current_exe().context("this program does not know its file")?;
    let started = Instant::now();
    let mut gateway = RoleProcess::start(&program, "gateway", |port, admin| {
        format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            [gateway.pool]
            size = 0
            [admin]
            listen = '127.0.0.1:{admin}'
            {stores}
            {configuration}
            ",
            stores = shared_stores(&nats.url(), 1, Partitions::ONE, redis),
        )
    });
    gateway.wait_until_ready().await?;
    let ready_after = started.elapsed();
    let mut behind = 0;
    for (i, newest) in newest.iter().enumerate() {
        let digest: Value = gateway.admin(&format!("/sites/{}/digest", bench_facts(i).id))?;
        let position = digest["position"].as_u64().context("a digest without a position")?;
        behind += usize::from(position < newest.0);
    }
    // At a soft stop it would store snapshots, and the next start would have less to read.
    ensure!(gateway.program.is_running(), "the gateway has ended\n{}", gateway.log_tail());
    gateway.program.kill();
    Ok(Started { ready_after, behind })
}

/// Configuration of an account with these sites.
pub fn site_configuration(sites: usize, day_starts_at: i64) -> String {
    let mut text = String::from(
        "
        [accounts.shop]
        appid = 'wx1'
        secret = 'not-asked-for'
        callback_token = 'tokenOfTheseTests'
        mode = 'plain'
        ",
    );
    for i in 0..sites {
        let facts = bench_facts(i);
        let (id, name, zone) = (facts.id, facts.name, facts.zone);
        write!(
            text,
            "
            [sites.{id}]
            account = 'shop'
            name = '{name}'
            time_zone = '{zone}'
            day_starts_at = {day_starts_at}
            [sites.{id}.queues.a]
            name = '综合业务'
            prefix = 'A'
            [sites.{id}.counters.1]
            name = '1号窗口'
            queues = ['a']
            "
        )
        .expect("writing to memory");
    }
    text
}
