//! `bench notify`: notices that one, two and four notifiers send a second, as a share of what the
//! places in flight allow while WeChat takes its time; the time from the press of *next* to
//! WeChat's door; an account beside a slow one; and what a receipt costs.
//!
//! A backlog is on the queue before the notifiers start. Its rate is that between two shares of the
//! backlog, by the calls that the simulator has counted.

pub mod backlog;

mod call_latency;
mod receipts;
mod slow_account;

use crate::callback::deployment::Deployment;
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::ensure;
use backlog::{Backlog, enqueue};
use call_latency::DoorFigures;
use clap::Args;
use receipts::ReceiptFigures;
use serde::Serialize;
use slow_account::BesideFigures;
use std::fmt::Write;
use std::time::Duration;

/// Messages of one account that a notifier has in flight, as it has by default.
const PLACES: u64 = 64;

/// Limit of the time for a backlog, as a multiple of what the places allow.
const MAX_SLOWNESS: f64 = 30.0;

/// Size of the measurement.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Milliseconds in which WeChat answers.
    #[arg(long, value_delimiter = ',', default_values_t = [200, 80])]
    wechat_ms: Vec<u64>,
    /// Numbers of notifiers.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    replicas: Vec<usize>,
    /// Servers of NATS, each with a copy of everything: 1 or 3.
    #[arg(long, default_value_t = 1)]
    servers: usize,
    /// Seconds that a backlog would take if only the places counted.
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// Presses of *next* over an idle queue, and over a busy one.
    #[arg(long, default_value_t = 150)]
    presses: u32,
    /// Leave out all but the rates of backlogs.
    #[arg(long)]
    backlogs_only: bool,
    #[command(flatten)]
    run: RunOptions,
}

/// All figures of a run.
#[derive(Serialize)]
struct Figures {
    servers: usize,
    rounds: Vec<RoundFigures>,
    door: Vec<DoorFigures>,
    beside: Vec<BesideFigures>,
    receipts: Vec<ReceiptFigures>,
}

/// Figures of so many notifiers.
#[derive(Serialize)]
struct RoundFigures {
    wechat_ms: u64,
    replicas: usize,
    notices: u64,
    per_second: f64,
    /// Rate, divided by what the places of all notifiers allow.
    to_places: f64,
    /// Rate, divided by that of the first number of notifiers.
    to_first: f64,
    /// Processor time of the notifiers for each notice, in microseconds.
    cpu_us: f64,
    /// Share of the processors that was busy meanwhile, 0 to 1, whoever was.
    busy_share: f64,
}

/// Measures and prints the figures, and stops all processes that it started.
pub fn run(options: &Options) -> anyhow::Result<()> {
    run::run("notify", Kind::Timed, &options.run, || measure_all(options))
}

fn measure_all(options: &Options) -> anyhow::Result<Report> {
    let mut options = options.clone();
    if options.run.short {
        (options.wechat_ms, options.replicas, options.seconds) = (vec![200], vec![1, 2], 1.0);
        options.presses = 3;
    }
    ensure!(!options.replicas.contains(&0) && options.seconds > 0.0, "nothing to measure");
    ensure!(!options.wechat_ms.is_empty() && options.presses > 0, "nothing to measure");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rounds = Vec::new();
    for wechat_ms in &options.wechat_ms {
        rounds.extend(runtime.block_on(measure(*wechat_ms, &options))?);
    }
    let mut figures = Figures {
        servers: options.servers,
        rounds,
        door: Vec::new(),
        beside: Vec::new(),
        receipts: Vec::new(),
    };
    if !options.backlogs_only {
        runtime.block_on(measure_rest(&options, &mut figures))?;
    }
    Report::new(figures.text(), &figures)
}

