//! `bench appends`: what an append to the file costs until it is on the disk, by one writer and by
//! many at once, compared with plain inserts of SQLite in transactions of their own and together.
//!
//! All ways take turns on files beside each other. The baselines have the tables, the indices and
//! the durability of the ledger's file, and neither positions to expect nor anybody to wake.

use crate::callback::figures::RoundSpread;
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::{Context, ensure};
use clap::Args;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use rusqlite::Connection;
use serde::Serialize;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of an entry, as a commit of one decision has them.
const ENTRY_BYTES: usize = 800;

/// Table and indices of the entries, as the ledger's file has them.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
    PRAGMA journal_size_limit = 4194304;
    CREATE TABLE entries (
        position INTEGER PRIMARY KEY AUTOINCREMENT, log TEXT NOT NULL, subject TEXT NOT NULL,
        at_ms INTEGER NOT NULL, headers TEXT NOT NULL, payload BLOB NOT NULL) STRICT;
    CREATE INDEX entries_by_log ON entries (log, position);
    CREATE INDEX entries_by_subject ON entries (log, subject, position);";

const INSERT: &str = "INSERT INTO entries (log, subject, at_ms, headers, payload)
    VALUES ('ledger', ?1, ?2, '', ?3)";

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Seconds of each way in a round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Writers at once, and inserts in one transaction.
    #[arg(long, default_value_t = 64)]
    writers: u64,
    /// Folder on the disk that is measured. A folder in memory syncs nothing.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"))]
    folder: PathBuf,
    #[command(flatten)]
    run: RunOptions,
}

/// All figures of a run.
#[derive(Serialize)]
struct Figures {
    writers: u64,
    ways: Vec<WayFigures>,
    ratios: Vec<RateRatio>,
}

/// Figures of one way to write an entry.
#[derive(Serialize)]
struct WayFigures {
    way: &'static str,
    per_second: RoundSpread,
    /// Time of one entry, in microseconds; of entries at once their share of it.
    entry_us: RoundSpread,
}

/// Rate of the ledger divided by that of a baseline, round by round.
#[derive(Serialize)]
struct RateRatio {
    of: &'static str,
    to: &'static str,
    ratio: RoundSpread,
}

/// Ways, in the order of the first round.
const WAYS: [&str; 5] =
    ["a page, synced", "insert", "inserts together", "append", "appends at once"];

/// The ledger's ways with their baselines, by their places in [`WAYS`].
const COMPARED: [(usize, usize); 2] = [(3, 1), (4, 2)];

/// Measures and prints the figures.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("appends", Kind::Timed, &options.run, || {
        let mut options = options.clone();
        if options.run.short {
            (options.seconds, options.rounds, options.writers) = (0.1, 1, 8);
        }
        ensure!(options.rounds > 0 && options.writers > 0, "nothing to measure");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let figures = runtime.block_on(measure(&options))?;
        Report::new(figures.text(), &figures)
    })
}

async fn measure(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir_in(&options.folder)
        .with_context(|| format!("no folder for files in {}", options.folder.display()))?;
    let time = Duration::from_secs_f64(options.seconds);
    let mut plain = PlainFile::create(&folder.path().join("plain.sqlite"))?;
    let mut ledger = LedgerFile::create(&folder.path().join("ledger.sqlite"))?;
    let page = File::create(folder.path().join("page"))?;
    let mut rates: [Vec<f64>; WAYS.len()] = Default::default();
    for round in 0..options.rounds {
        for turn in 0..WAYS.len() {
            // Who begins changes from round to round.
            let way = (turn + round) % WAYS.len();
            rates[way].push(match way {
                0 => sync_pages(&page, time)?,
                1 => plain.insert(time, 1)?,
                2 => plain.insert(time, options.writers)?,
                3 => ledger.append(time, 1).await?,
                _ => ledger.append(time, options.writers).await?,
            });
        }
    }
    let ratio = |(of, to): (usize, usize)| RateRatio {
        of: WAYS[of],
        to: WAYS[to],
        ratio: RoundSpread::from_values(rates[of].iter().zip(&rates[to]).map(|(of, to)| of / to)),
    };
    let ratios = COMPARED.map(ratio).into();
    let ways = WAYS.iter().zip(&rates).map(|(way, rates)| WayFigures {
        way,
        per_second: RoundSpread::from_values(rates.iter().copied()),
        entry_us: RoundSpread::from_values(rates.iter().map(|rate| 1e6 / rate)),
    });
    Ok(Figures { writers: options.writers, ways: ways.collect(), ratios })
}

