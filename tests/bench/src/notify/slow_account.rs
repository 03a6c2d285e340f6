//! Rate of an account's notices beside another account that WeChat answers slowly.

use super::backlog::{self, Backlog, enqueue};
use crate::callback::deployment::Deployment;
use serde::Serialize;
use std::time::Duration;
use wechat_sim::{Effect, Fault, SimAccount};

/// Time in which WeChat answers the slow account.
const SLOWLY: Duration = Duration::from_secs(4);

/// Figures of an account alone and beside a slow one.
#[derive(Serialize)]
pub struct BesideFigures {
    pub wechat_ms: u64,
    pub notices: u64,
    /// Notices of the slow account that wait meanwhile.
    pub slow_notices: u64,
    pub slow_ms: u64,
    pub alone_per_second: f64,
    pub beside_per_second: f64,
    /// Rate beside the slow account, divided by the rate alone.
    pub ratio: f64,
}

/// Sends a backlog alone, and another one beside as many notices of a slow account.
pub async fn measure(wechat: Duration, notices: u32) -> anyhow::Result<BesideFigures> {
    let mut deployment = Deployment::start(1, wechat).await?;
    deployment.notifier.program.stop();
    let ledger = deployment.ledger().await?;
    let appid = SimAccount::default().appid;
    let accepted = || {
        let messages = deployment.wechat.all_messages();
        messages.iter().filter(|message| message.appid == appid).count() as u64
    };
    let limit = Duration::from_secs(600);
    enqueue(&ledger, Backlog::Usual, 1..1 + notices).await?;
    let alone = backlog::measure(&deployment, 1, u64::from(notices), limit, accepted).await?;

    let delay = Effect::Delay { ms: SLOWLY.as_millis() as u64 };
    let fault = Fault::new("/cgi-bin/message/template/send", delay);
    let fault = fault.containing(Backlog::OfOtherAccount.person_prefix());
    deployment.wechat.add_fault(fault);
    enqueue(&ledger, Backlog::OfOtherAccount, 1..1 + notices).await?;
    enqueue(&ledger, Backlog::Usual, 1 + notices..1 + 2 * notices).await?;
    let beside = backlog::measure(&deployment, 1, u64::from(notices), limit, accepted).await?;
    deployment.wechat.clear_faults();
    deployment.notifier = deployment.add_notifier();
    deployment.notifier.wait_until_ready().await?;
    deployment.stop().await?;
    Ok(BesideFigures {
        wechat_ms: wechat.as_millis() as u64,
        notices: u64::from(notices),
        slow_notices: u64::from(notices),
        slow_ms: SLOWLY.as_millis() as u64,
        alone_per_second: alone.per_second,
        beside_per_second: beside.per_second,
        ratio: beside.per_second / alone.per_second,
    })
}
