//! `bench line`: time of a decision with few and with many people waiting, in the domain alone and
//! through both ledgers; a hot site compared with many; a replica's start; and memory.
//!
//! In reading order: [`sites`] has the test sites, [`pure`] measures the domain alone, [`stored`]
//! an engine on a ledger, [`replay`] a start, [`snapshots`] what is written for it; [`figures`]
//! holds and formats the results.

pub mod sites;

mod pure;
pub mod stored;

mod replay;
mod snapshots;

mod figures;

use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use clap::Args;
use figures::Figures;
use harness::NatsServer;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_ledger::Ledger;
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use std::sync::Arc;
use std::time::Duration;

/// Limit of the rounds of the replay.
const MAX_REPLAY_ROUNDS: usize = 3;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Numbers of people waiting, from few to many.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000, 100_000])]
    waiting: Vec<u64>,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Decisions of each site in a round, in the domain alone.
    #[arg(long, default_value_t = 15_000)]
    decisions: u64,
    /// Seconds of each site in a round, through a ledger.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Sites that are compared with the hot one.
    #[arg(long, default_value_t = 1000)]
    sites: usize,
    /// Events of the replay.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Only the domain, without a ledger.
    #[arg(long)]
    pure: bool,
    /// Counters that serve a second queue too, so that waits are simulated; the domain alone.
    #[arg(long, requires = "pure")]
    shared: bool,
    /// Only a replica's start.
    #[arg(long, conflicts_with = "pure")]
    replay: bool,
    /// Only the snapshots.
    #[arg(long, conflicts_with_all = ["pure", "replay"])]
    snapshots: bool,
    /// Entries of each site in a round of the snapshots. One is due after a thousand.
    #[arg(long, default_value_t = 5_000)]
    snapshot_entries: u64,
    #[command(flatten)]
    run: RunOptions,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("line", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.waiting, options.decisions) = (vec![20, 200], 30);
        (options.rounds, options.seconds, options.sites) = (1, 0.2, 20);
        (options.events, options.snapshot_entries) = (5_000, 50);
    }
    ensure!(options.rounds > 0 && options.decisions >= 3, "nothing to measure");
    ensure!(!options.waiting.contains(&0), "somebody has to wait");
    let pure = if options.replay || options.snapshots {
        Vec::new()
    } else {
        let rules = if options.shared { sites::shared_site_rules() } else { sites::site_rules() };
        pure::measure(&options.waiting, options.rounds, options.decisions, &rules)?
    };
    let mut figures = Figures {
        pure,
        stored: Vec::new(),
        hot: Vec::new(),
        replay: Vec::new(),
        snapshots: Vec::new(),
    };
    if !options.pure {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(measure_ledgers(&options, &mut figures))?;
    }
    Report::new(figures.text(), &figures)
}

/// Measures each part on new, empty stores.
async fn measure_ledgers(options: &Options, figures: &mut Figures) -> anyhow::Result<()> {
    let Options { waiting, rounds, sites, events, .. } = options;
    let time = Duration::from_secs_f64(options.seconds);
    for shape in ["sqlite", "jetstream"] {
        if !options.replay && !options.snapshots {
            eprintln!("{shape}: decisions");
            let store = BenchLedger::new(shape).await?;
            let ledger = store.ledger.clone();
            figures.stored.extend(stored::measure(shape, ledger, waiting, *rounds, time).await?);
            eprintln!("{shape}: one hot site, and many");
            let store = BenchLedger::new(shape).await?;
            let ledger = store.ledger.clone();
            figures.hot.push(stored::measure_hot_site(shape, ledger, *sites, *rounds, time).await?);
        }
        if !options.snapshots {
            eprintln!("{shape}: replay");
            let store = BenchLedger::new(shape).await?;
            let ledger = store.ledger.clone();
            // Each round reads everything twice.
            let rounds = (*rounds).min(MAX_REPLAY_ROUNDS);
            figures.replay.push(replay::measure(shape, ledger, *events, rounds).await?);
        }
        if !options.replay {
            for waiting in waiting {
                eprintln!("{shape}: snapshots with {waiting} waiting");
                let entries = options.snapshot_entries;
                let measured = snapshots::measure(shape, *waiting, entries, *rounds).await?;
                figures.snapshots.push(measured);
            }
        }
    }
    Ok(())
}

/// Ledger, with the server and the folder that it needs.
struct BenchLedger {
    ledger: Arc<dyn Ledger>,
    nats: Option<NatsServer>,
    _folder: tempfile::TempDir,
}

impl BenchLedger {
    async fn new(shape: &str) -> anyhow::Result<BenchLedger> {
        let folder = tempfile::tempdir()?;
        let (ledger, nats): (Arc<dyn Ledger>, _) = match shape {
            "sqlite" => {
                let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
                (Arc::new(SqliteLedger::open(folder.path().join("ledger.sqlite"), options)?), None)
            }
            _ => {
                let nats = NatsServer::start();
                let options = NatsOptions { url: nats.url(), ..NatsOptions::default() };
                (Arc::new(NatsLedger::connect(options).await?), Some(nats))
            }
        };
        Ok(BenchLedger { ledger, nats, _folder: folder })
    }
}
