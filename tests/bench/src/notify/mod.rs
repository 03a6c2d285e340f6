//! `bench notify`: notices that one, two and four notifiers send a second, as a share of what the
//! places in flight allow while WeChat takes its time.
//!
//! A backlog is on the queue before the notifiers start. The rate is that between two shares of the
//! backlog, by the calls that the simulator has counted.

use crate::callback::deployment::Deployment;
use crate::callback::scans::{ACCOUNT, site_id};
use crate::process::{machine_cpu_time, process_usage, processors};
use crate::run::{self, Kind, Report, RunOptions};
use anyhow::{Context, ensure};
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::commit::Number;
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_contracts::streams::NOTICES;
use paihao_ledger::{Entry, Ledger};
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;
use tokio::time::Instant;

/// Messages of one account that a notifier has in flight, as it has by default.
const PLACES: u64 = 64;

/// Notices that are put on the queue at once.
const CONCURRENT_ENQUEUES: usize = 256;

/// Shares of the backlog between which the rate is measured.
const MEASURED_SHARES: [f64; 2] = [0.2, 0.9];

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
    #[command(flatten)]
    run: RunOptions,
}

/// All figures of a run.
#[derive(Serialize)]
struct Figures {
    servers: usize,
    rounds: Vec<RoundFigures>,
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
    }
    ensure!(!options.replicas.contains(&0) && options.seconds > 0.0, "nothing to measure");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rounds = Vec::new();
    for wechat_ms in &options.wechat_ms {
        rounds.extend(runtime.block_on(measure(*wechat_ms, &options))?);
    }
    let figures = Figures { servers: options.servers, rounds };
    Report::new(figures.text(), &figures)
}

/// Measures each number of notifiers with one latency of WeChat.
async fn measure(wechat_ms: u64, options: &Options) -> anyhow::Result<Vec<RoundFigures>> {
    let latency = Duration::from_millis(wechat_ms);
    let mut deployment = Deployment::start_on(options.servers, 1, latency).await?;
    deployment.notifier.program.stop();
    let ledger = deployment.ledger().await?;
    let of_places = PLACES as f64 * 1_000.0 / wechat_ms as f64;
    let mut rounds = Vec::<RoundFigures>::new();
    let mut first_ticket = 1;
    for replicas in &options.replicas {
        let bound = of_places * *replicas as f64;
        let notices = (bound * options.seconds) as u32;
        eprintln!("{replicas} notifiers, WeChat answers in {wechat_ms} ms: {notices} notices");
        enqueue(&ledger, first_ticket..first_ticket + notices).await?;
        first_ticket += notices;
        let limit = Duration::from_secs_f64(options.seconds * MAX_SLOWNESS);
        let backlog = measure_backlog(&deployment, *replicas, u64::from(notices), limit).await?;
        let first = rounds.first().map_or(backlog.per_second, |first| first.per_second);
        rounds.push(RoundFigures {
            wechat_ms,
            replicas: *replicas,
            notices: u64::from(notices),
            per_second: backlog.per_second,
            to_places: backlog.per_second / bound,
            to_first: backlog.per_second / first,
            cpu_us: backlog.cpu_us,
            busy_share: backlog.busy_share,
        });
    }
    deployment.notifier = deployment.add_notifier();
    deployment.notifier.wait_until_ready().await?;
    deployment.stop().await?;
    Ok(rounds)
}

/// Rate of one backlog.
struct BacklogFigures {
    per_second: f64,
    cpu_us: f64,
    busy_share: f64,
}

/// State at one moment of a backlog.
struct Moment {
    at: Instant,
    sent: u64,
    cpu: Duration,
    machine: Duration,
}

/// Starts notifiers, lets them send the backlog and stops them.
async fn measure_backlog(
    deployment: &Deployment,
    replicas: usize,
    notices: u64,
    limit: Duration,
) -> anyhow::Result<BacklogFigures> {
    let before = deployment.sent_templates();
    let mut notifiers = Vec::new();
    for _ in 0..replicas {
        notifiers.push(deployment.add_notifier());
    }
    let mut pids = Vec::new();
    for notifier in &notifiers {
        pids.push(notifier.program.pid().context("a notifier has ended")?);
    }
    let moment = || -> anyhow::Result<Moment> {
        let mut cpu = Duration::ZERO;
        for pid in &pids {
            cpu += process_usage(*pid)?.cpu;
        }
        let sent = deployment.sent_templates() - before;
        Ok(Moment { at: Instant::now(), sent, cpu, machine: machine_cpu_time()? })
    };
    let started = Instant::now();
    let mut moments = Vec::new();
    for share in MEASURED_SHARES {
        while deployment.sent_templates() - before < (notices as f64 * share) as u64 {
            let log = || notifiers[0].log_tail();
            ensure!(started.elapsed() < limit, "the notices are not sent in time\n{}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        moments.push(moment()?);
    }
    while deployment.sent_templates() - before < notices {
        ensure!(started.elapsed() < limit, "the last notices are not sent in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for mut notifier in notifiers {
        let code = notifier.program.stop();
        ensure!(code == Some(0), "a notifier ended with {code:?}\n{}", notifier.log_tail());
    }
    ensure!(deployment.sent_templates() - before == notices, "a notice was sent twice");
    let [first, last] = &moments[..] else { unreachable!("two shares") };
    let (seconds, sent) = ((last.at - first.at).as_secs_f64(), (last.sent - first.sent) as f64);
    let busy = last.machine.saturating_sub(first.machine).as_secs_f64();
    Ok(BacklogFigures {
        per_second: sent / seconds,
        cpu_us: last.cpu.saturating_sub(first.cpu).as_secs_f64() * 1e6 / sent,
        busy_share: busy / (seconds * processors() as f64),
    })
}

/// Puts a call of each of these tickets on the queue.
pub async fn enqueue(ledger: &impl Ledger, tickets: std::ops::Range<u32>) -> anyhow::Result<()> {
    let now_ms = SystemClock.now_ms();
    let site = site_id(0);
    let notices = stream::iter(tickets).map(|ticket| {
        let key = format!("{site}/20777/{ticket}/called#1");
        let notice = Notice {
            v: 1,
            key: key.clone(),
            account: ACCOUNT.into(),
            site_name: "城南大厅".into(),
            zone: "UTC".into(),
            person: format!("oNobody{ticket:021}").into(),
            number: Number { prefix: "A".into(), serial: ticket },
            queue_name: "综合业务".into(),
            content: NoticeContent::Called { counter_name: "1号窗口".into(), call: 1 },
            order: 1,
            at: now_ms,
            valid_until: now_ms + 3_600_000,
            link: None,
            replied: false,
        };
        async move {
            let entry = Entry::new(serde_json::to_vec(&notice)?);
            ledger.enqueue(&NOTICES, &key, entry, Duration::ZERO).await?;
            Ok::<_, anyhow::Error>(())
        }
    });
    notices.buffer_unordered(CONCURRENT_ENQUEUES).try_collect().await
}

impl Figures {
    /// Formats the whole report.
    fn text(&self) -> String {
        let servers = self.servers;
        let mut text =
            format!("Notices a second, {PLACES} places each, {servers} servers of NATS\n");
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
            )
            .expect("writing to memory");
        }
        text
    }
}
