//! Decisions that the restored snapshots include: observed after the start, so that nobody waits
//! for them.

use super::registry::SiteRegistry;
use crate::codec;
use futures::StreamExt;
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{LogItem, Position, Unavailable};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Entries after which the task yields to those that serve.
const CHUNK_ENTRIES: usize = 16;

/// Hands the decisions up to each site's snapshot to the observer, as far as the ledger keeps them.
pub(super) async fn observe(registry: Arc<SiteRegistry>, closed: CancellationToken) {
    let observing = async {
        registry.context.follower.until_caught_up().await;
        if let Err(error) = observe_all(&registry).await {
            tracing::warn!(%error, "cannot read the decisions before the snapshots");
        }
    };
    closed.run_until_cancelled(observing).await;
}

async fn observe_all(registry: &SiteRegistry) -> Result<(), Unavailable> {
    let sites = registry.replica.sites();
    let newest = sites.iter().map(|site| site.began_at()).max().unwrap_or_default();
    let end = newest.min(registry.ledger.head(&LEDGER).await?);
    if end == Position::START {
        return Ok(());
    }
    let mut entries = registry.ledger.follow(&LEDGER, Position::START).await?;
    let mut read = 0;
    while let Some(LogItem::Entry(stored)) = entries.next().await {
        let site = registry.replica.site(&stored.subject);
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
