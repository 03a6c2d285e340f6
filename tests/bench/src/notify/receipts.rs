//! Processor time that a receipt costs: WeChat pushes one for each message, to the gateway.

use super::backlog::{self, Backlog, enqueue};
use crate::callback::deployment::Deployment;
use crate::callback::scans::ACCOUNT;
use crate::member::wait_until;
use crate::process::process_usage;
use anyhow::Context;
use serde::Serialize;
use std::time::Duration;

/// Time after the last message in which everything that follows of it is written.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// Metric of the gateway that counts receipts.
const RECEIPTS: &str = r#"paihao_gateway_callbacks_total{kind="templatesendjobfinish"}"#;

/// Processor time for a message of a backlog, in microseconds.
#[derive(Serialize)]
pub struct ReceiptFigures {
    pub process: &'static str,
    /// Without a receipt.
    pub without_us: f64,
    /// With one.
    pub with_us: f64,
    /// Their difference: the cost of a receipt.
    pub receipt_us: f64,
}

/// Sends a backlog without receipts and another one with them.
pub async fn measure(wechat: Duration, notices: u32) -> anyhow::Result<Vec<ReceiptFigures>> {
    let mut deployment = Deployment::start(1, wechat).await?;
    deployment.notifier.program.stop();
    let callbacks = format!("http://127.0.0.1:{}/wechat/{ACCOUNT}", deployment.gateway.port);
    deployment.wechat.set_callback_urls(None, [callbacks]);
    let ledger = deployment.ledger().await?;
    let mut costs = Vec::new();
    for with_receipts in [false, true] {
        deployment.wechat.change_behaviour(|behaviour| behaviour.receipt.pushed = with_receipts);
        let first = 1 + costs.len() as u32 * notices;
        enqueue(&ledger, Backlog::Usual, first..first + notices).await?;
        let before = cpu_times(&deployment)?;
        let limit = Duration::from_secs(600);
        let sent = || deployment.sent_templates();
        let rate = backlog::measure(&deployment, 1, u64::from(notices), limit, sent).await?;
        if with_receipts {
            let all = || deployment.gateway.metric(RECEIPTS).is_ok_and(|n| n >= f64::from(notices));
            wait_until("the gateway has all receipts", all).await?;
        }
        tokio::time::sleep(SETTLE_TIME).await;
        let spent = cpu_times(&deployment)?.into_iter().zip(before);
        let each = spent.map(|(after, before)| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(notices)
        });
        costs.push(std::iter::once(rate.cpu_us).chain(each).collect::<Vec<_>>());
    }
    deployment.notifier = deployment.add_notifier();
    deployment.notifier.wait_until_ready().await?;
    deployment.stop().await?;
    let [without, with] = &costs[..] else { unreachable!("two backlogs") };
    let processes = ["notifier", "gateway", "nats-server", "redis-server"];
    let figures = processes.into_iter().zip(without.iter().zip(with));
    Ok(figures
        .map(|(process, (&without_us, &with_us))| ReceiptFigures {
            process,
            without_us,
            with_us,
            receipt_us: with_us - without_us,
        })
        .collect())
}

/// Processor time so far of the gateway and of the stores.
fn cpu_times(deployment: &Deployment) -> anyhow::Result<[Duration; 3]> {
    let gateway = deployment.gateway.program.pid();
    let nats = deployment.nats_pids()?.first().copied();
    let pids = [gateway, nats, deployment.redis.pid()];
    let mut times = [Duration::ZERO; 3];
    for (time, pid) in times.iter_mut().zip(pids) {
        *time = process_usage(pid.context("a process has ended")?)?.cpu;
    }
    Ok(times)
}