/// Writes one page of a file again and again, each time to the disk. Returns the rate a second.
fn sync_pages(file: &File, time: Duration) -> anyhow::Result<f64> {
    let page = [7; 4096];
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < time {
        file.write_all_at(&page, 0)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// File with plain inserts.
struct PlainFile {
    connection: Connection,
    payload: Vec<u8>,
}

impl PlainFile {
    fn create(path: &Path) -> anyhow::Result<PlainFile> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(PlainFile { connection, payload: vec![b'x'; ENTRY_BYTES] })
    }

    /// Inserts entries, so many in a transaction. Returns the rate a second.
    fn insert(&mut self, time: Duration, together: u64) -> anyhow::Result<f64> {
        let started = Instant::now();
        let mut count = 0;
        while started.elapsed() < time {
            let transaction = self.connection.transaction()?;
            for subject in 0..together {
                let mut insert = transaction.prepare_cached(INSERT)?;
                let at_ms = SystemClock.now_ms();
                insert.execute((format!("shop.s{subject:05}"), at_ms, &self.payload))?;
            }
            transaction.commit()?;
            count += together;
        }
        Ok(count as f64 / started.elapsed().as_secs_f64())
    }
}

/// File of the ledger.
struct LedgerFile {
    ledger: SqliteLedger,
    /// Newest position of each writer's subject.
    newest: Vec<Position>,
}

impl LedgerFile {
    fn create(path: &Path) -> anyhow::Result<LedgerFile> {
        let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
        Ok(LedgerFile { ledger: SqliteLedger::open(path, options)?, newest: Vec::new() })
    }

    /// Lets so many writers append, each to a subject of its own and on the entry before. Returns
    /// the rate a second.
    async fn append(&mut self, time: Duration, writers: u64) -> anyhow::Result<f64> {
        self.newest.resize(self.newest.len().max(writers as usize), Position::START);
        let ledger = &self.ledger;
        let started = Instant::now();
        let writers = self.newest.iter_mut().take(writers as usize).enumerate();
        let writers = writers.map(async |(i, newest)| {
            let subject = Subject::new(&["shop", &format!("s{i:05}")])?;
            let mut count = 0_u64;
            while started.elapsed() < time {
                let expected = match *newest {
                    Position::START => ExpectedPosition::Empty,
                    position => ExpectedPosition::At(position),
                };
                let entry = Entry::new(vec![b'x'; ENTRY_BYTES]);
                *newest = ledger.append(&LEDGER, &subject, expected, entry).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
        let counts = futures::future::try_join_all(writers).await?;
        Ok(counts.iter().sum::<u64>() as f64 / started.elapsed().as_secs_f64())
    }
}

impl Figures {
    fn text(&self) -> String {
        let spread = |spread: &RoundSpread, decimals: usize| {
            let RoundSpread { median, least, most } = spread;
            format!("{median:.decimals$} ({least:.decimals$}..{most:.decimals$})")
        };
        let mut text = format!("Entries of {ENTRY_BYTES} bytes, {} at once\n", self.writers);
        for WayFigures { way, per_second, entry_us } in &self.ways {
            let (rate, each) = (spread(per_second, 0), spread(entry_us, 1));
            text += &format!("  {way:<18} {rate} a second, {each} µs each\n");
        }
        for RateRatio { of, to, ratio } in &self.ratios {
            text += &format!("  {of} ÷ {to}: {}\n", spread(ratio, 2));
        }
        text
    }
}
