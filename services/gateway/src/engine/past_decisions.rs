//! Decisions that the restored snapshots include: observed after the start, so that nobody waits
//! for them.

use super::registry::SiteRegistry;
use super::replica::PartitionReplica;
use crate::codec;
use futures::StreamExt;
use paihao_ledger::{Ledger, LogItem, Position, Unavailable};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Entries after which the task yields to those that serve.
const CHUNK_ENTRIES: usize = 16;

/// Hands the decisions up to each site's snapshot to the observer, of the sites of a partition and
/// as far as its ledger keeps them.
pub(super) async fn observe(
    registry: Arc<SiteRegistry>,
    replica: PartitionReplica,
    closed: CancellationToken,
) {
    let observing = async {
        registry.context.followers.of(&replica.partition).until_caught_up().await;
        if let Err(error) = observe_all(&*registry.ledger, &replica).await {
            tracing::warn!(%error, "cannot read the decisions before the snapshots");
        }
    };
    closed.run_until_cancelled(observing).await;
}

async fn observe_all(ledger: &dyn Ledger, replica: &PartitionReplica) -> Result<(), Unavailable> {
    let log = &replica.partition.ledger;
    let sites = replica.sites();
    let newest = sites.iter().map(|site| site.began_at()).max().unwrap_or_default();
    let end = newest.min(ledger.head(log).await?);
    if end == Position::START {
        return Ok(());
    }
    let mut entries = ledger.follow(log, Position::START).await?;
    let mut read = 0;
    while let Some(LogItem::Entry(stored)) = entries.next().await {
        let site = replica.site(&stored.subject);
        if stored.position <= site.began_at()
            && let Ok(decisions) = codec::decode(&stored.entry.payload)
        {
            decisions.iter().for_each(|decision| site.observe(decision));
        }
        if stored.position >= end {
            break;
        }
        read += 1;
        if read % CHUNK_ENTRIES == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
