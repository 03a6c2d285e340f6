//! `bench partitions`: conditional appends and callbacks a second with a ledger in one, two and
//! four partitions, while every entry is on the disk before it is acknowledged.
//!
//! The floor publishes the same bytes with the same expectation to streams that are divided alike,
//! and atomic batches publish them to one.
//! What is measured side by side takes turns in each round. The stores are in the folder for
//! temporary files: `TMPDIR` chooses the disk.

mod batches;

use crate::callback::deployment::Deployment;
use crate::callback::figures::RoundSpread;
use crate::callback::load::{ExpectedReply, LoadSpan, Target, run_closed_loop};
use crate::callback::scans::{ACCOUNT, ScanGenerator, site_id};
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::{Context, ensure};
use async_nats::jetstream::{self, message::PublishMessage};
use bytes::Bytes;
use clap::Args;
use futures::future::try_join_all;
use harness::NatsServer;
use paihao_contracts::partitions::Partitions;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Position, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Bytes of a measured entry: a commit of one ticket.
const ENTRY_BYTES: usize = 700;

/// Names of the publishers: the floor, the adapter, and atomic batches.
const FLOOR: &str = "floor";
const APPEND: &str = "append";
const BATCH: &str = "atomic batch";

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Numbers of partitions.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    partitions: Vec<usize>,
    /// Appends that are under way at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 256])]
    writers: Vec<usize>,
    /// Connections of the callbacks.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Sites, which the hash divides.
    #[arg(long, default_value_t = 1000)]
    sites: usize,
    /// Rounds, in each of which every number has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each turn.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    #[command(flatten)]
    run: RunOptions,
}

/// All figures of a run.
#[derive(Serialize)]
struct Figures {
    nats: String,
    /// Folder of the stores, which is of this machine alone.
    #[serde(skip)]
    folder: PathBuf,
    rows: Vec<Row>,
}

/// Rates of one number of partitions.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    partitions: usize,
    /// Appends or connections at once.
    at_once: usize,
    per_second: RoundSpread,
    /// Rates divided by those with the first number of partitions, round by round.
    to_first: RoundSpread,
}

/// Turn that is measured once in each round.
struct Turn {
    what: &'static str,
    partitions: Partitions,
    at_once: usize,
    rates: Vec<f64>,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("partitions", Kind::Timed, &options.run, || measure(options))
}

fn measure(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        options.partitions = vec![1, 2];
        options.writers = vec![1, 8];
        (options.connections, options.sites) = (8, 50);
        (options.rounds, options.seconds) = (1, 0.5);
    }
    ensure!(options.rounds > 0 && options.seconds > 0.0, "nothing to measure");
    ensure!((1..=100_000).contains(&options.sites), "1 to 100000 sites");
    ensure!(!options.writers.contains(&0), "an append needs a writer");
    let numbers = options.partitions.iter().map(|number| Partitions::new(*number));
    let numbers: Vec<_> = numbers.collect::<Option<_>>().context("1 to 16 partitions")?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let (mut rows, nats) = appends(&runtime, &options, &numbers)?;
    rows.extend(callbacks(&runtime, &options, &numbers)?);
    let figures = Figures { nats, folder: std::env::temp_dir(), rows };
    Report::new(figures.text(), &figures)
}

/// Site of a writer: where it appends, and behind what.
struct Site {
    ledger: Subject,
    newest: Position,
}

/// Measures appends through the adapter, and the floor beside them.
fn appends(
    runtime: &Runtime,
    options: &Options,
    numbers: &[Partitions],
) -> anyhow::Result<(Vec<Row>, String)> {
    let server = NatsServer::start();
    let mut turns = Vec::new();
    for partitions in numbers.iter().copied() {
        for at_once in options.writers.iter().copied() {
            for what in [FLOOR, APPEND] {
                turns.push(Turn { what, partitions, at_once, rates: Vec::new() });
            }
        }
    }
    // One stream, in batches of as many messages as are otherwise under way at once.
    for at_once in options.writers.iter().copied() {
        turns.push(Turn { what: BATCH, partitions: Partitions::ONE, at_once, rates: Vec::new() });
    }
    for round in 0..options.rounds {
        for turn in &mut turns {
            // Streams of its own, so that no turn meets what another one left.
            let number = turn.partitions.count();
            let what = turn.what.replace(' ', "-");
            let namespace = format!("{what}-{number}-{}-{round}", turn.at_once);
            let rate = if turn.what == BATCH {
                let time = Duration::from_secs_f64(options.seconds);
                let (url, sites) = (server.url(), options.sites);
                runtime.block_on(batches::rate(&url, &namespace, turn.at_once, sites, time))?
            } else {
                runtime.block_on(append_rate(&server, namespace, turn, options))?
            };
            turn.rates.push(rate);
        }
    }
    let client = runtime.block_on(async_nats::connect(server.url()))?;
    let version = format!("nats-server {}", client.server_info().version);
    Ok((rows(turns), version))
}

