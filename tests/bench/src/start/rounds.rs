//! Course of a run: the ledger is written once, and then read in turn by gateways, by an engine
//! without snapshots, and by a follower that drops the entries.

use super::deployment::{site_configuration, start_gateway};
use super::figures::Figures;
use super::{Options, fill, template};
use crate::callback::figures::RoundSpread;
use crate::line::sites::{bench_site, site_id};
use crate::line::stored::{BenchEngine, log_head};
use anyhow::ensure;
use futures::StreamExt;
use harness::{NatsServer, RedisServer};
use jiff::tz::TimeZone;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::streams::LEDGER;
use paihao_gateway::settings::DeploymentSettings;
use paihao_gateway::site::calendar::Calendar;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// Runs the whole measurement.
pub async fn measure(options: &Options) -> anyhow::Result<Figures> {
    let begun = Instant::now();
    let log = |step: &str| eprintln!("[{:6.1} s] {step}", begun.elapsed().as_secs_f64());
    let now_ms = SystemClock.now_ms();
    // Business days begin half a day away, so that none ends during the run.
    let day_starts_at = (now_ms.div_euclid(3_600_000).rem_euclid(24) + 12) % 24;
    let zone = TimeZone::get("Asia/Shanghai")?;
    let calendar = || Calendar::new(zone.clone(), local_hour(day_starts_at));
    log("deciding the history of one site");
    let events = options.events / options.sites as u64;
    let Options { tail, sites, .. } = *options;
    let history = template::decide(now_ms, calendar(), events, tail).await?;

    let (nats, redis, empty_nats) =
        (NatsServer::start(), RedisServer::start(), NatsServer::start());
    let nats_options = NatsOptions { url: nats.url(), ..NatsOptions::default() };
    let ledger: Arc<dyn Ledger> = Arc::new(NatsLedger::connect(nats_options).await?);
    log(&format!("writing {} entries of each of {sites} sites", history.covered.len() + tail));
    let filled = fill::fill(&*ledger, &history, sites).await?;
    let configuration = site_configuration(sites, i64::from(local_hour(day_starts_at)));

    let mut settings = DeploymentSettings::default();
    for i in 0..sites {
        settings.sites.insert(site_id(i), Arc::new(bench_site(i, calendar())?));
    }
    let end = log_head(&*ledger).await?;
    let written = history.events * sites as u64;
    let (mut empty, mut ready) = (Vec::new(), Vec::new());
    let (mut dropped, mut replayed) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        log(&format!("round {}: a gateway without entries", round + 1));
        let started = start_gateway(&configuration, &[], &empty_nats, &redis).await?;
        empty.push(started.ready_after.as_secs_f64());
        log("a gateway with snapshots and the tail");
        let started = start_gateway(&configuration, &filled.newest, &nats, &redis).await?;
        ensure!(started.behind == 0, "{} sites were behind at readiness", started.behind);
        ready.push(started.ready_after.as_secs_f64());
        if options.without_replay {
            continue;
        }
        log("the whole ledger, dropped and replayed");
        dropped.push(drop_all(&*ledger, end).await?);
        let started = Instant::now();
        let without = RoutedLedger::new(ledger.clone(), SnapshotStore::Absent);
        let engine = BenchEngine::open_at(now_ms, &settings, without).await;
        replayed.push(started.elapsed().as_secs_f64());
        let read = engine.events.load(Ordering::Relaxed);
        ensure!(read >= written, "{read} of {written} events were read");
        engine.close().await;
    }
    ensure!(log_head(&*ledger).await? == end, "a gateway has written to the ledger");
    log("everything has stopped");
    let ratios: Vec<_> =
        dropped.iter().zip(&replayed).map(|(drop, replay)| drop / replay).collect();
    let spread = |values: Vec<f64>| (!values.is_empty()).then(|| RoundSpread::from_values(values));
    Ok(Figures {
        sites,
        events: written,
        entries: filled.entries,
        bytes: filled.bytes,
        tail_entries: filled.tail_entries,
        snapshot_bytes: filled.snapshot_bytes,
        empty_seconds: RoundSpread::from_values(empty),
        ready_seconds: RoundSpread::from_values(ready),
        drop_seconds: spread(dropped),
        replay_seconds: spread(replayed),
        ratio: spread(ratios),
    })
}

/// Hour in Shanghai at an hour in UTC.
fn local_hour(utc: i64) -> i8 {
    ((utc + 8) % 24) as i8
}

/// Reads the ledger and drops its entries. Returns the seconds.
async fn drop_all(ledger: &dyn Ledger, end: Position) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut all = ledger.follow(&LEDGER, Position::START).await?;
    while let Some(LogItem::Entry(stored)) = all.next().await {
        if stored.position >= end {
            return Ok(started.elapsed().as_secs_f64());
        }
    }
    anyhow::bail!("the ledger ended before its head")
}
