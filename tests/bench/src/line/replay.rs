//! Measurement of a new replica's start: reading the whole ledger, compared with reading it and
//! dropping the entries.

use super::figures::ReplayFigures;
use super::sites::{bench_settings, site_id};
use super::stored::{BenchEngine, log_head};
use crate::callback::figures::RoundSpread;
use anyhow::ensure;
use futures::StreamExt;
use paihao_contracts::streams::LEDGER;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{Ledger, LogItem, Position};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// Sites of the events. Each decides one command at a time, so that an entry has one decision, as
/// on an ordinary day.
const REPLAY_SITES: usize = 128;

/// Writes this number of events and measures their replay.
pub async fn measure(
    shape: &'static str,
    ledger: Arc<dyn Ledger>,
    events: u64,
    rounds: usize,
) -> anyhow::Result<ReplayFigures> {
    let settings = bench_settings(REPLAY_SITES)?;
    let gateway = BenchEngine::open(&settings, ledger.clone()).await;
    let writers = (0..REPLAY_SITES).map(async |i| {
        let site = site_id(i);
        gateway.open_counters(&site).await?;
        for n in 0.. {
            if gateway.events.load(Ordering::Relaxed) >= events {
                break;
            }
            gateway.run_round(&site, n, n).await?;
        }
        Ok::<_, anyhow::Error>(())
    });
    futures::future::try_join_all(writers).await?;
    let written = gateway.events.load(Ordering::Relaxed);
    gateway.close().await;

    let end = log_head(&*ledger).await?;
    let mut entries = 0;
    let mut bytes = 0;
    let mut dropped = Vec::new();
    let mut replayed = Vec::new();
    let mut restored = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        let mut all = ledger.follow(&LEDGER, Position::START).await?;
        (entries, bytes) = (0, 0);
        while let Some(LogItem::Entry(recorded)) = all.next().await {
            entries += 1;
            bytes += recorded.entry.payload.len() as u64;
            if recorded.position >= end {
                break;
            }
        }
        dropped.push(started.elapsed().as_secs_f64());
        drop(all);
        let started = Instant::now();
        let without = RoutedLedger::new(ledger.clone(), SnapshotStore::Absent);
        let replica = BenchEngine::open(&settings, without).await;
        replayed.push(started.elapsed().as_secs_f64());
        let read = replica.events.load(Ordering::Relaxed);
        ensure!(read >= written, "{read} of {written} events were read");
        replica.close().await;
        let started = Instant::now();
        let replica = BenchEngine::open(&settings, ledger.clone()).await;
        restored.push(started.elapsed().as_secs_f64());
        replica.close().await;
    }
    let ratios = dropped.iter().zip(&replayed).map(|(dropped, replayed)| dropped / replayed);
    Ok(ReplayFigures {
        shape,
        events: written,
        entries,
        bytes,
        ratio: RoundSpread::from_values(ratios),
        restore_seconds: RoundSpread::from_values(restored),
        replay_seconds: RoundSpread::from_values(replayed.iter().copied()),
        drop_seconds: RoundSpread::from_values(dropped),
    })
}