async fn append_rate(
    server: &NatsServer,
    namespace: String,
    turn: &Turn,
    options: &Options,
) -> anyhow::Result<f64> {
    let (url, partitions) = (server.url(), turn.partitions);
    let nats = NatsOptions { url, namespace, partitions, ..NatsOptions::default() };
    let ledger = NatsLedger::connect(nats.clone()).await?;
    let plain = jetstream::new(async_nats::connect(&nats.url).await?);
    let until = Instant::now() + Duration::from_secs_f64(options.seconds);
    let payload = Bytes::from(vec![b'x'; ENTRY_BYTES]);
    let writers = (0..turn.at_once).map(|writer| {
        let (ledger, plain, nats, payload) = (&ledger, &plain, &nats, &payload);
        async move {
            // Each writer has sites of its own, so that no append meets a conflict.
            let own = (writer..options.sites.max(turn.at_once)).step_by(turn.at_once);
            let sites = own.map(|i| {
                Ok(Site { ledger: Subject::new(&[ACCOUNT, &site_id(i)])?, newest: Position::START })
            });
            let mut sites = sites.collect::<anyhow::Result<Vec<_>>>()?;
            let mut appended = 0_u64;
            for i in (0..sites.len()).cycle() {
                if Instant::now() >= until {
                    break;
                }
                let site = &mut sites[i];
                site.newest = if turn.what == FLOOR {
                    publish(plain, nats, site, payload.clone()).await?
                } else {
                    let log = ledger.partition_of(&site.ledger).ledger;
                    let expect = match site.newest {
                        Position::START => ExpectedPosition::Empty,
                        newest => ExpectedPosition::At(newest),
                    };
                    ledger.append(&log, &site.ledger, expect, Entry::new(payload.clone())).await?
                };
                appended += 1;
            }
            anyhow::Ok(appended)
        }
    });
    let begun = Instant::now();
    let appended: u64 = try_join_all(writers).await?.into_iter().sum();
    ensure!(appended > 0, "nothing was appended");
    Ok(appended as f64 / begun.elapsed().as_secs_f64())
}

/// Publishes an entry as the floor does: with the expectation, and without anything else.
async fn publish(
    plain: &jetstream::Context,
    nats: &NatsOptions,
    site: &Site,
    payload: Bytes,
) -> anyhow::Result<Position> {
    let log = nats.partitions.of(site.ledger.as_str()).ledger;
    let subject = format!("{}.{}.{}", nats.namespace, log.name, site.ledger);
    let message =
        PublishMessage::build().payload(payload).expected_last_subject_sequence(site.newest.0);
    Ok(Position(plain.send_publish(subject, message).await?.await?.sequence))
}

/// Measures callbacks to one gateway.
fn callbacks(
    runtime: &Runtime,
    options: &Options,
    numbers: &[Partitions],
) -> anyhow::Result<Vec<Row>> {
    let mut turns = Vec::new();
    for partitions in numbers.iter().copied() {
        let at_once = options.connections;
        let deployment = Deployment::start_divided(partitions, options.sites, Duration::ZERO);
        let generator = Arc::new(ScanGenerator::new(options.sites));
        let turn = Turn { what: "callback", partitions, at_once, rates: Vec::new() };
        turns.push((turn, runtime.block_on(deployment)?, generator));
    }
    let span = LoadSpan {
        warm_up: Duration::from_secs_f64(options.seconds / 4.0),
        recorded: Duration::from_secs_f64(options.seconds),
        min_requests: 100,
        max_requests: u64::MAX,
    };
    for _ in 0..options.rounds {
        for (turn, deployment, generator) in &mut turns {
            let port = deployment.gateway.port;
            let target = Target { port, expected: ExpectedReply::Number };
            let load = run_closed_loop(target, generator, options.connections, span)?;
            ensure!(load.unexpected == 0, "an unexpected answer: {:?}", load.first_bad);
            turn.rates.push(load.rate());
        }
    }
    let mut measured = Vec::new();
    for (turn, deployment, _) in turns {
        let unread = runtime.block_on(deployment.wait_until_planned(Duration::from_secs(300)))?;
        ensure!(unread == 0, "the notifier has not read {unread} entries");
        runtime.block_on(deployment.stop())?;
        measured.push(turn);
    }
    Ok(rows(measured))
}

fn rows(turns: Vec<Turn>) -> Vec<Row> {
    let row = |turn: &Turn| {
        let Turn { what, partitions, at_once, rates } = turn;
        let is_alike = |other: &&Turn| (other.what, other.at_once) == (*what, *at_once);
        let first = turns.iter().find(is_alike).unwrap_or(turn);
        let to_first = rates.iter().zip(&first.rates).map(|(rate, first)| rate / first);
        Row {
            what,
            partitions: partitions.count(),
            at_once: *at_once,
            per_second: RoundSpread::from_values(rates.iter().copied()),
            to_first: RoundSpread::from_values(to_first),
        }
    };
    turns.iter().map(row).collect()
}

impl Figures {
    fn text(&self) -> String {
        let Figures { nats, folder, rows } = self;
        let mut text = format!("{nats}, stores in {}\n\n", folder.display());
        text += "| | partitions | at once | a second (least to most) | ÷ the first number |\n";
        text += "| --- | ---: | ---: | ---: | ---: |\n";
        for Row { what, partitions, at_once, per_second, to_first } in rows {
            let RoundSpread { least, median, most } = per_second;
            writeln!(
                text,
                "| {what} | {partitions} | {at_once} | {median:.0} ({least:.0} to {most:.0}) | {:.2} |",
                to_first.median
            )
            .expect("writing to memory");
        }
        text
    }
}
