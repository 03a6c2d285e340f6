//! `bench history`: time that a gateway needs to read the visit log at its start, and the memory
//! that it keeps, compared with reading the same log and dropping it.

use crate::process::process_usage;
use crate::run::{self, Kind, Report, RunOptions};
use clap::Args;
use futures::{StreamExt, stream};
use paihao_chassis::Tasks;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::commit::{QuotedWait, SiteFacts, TicketCounts, VisitOutcome, VisitRecord};
use paihao_contracts::streams::HISTORY;
use paihao_contracts::visit::{HISTORY_VERSION, HistoryEntry, VisitChange};
use paihao_domain::Rules;
use paihao_gateway::engine::Engine;
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::settings::calendar::Calendar;
use paihao_gateway::settings::{DeploymentSettings, SiteSettings};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Midnight of 2026-01-01, UTC.
const HISTORY_START_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Size of the visit log, which is written first.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Sites.
    #[arg(long, default_value_t = 5)]
    sites: u32,
    /// Days.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Visits to each site a day.
    #[arg(long, default_value_t = 300)]
    visits: u32,
    #[command(flatten)]
    run: RunOptions,
}

/// Figures of a run.
#[derive(Serialize)]
struct Figures {
    visits: u64,
    write_seconds: f64,
    drop_seconds: f64,
    read_seconds: f64,
    /// Speed of the gateway, relative to reading the log and dropping its entries.
    ratio: f64,
    before_mib: u64,
    after_mib: u64,
}

/// Measures and prints the figures.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("history", Kind::Timed, &options.run, || {
        let mut options = options.clone();
        if options.run.short {
            (options.sites, options.days, options.visits) = (2, 5, 20);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let figures = runtime.block_on(measure(&options))?;
        Report::new(figures.text(), &figures)
    })
}

async fn measure(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let at = HISTORY_START_MS + i64::from(options.days) * DAY_MS;
    let store_options = SqliteOptions::new(Arc::new(move || at));
    let ledger = Arc::new(SqliteLedger::open(folder.path().join("history.sqlite"), store_options)?);
    let subjects: Vec<_> =
        (0..options.sites).map(|i| Subject::new(&["shop", &format!("hall-{i}")])).collect();
    let subjects = subjects.into_iter().collect::<Result<Vec<_>, _>>()?;
    let days = (0..options.days).flat_map(|day| (0..options.visits).map(move |n| (day, n)));
    let all =
        days.flat_map(|(day, n)| subjects.iter().map(move |site| (site, visit_entry(day, n))));
    let mut appends = stream::iter(all)
        .map(|(site, entry)| ledger.append(&HISTORY, site, ExpectedPosition::Any, entry))
        .buffered(512);
    let started = Instant::now();
    let mut written: u64 = 0;
    let mut position = Position::START;
    while let Some(appended) = appends.next().await {
        position = appended?;
        written += 1;
    }
    drop(appends);
    let write_seconds = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let mut entries = ledger.follow(&HISTORY, Position::START).await?;
    while let Some(LogItem::Entry(recorded)) = entries.next().await {
        if recorded.position >= position {
            break;
        }
    }
    drop(entries);
    let raw_read = started.elapsed();
    let before = resident_mib()?;
    let started = Instant::now();
    let clock = Arc::new(ManualClock::at(at));
    let observer = Arc::new(|_: &Subject, _: &_| {});
    let stop = CancellationToken::new();
    let store: Arc<dyn Ledger> = ledger.clone();
    let tasks = Tasks::new();
    let visits = VisitProjection::start(store.clone(), stop.clone(), &tasks);
    let forecasts = Arc::new(visits.clone());
    let sites = bench_settings(&subjects).sites;
    let _engine = Engine::start(&sites, store, clock, forecasts, observer, &stop, &tasks);
    visits.until_caught_up().await;
    let engine_read = started.elapsed();
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(Figures {
        visits: written,
        write_seconds,
        drop_seconds: raw_read.as_secs_f64(),
        read_seconds: engine_read.as_secs_f64(),
        ratio: raw_read.as_secs_f64() / engine_read.as_secs_f64(),
        before_mib: before,
        after_mib: resident_mib()?,
    })
}

impl Figures {
    fn text(&self) -> String {
        let Figures { visits, write_seconds, drop_seconds, read_seconds, ratio, .. } = self;
        let Figures { before_mib, after_mib, .. } = self;
        format!(
            "{visits} visits written in {write_seconds:.1} s\n\
             read and dropped in {drop_seconds:.2} s\n\
             read by a gateway in {read_seconds:.2} s: {ratio:.2} of that\n\
             resident memory: {before_mib} MiB before, {after_mib} MiB after"
        )
    }
}

fn bench_settings(subjects: &[Subject]) -> DeploymentSettings {
    let site = |subject: &Subject| {
        let id = subject.parts().last().unwrap_or_default().to_owned();
        let facts = SiteFacts {
            account: "shop".into(),
            id: id.as_str().into(),
            name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        let calendar = Calendar::new(jiff::tz::TimeZone::UTC, 4);
        let settings = SiteSettings::new(facts, subject.clone(), Rules::default(), calendar);
        (id, Arc::new(settings))
    };
    DeploymentSettings {
        sites: subjects.iter().map(site).collect::<BTreeMap<_, _>>(),
        ..DeploymentSettings::default()
    }
}

fn visit_entry(day: u32, n: u32) -> Entry {
    let taken_at = HISTORY_START_MS + i64::from(day) * DAY_MS + i64::from(n) * 90_000;
    let (waited, slot) =
        (600_000 + i64::from(n % 17) * 30_000, 180_000 + i64::from(n % 11) * 20_000);
    let visit = VisitRecord {
        day: 20_454 + day as i32,
        queue: if n.is_multiple_of(3) { "b" } else { "a" }.into(),
        counter: Some("1".into()),
        taken_at,
        called_at: Some(waited),
        started_at: Some(waited + 20_000),
        ended_at: waited + slot,
        slot_ms: Some(slot),
        serving_ms: Some(slot - 20_000),
        implausible: false,
        counts: TicketCounts { calls: 1, ..TicketCounts::default() },
        called_out_of_order: false,
        quoted: QuotedWait { ahead: n % 20, minutes: Some((10, 15)), cold: false },
        basis: Some((600, 620, 2)),
        overtaken: Default::default(),
        end: VisitOutcome::Served,
    };
    let records = vec![VisitChange::Ended { ticket: n + 1, visit: Box::new(visit) }];
    let commit = u64::from(day) * 100_000 + u64::from(n);
    let zone = "Asia/Shanghai".into();
    let entry = HistoryEntry { v: HISTORY_VERSION, commit, zone, records };
    Entry::new(serde_json::to_vec(&entry).expect("string keys only"))
}

fn resident_mib() -> anyhow::Result<u64> {
    Ok(process_usage(std::process::id())?.resident >> 20)
}
