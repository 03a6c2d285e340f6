//! History of one site: the entries and the snapshot that an engine writes for it.

use crate::line::sites::{bench_site, open_counter_command, site_id};
use crate::line::stored::BenchEngine;
use anyhow::{Context, ensure};
use futures::StreamExt;
use paihao_chassis::clock::Clock;
use paihao_contracts::commit::Commit;
use paihao_contracts::snapshot::Snapshot;
use paihao_contracts::streams::{LEDGER, SNAPSHOTS};
use paihao_gateway::settings::DeploymentSettings;
use paihao_gateway::site::calendar::Calendar;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{Ledger, LogItem, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two rounds of a counter.
const ROUND_INTERVAL: Duration = Duration::from_secs(45);

/// Time from the beginning of the history to the end, at most: a business day begins half a day
/// before.
const MAX_HISTORY: Duration = Duration::from_secs(11 * 3600);

/// History of one site.
pub struct SiteHistory {
    /// Entries that the snapshot includes.
    pub covered: Vec<Commit>,
    pub snapshot: Snapshot,
    /// Entries behind it.
    pub tail: Vec<Commit>,
    pub events: u64,
}

/// Lets an engine decide the history of a site that ends before now. Nobody waits at its end, so
/// that a gateway finds nothing due.
pub async fn decide(
    now_ms: i64,
    calendar: Calendar,
    events: u64,
    tail: usize,
) -> anyhow::Result<SiteHistory> {
    let folder = tempfile::tempdir()?;
    let options = SqliteOptions::new(Arc::new(move || now_ms));
    let ledger: Arc<dyn Ledger> =
        Arc::new(SqliteLedger::open(folder.path().join("template.sqlite"), options)?);
    let settings = DeploymentSettings {
        sites: [(site_id(0), Arc::new(bench_site(0, calendar)?))].into(),
        ..DeploymentSettings::default()
    };
    let begin_ms = now_ms - MAX_HISTORY.as_millis() as i64;
    let engine = BenchEngine::open_at(begin_ms, &settings, ledger.clone()).await;
    let site = site_id(0);
    engine.submit(&site, open_counter_command(0)).await?;
    let rounds = async |engine: &BenchEngine, from: u64, enough: &dyn Fn(u64) -> bool| {
        let mut round = from;
        while !enough(round) {
            engine.run_round(&site, 0, round).await?;
            engine.clock.advance(ROUND_INTERVAL.min(MAX_HISTORY / (events as u32).max(1)));
            round += 1;
        }
        anyhow::Ok(round)
    };
    let decided = engine.events.clone();
    let all = |_| decided.load(Ordering::Relaxed) >= events;
    let round = rounds(&engine, 0, &all).await?;
    let clock_ms = engine.clock.now_ms();
    engine.close().await;
    let covered = entries(&*ledger, Position::START).await?;
    let head = ledger.head(&LEDGER).await?;
    let last = ledger.last(&SNAPSHOTS, &Subject::new(&["shop", &site])?).await?;
    let snapshot = last.context("the engine has left no snapshot")?.entry.payload;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*snapshot).read_to_end(&mut text)?;
    let snapshot: Snapshot = serde_json::from_slice(&text)?;
    ensure!(snapshot.position == head.0, "the snapshot is not the newest state");

    let without = RoutedLedger::new(ledger.clone(), SnapshotStore::Absent);
    let engine = BenchEngine::open_at(clock_ms, &settings, without).await;
    rounds(&engine, round, &|now| (now - round) as usize * 3 >= tail).await?;
    let events = engine.events.load(Ordering::Relaxed);
    engine.close().await;
    let tail = entries(&*ledger, head).await?;
    Ok(SiteHistory { covered, snapshot, tail, events })
}

/// Entries of the ledger behind a position.
async fn entries(ledger: &dyn Ledger, after: Position) -> anyhow::Result<Vec<Commit>> {
    let head = ledger.head(&LEDGER).await?;
    let mut stream = ledger.follow(&LEDGER, after).await?;
    let mut commits = Vec::new();
    let mut position = after;
    while position < head {
        let Some(LogItem::Entry(stored)) = stream.next().await else {
            anyhow::bail!("the ledger ended before its head");
        };
        position = stored.position;
        commits.push(serde_json::from_slice(&stored.entry.payload)?);
    }
    Ok(commits)
}
