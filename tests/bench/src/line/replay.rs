//! What it takes a new replica to read the whole ledger, beside reading the same and dropping it.

use super::figures::Replay;
use super::hall::{book, site};
use super::stored::{Gateway, head};
use crate::callback::figures::Spread;
use anyhow::ensure;
use futures::StreamExt;
use paihao_contracts::names::LEDGER;
use paihao_ledger::{Followed, Ledger, Position};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// Sites that the events are of. Each decides one thing after the other, so that an entry holds one
/// decision, as it does in a day like any other.
const SITES: usize = 128;

/// Writes so many events, and reads them.
pub async fn measure(
    shape: &'static str,
    ledger: Arc<dyn Ledger>,
    events: u64,
    rounds: usize,
) -> anyhow::Result<Replay> {
    let book = book(SITES)?;
    let gateway = Gateway::open(&book, ledger.clone()).await;
    let writers = (0..SITES).map(async |i| {
        let site = site(i);
        gateway.open_counters(&site).await?;
        for n in 0.. {
            if gateway.events.load(Ordering::Relaxed) >= events {
                break;
            }
            gateway.round(&site, n, n).await?;
        }
        Ok::<_, anyhow::Error>(())
    });
    futures::future::try_join_all(writers).await?;
    let written = gateway.events.load(Ordering::Relaxed);
    gateway.close().await;

    let end = head(&*ledger).await?;
    let (mut entries, mut bytes) = (0, 0);
    let (mut dropped, mut replayed) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let mut all = ledger.follow(&LEDGER, Position::START).await?;
        (entries, bytes) = (0, 0);
        while let Some(Followed::Entry(recorded)) = all.next().await {
            entries += 1;
            bytes += recorded.entry.payload.len() as u64;
            if recorded.position >= end {
                break;
            }
        }
        dropped.push(begun.elapsed().as_secs_f64());
        drop(all);
        let begun = Instant::now();
        let replica = Gateway::open(&book, ledger.clone()).await;
        replayed.push(begun.elapsed().as_secs_f64());
        let read = replica.events.load(Ordering::Relaxed);
        ensure!(read >= written, "{read} of {written} events were read");
        replica.close().await;
    }
    let ratios = dropped.iter().zip(&replayed).map(|(dropped, replayed)| dropped / replayed);
    Ok(Replay {
        shape,
        events: written,
        entries,
        bytes,
        ratio: Spread::of(ratios),
        replay_seconds: Spread::of(replayed.iter().copied()),
        drop_seconds: Spread::of(dropped),
    })
}