/// Measures each number of notifiers with one latency of WeChat.
async fn measure(wechat_ms: u64, options: &Options) -> anyhow::Result<Vec<RoundFigures>> {
    let latency = Duration::from_millis(wechat_ms);
    let mut deployment = Deployment::start_on(options.servers, 1, latency).await?;
    deployment.notifier.program.stop();
    let ledger = deployment.ledger().await?;
    let mut rounds = Vec::<RoundFigures>::new();
    let mut first_ticket = 1;
    for replicas in &options.replicas {
        let bound = of_places(wechat_ms) * *replicas as f64;
        let notices = (bound * options.seconds) as u32;
        eprintln!("{replicas} notifiers, WeChat answers in {wechat_ms} ms: {notices} notices");
        enqueue(&ledger, Backlog::Usual, first_ticket..first_ticket + notices).await?;
        first_ticket += notices;
        let limit = Duration::from_secs_f64(options.seconds * MAX_SLOWNESS);
        let sent = || deployment.sent_templates();
        let rate =
            backlog::measure(&deployment, *replicas, u64::from(notices), limit, sent).await?;
        let first = rounds.first().map_or(rate.per_second, |first| first.per_second);
        rounds.push(RoundFigures {
            wechat_ms,
            replicas: *replicas,
            notices: u64::from(notices),
            per_second: rate.per_second,
            to_places: rate.per_second / bound,
            to_first: rate.per_second / first,
            cpu_us: rate.cpu_us,
            busy_share: rate.busy_share,
        });
    }
    deployment.notifier = deployment.add_notifier();
    deployment.notifier.wait_until_ready().await?;
    deployment.stop().await?;
    Ok(rounds)
}

/// Measures the rest, with the first latency of WeChat.
async fn measure_rest(options: &Options, figures: &mut Figures) -> anyhow::Result<()> {
    let wechat_ms = options.wechat_ms[0];
    let wechat = Duration::from_millis(wechat_ms);
    let half = figures.rounds[0].per_second / 2.0;
    for (queue, others_per_second) in [("idle", 0.0), ("busy", half)] {
        eprintln!("{} presses of next over a queue that is {queue}", options.presses);
        figures
            .door
            .push(call_latency::measure(queue, others_per_second, options.presses, wechat).await?);
    }
    let notices = (of_places(wechat_ms) * options.seconds) as u32;
    eprintln!("{notices} notices alone, and beside a slow account");
    figures.beside.push(slow_account::measure(wechat, notices).await?);
    eprintln!("{notices} notices without receipts, and with them");
    figures.receipts = receipts::measure(wechat, notices).await?;
    Ok(())
}

/// Notices a second that the places of one notifier allow.
fn of_places(wechat_ms: u64) -> f64 {
    PLACES as f64 * 1_000.0 / wechat_ms as f64
}

impl Figures {
    /// Formats the whole report.
    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to memory");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let servers = self.servers;
        writeln!(text, "Notices a second, {PLACES} places each, {servers} servers of NATS")?;
        for one in &self.rounds {
            writeln!(
                text,
                "  WeChat {:>3} ms, {} notifiers: {:>6.0} a second, {:.2} of the places, {:.2} × the first; {:.0} µs each; processors busy {:.0} %",
                one.wechat_ms,
                one.replicas,
                one.per_second,
                one.to_places,
                one.to_first,
                one.cpu_us,
                one.busy_share * 100.0,
            )?;
        }
        if self.door.is_empty() {
            return Ok(());
        }
        writeln!(text, "From the press of next to WeChat's door, in ms")?;
        for DoorFigures { queue, others_per_second, presses, latency } in &self.door {
            writeln!(
                text,
                "  queue {queue}, {others_per_second:.0} others a second: p50 {:.0}, p99 {:.0}, most {:.0} of {presses}",
                latency.p50_ms, latency.p99_ms, latency.max_ms,
            )?;
        }
        for BesideFigures { alone_per_second, beside_per_second, ratio, slow_ms, .. } in
            &self.beside
        {
            writeln!(
                text,
                "An account alone {alone_per_second:.0} a second, beside one that WeChat answers in {slow_ms} ms {beside_per_second:.0}: {ratio:.2}",
            )?;
        }
        writeln!(text, "CPU µs a message, without a receipt and with one")?;
        for ReceiptFigures { process, without_us, with_us, receipt_us } in &self.receipts {
            writeln!(
                text,
                "  {process:<12} {without_us:>6.0} {with_us:>6.0}: {receipt_us:.0} a receipt",
            )?;
        }
        Ok(())
    }
}
