//! Measurement of snapshots: their size by the length of the line, and what writing them adds to
//! the cost of an entry.

use super::BenchLedger;
use super::figures::SnapshotFigures;
use super::sites::{COUNTERS_PER_SITE, bench_settings, site_id};
use super::stored::BenchEngine;
use crate::callback::figures::RoundSpread;
use crate::process::process_usage;
use anyhow::{Context, ensure};
use async_trait::async_trait;
use harness::NatsServer;
use paihao_contracts::streams::{LEDGER, Log, SNAPSHOTS};
use paihao_domain::COMMAND_RETENTION_MS;
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position, Subject};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Ledger that counts what is appended.
struct CountedLedger {
    inner: Arc<dyn Ledger>,
    entries: AtomicU64,
    snapshots: AtomicU64,
    /// Bytes of the newest snapshot.
    snapshot_bytes: AtomicU64,
}

impl CountedLedger {
    /// Numbers of entries and of snapshots.
    fn counts(&self) -> (u64, u64) {
        (self.entries.load(Ordering::Relaxed), self.snapshots.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl LedgerLayer for CountedLedger {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let bytes = entry.payload.len() as u64;
        let position = self.inner.append(log, subject, expect, entry).await?;
        if *log == LEDGER {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        // The floor of the snapshots is a few bytes long and has no site.
        if *log == SNAPSHOTS && subject.as_str().contains('.') {
            self.snapshots.fetch_add(1, Ordering::Relaxed);
            self.snapshot_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(position)
    }
}

/// One site at a ledger of its own.
struct MeasuredSite {
    store: BenchLedger,
    counted: Arc<CountedLedger>,
    engine: BenchEngine,
    next: AtomicU64,
}

impl MeasuredSite {
    async fn new(shape: &str, waiting: u64, writes_snapshots: bool) -> anyhow::Result<Self> {
        let store = BenchLedger::new(shape).await?;
        let counted = Arc::new(CountedLedger {
            inner: store.ledger.clone(),
            entries: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            snapshot_bytes: AtomicU64::new(0),
        });
        let snapshots = if writes_snapshots { SnapshotStore::Same } else { SnapshotStore::Absent };
        let ledger = RoutedLedger::new(counted.clone(), snapshots);
        let engine = BenchEngine::open(&bench_settings(1)?, ledger).await;
        engine.fill_queue(&site_id(0), waiting).await?;
        engine.clock.advance(Duration::from_millis(COMMAND_RETENTION_MS as u64 + 1));
        Ok(MeasuredSite { store, counted, engine, next: AtomicU64::new(1_000_000_000) })
    }

    /// Processor time of this process and of its server.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let server = self.store.nats.as_ref().and_then(NatsServer::pid);
        let server = server.map(process_usage).transpose()?;
        let own = process_usage(std::process::id())?.cpu;
        Ok(own + server.map(|server| server.cpu).unwrap_or_default())
    }

    /// Appends at least so many entries, and returns the processor time of each in microseconds.
    async fn append_entries(&self, entries: u64) -> anyhow::Result<f64> {
        let ((before, _), cpu_before) = (self.counted.counts(), self.cpu()?);
        let appended = || self.counted.counts().0 - before;
        let counters = (0..COUNTERS_PER_SITE).map(async |counter| {
            while appended() < entries {
                let n = self.next.fetch_add(1, Ordering::Relaxed);
                self.engine.run_round(&site_id(0), counter, n).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
        futures::future::try_join_all(counters).await?;
        let spent = self.cpu()?.saturating_sub(cpu_before);
        Ok(spent.as_secs_f64() * 1e6 / appended() as f64)
    }
}

/// Measures snapshots with so many waiting: two sites in turn, of which one writes none.
pub async fn measure(
    shape: &'static str,
    waiting: u64,
    entries: u64,
    rounds: usize,
) -> anyhow::Result<SnapshotFigures> {
    let with = MeasuredSite::new(shape, waiting, true).await?;
    let without = MeasuredSite::new(shape, waiting, false).await?;
    let counted = with.counted.clone();
    let (entries_before, snapshots_before) = counted.counts();
    let (mut with_us, mut without_us) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        with_us.push(with.append_entries(entries).await.context("with snapshots")?);
        without_us.push(without.append_entries(entries).await.context("without")?);
    }
    let (entries_after, snapshots_after) = counted.counts();
    with.engine.close().await;
    without.engine.close().await;
    // The last one is written at the end at the latest.
    let bytes = counted.snapshot_bytes.load(Ordering::Relaxed);
    ensure!(bytes > 0, "no snapshot was written");
    ensure!(without.counted.counts().1 == 0, "a snapshot was written where none is");
    let added = with_us.iter().zip(&without_us).map(|(with, without)| with - without);
    Ok(SnapshotFigures {
        shape,
        waiting,
        bytes,
        entries: entries_after - entries_before,
        snapshots: snapshots_after - snapshots_before,
        added_us: RoundSpread::from_values(added),
        entry_us: RoundSpread::from_values(without_us.iter().copied()),
    })
}
