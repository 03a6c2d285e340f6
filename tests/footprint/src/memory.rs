//! Memory of the parts of a gateway: what each keeps for a ticket, for a site, and for a day that
//! is over.

use crate::commands::{open_counter, scan, settings, site_id};
use crate::gateway::Gateway;
use crate::ledger::MemoryLedger;
use futures::stream::{self, StreamExt, TryStreamExt};
use paihao_domain::COMMAND_RETENTION_MS;
use std::sync::Arc;
use std::time::Duration;

/// Scans that are under way at once.
const CONCURRENT_SCANS: usize = 64;

/// Hours to the same time of the next day.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Size of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// People who wait in one line.
    pub waiting: u64,
    /// Sites that nobody asks about.
    pub sites: u64,
}

/// Bytes by part.
#[derive(Debug, Clone, Copy)]
pub struct MemoryByPart {
    /// Of each waiting ticket in the line, at the gateway that gave it out.
    pub ticket: f64,
    /// Of each ticket for the answer to its command, for a quarter of an hour.
    pub recent_command: f64,
    /// Of each ticket for the delivery status of its notices.
    pub delivery_status: f64,
    /// Of each ticket and its command in another gateway, which has read it.
    pub ticket_elsewhere: f64,
    /// Of each site that nobody asks about, beside its settings.
    pub quiet_site: f64,
    /// Of the settings of each site, with one queue and one counter.
    pub settings: f64,
    /// In all, at the end of the day after the one with the line.
    pub day_after: f64,
    /// In all, at the end of the day after that.
    pub two_days_after: f64,
}

impl MemoryByPart {
    /// Bytes of a waiting ticket in all parts.
    pub fn waiting_ticket(&self) -> f64 {
        self.ticket + self.recent_command + self.delivery_status
    }
}

/// Measures the parts by a gauge of the bytes that the process holds.
pub async fn measure(size: Size, gauge: &impl Fn() -> u64) -> anyhow::Result<MemoryByPart> {
    let grown = |since: u64| gauge() as f64 - since as f64;
    let (waiting, sites) = (size.waiting as f64, size.sites as f64);

    // One gateway that is thrown away, for what is made once in a process.
    let first = Gateway::start_whole(&settings(1)?, memory_ledger()).await;
    fill(&first, 0..100).await?;
    first.kill().await;

    let before = gauge();
    let many = settings(size.sites)?;
    let of_settings = grown(before) / sites;
    let few = settings(1)?;
    let before = gauge();
    let gateway = Gateway::start(&few, memory_ledger()).await;
    let fixed = grown(before);
    gateway.kill().await;
    let before = gauge();
    let gateway = Gateway::start(&many, memory_ledger()).await;
    let quiet_site = (grown(before) - fixed) / sites;
    gateway.kill().await;
    drop(many);

    let ledger = memory_ledger();
    let gateway = Gateway::start(&few, ledger.clone()).await;
    let elsewhere = Gateway::start(&few, ledger).await;
    fill(&gateway, 0..1).await?;
    elsewhere.settle().await;
    let empty = gauge();
    fill(&gateway, 1..size.waiting + 1).await?;
    elsewhere.settle().await;
    let both = grown(empty);
    elsewhere.kill().await;
    let here = grown(empty);
    gateway.clock.advance(Duration::from_millis(COMMAND_RETENTION_MS as u64 + 2));
    gateway.submit(&site_id(0), open_counter(0)).await?;
    gateway.settle().await;
    let line = grown(empty);
    let mut after = [0.0; 2];
    for (day, bytes) in after.iter_mut().enumerate() {
        // Before the line begins again, the one of yesterday has ended.
        gateway.clock.advance(DAY);
        for _ in 0..20 {
            gateway.settle().await;
        }
        gateway.submit(&site_id(0), open_counter(day as u64 + 1)).await?;
        gateway.clock.advance(Duration::from_millis(COMMAND_RETENTION_MS as u64 + 2));
        gateway.submit(&site_id(0), open_counter(day as u64 + 100)).await?;
        gateway.settle().await;
        *bytes = grown(empty);
    }
    gateway.kill().await;

    let whole = Gateway::start_whole(&few, memory_ledger()).await;
    fill(&whole, 0..1).await?;
    let empty = gauge();
    fill(&whole, 1..size.waiting + 1).await?;
    let with_status = grown(empty);
    whole.kill().await;

    Ok(MemoryByPart {
        ticket: line / waiting,
        recent_command: (here - line) / waiting,
        delivery_status: (with_status - here) / waiting,
        ticket_elsewhere: (both - here) / waiting,
        quiet_site,
        settings: of_settings,
        day_after: after[0],
        two_days_after: after[1],
    })
}

fn memory_ledger() -> Arc<MemoryLedger> {
    Arc::new(MemoryLedger::default())
}

/// Lets these people take a ticket.
async fn fill(gateway: &Gateway, people: std::ops::Range<u64>) -> anyhow::Result<()> {
    let site = site_id(0);
    let scans = stream::iter(people).map(|i| gateway.submit(&site, scan(i)));
    scans.buffer_unordered(CONCURRENT_SCANS).try_collect::<()>().await?;
    gateway.settle().await;
    Ok(())
}
