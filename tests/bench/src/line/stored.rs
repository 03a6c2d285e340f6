//! Measurement of decisions through an engine and a ledger, and of one hot site compared with many.

use super::figures::{HotSiteFigures, LedgerFigures};
use super::sites::{
    self, COMMANDS_PER_ROUND, COUNTERS_PER_SITE, START_MS, bench_settings, site_id,
};
use crate::callback::figures::RoundSpread;
use anyhow::{Context, anyhow};
use futures::stream::{StreamExt, TryStreamExt};
use paihao_chassis::Tasks;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::streams::LEDGER;
use paihao_domain::{COMMAND_RETENTION_MS, Command, Decision};
use paihao_gateway::engine::Engine;
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::settings::DeploymentSettings;
use paihao_ledger::{Ledger, Position, Subject};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Concurrent commands while the lines are filled.
const FILL_CONCURRENCY: usize = 1024;

/// Clients in the comparison of one site with many.
const CONCURRENT_CLIENTS: u64 = 64;

/// Engine of a gateway on a ledger, with a clock that stands still.
pub struct BenchEngine {
    pub engine: Engine,
    pub clock: ManualClock,
    /// Events that this replica has applied.
    pub events: Arc<AtomicU64>,
    closed: CancellationToken,
    tasks: Tasks,
}

impl BenchEngine {
    pub async fn open(settings: &DeploymentSettings, ledger: Arc<dyn Ledger>) -> BenchEngine {
        BenchEngine::open_at(START_MS, settings, ledger).await
    }

    /// The same with a clock that stands at an instant.
    pub async fn open_at(
        at_ms: i64,
        settings: &DeploymentSettings,
        ledger: Arc<dyn Ledger>,
    ) -> BenchEngine {
        let (clock, tasks, closed) =
            (ManualClock::at(at_ms), Tasks::new(), CancellationToken::new());
        let events = Arc::new(AtomicU64::new(0));
        let counted = events.clone();
        let observer = Arc::new(move |_: &Subject, decision: &Decision| {
            counted.fetch_add(decision.events.len() as u64, Ordering::Relaxed);
        });
        let time = Arc::new(clock.clone());
        let visits = Arc::new(VisitProjection::start(ledger.clone(), closed.clone(), &tasks));
        let engine =
            Engine::start(&settings.sites, ledger, time, visits, observer, &closed, &tasks);
        engine.until_caught_up().await;
        BenchEngine { engine, clock, events, closed, tasks }
    }

    pub async fn submit(&self, site: &str, command: Command) -> anyhow::Result<()> {
        let description = format!("{:?}", command.act);
        self.engine
            .submit(site, command)
            .await
            .map_err(|no| anyhow!("{description} led to {no:?}"))?;
        Ok(())
    }

    /// Runs one round of a counter: a ticket is taken, a ticket is called, and its service is
    /// finished.
    pub async fn run_round(&self, site: &str, counter: u64, n: u64) -> anyhow::Result<()> {
        self.submit(site, sites::take_number_command(n)).await?;
        self.submit(site, sites::call_next_command(counter, n)).await?;
        self.submit(site, sites::finish_command(counter, n)).await
    }

    pub async fn open_counters(&self, site: &str) -> anyhow::Result<()> {
        for i in 0..COUNTERS_PER_SITE {
            self.submit(site, sites::open_counter_command(i)).await?;
        }
        Ok(())
    }

    pub async fn fill_queue(&self, site: &str, people: u64) -> anyhow::Result<()> {
        self.open_counters(site).await?;
        let takes = futures::stream::iter(0..people)
            .map(|i| self.submit(site, sites::take_number_command(i)));
        takes.buffer_unordered(FILL_CONCURRENCY).try_for_each(async |()| Ok(())).await
    }

    pub async fn close(self) {
        self.closed.cancel();
        drop(self.engine);
        self.tasks.stop_and_wait().await;
    }
}

/// Lets concurrent clients work for `time` and returns the rate a second; each piece of work counts
/// as `worth`.
async fn measure_rate<F>(
    clients: u64,
    time: Duration,
    worth: u64,
    work: impl Fn(u64) -> F,
) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let started = Instant::now();
    let done_count = AtomicU64::new(0);
    let work = &work;
    let clients = (0..clients).map(async |client| {
        while started.elapsed() < time {
            work(client).await?;
            done_count.fetch_add(worth, Ordering::Relaxed);
        }
        Ok::<_, anyhow::Error>(())
    });
    futures::future::try_join_all(clients).await?;
    Ok(done_count.into_inner() as f64 / started.elapsed().as_secs_f64())
}

/// Measures decisions through a ledger with these numbers of waiting people, in turn.
pub async fn measure(
    shape: &'static str,
    ledger: Arc<dyn Ledger>,
    sizes: &[u64],
    rounds: usize,
    time: Duration,
) -> anyhow::Result<Vec<LedgerFigures>> {
    let gateway = BenchEngine::open(&bench_settings(sizes.len())?, ledger).await;
    for (i, size) in sizes.iter().enumerate() {
        gateway.fill_queue(&site_id(i), *size).await.with_context(|| format!("{size} people"))?;
    }
    gateway.clock.advance(Duration::from_millis(COMMAND_RETENTION_MS as u64 + 1));
    let next = AtomicU64::new(1_000_000_000);
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); sizes.len()];
    for _ in 0..rounds {
        for (i, rates) in rates.iter_mut().enumerate() {
            let site = site_id(i);
            let round = |counter| {
                let n = next.fetch_add(1, Ordering::Relaxed);
                gateway.run_round(&site, counter, n)
            };
            rates.push(measure_rate(COUNTERS_PER_SITE, time, COMMANDS_PER_ROUND, round).await?);
        }
    }
    gateway.close().await;
    let first = rates[0].clone();
    let to_figures = |(size, rates): (&u64, &Vec<f64>)| LedgerFigures {
        shape,
        waiting: *size,
        per_second: RoundSpread::from_values(rates.iter().copied()),
        decision_us: RoundSpread::from_values(rates.iter().map(|rate| 1e6 / rate)),
        to_first: RoundSpread::from_values(first.iter().zip(rates).map(|(first, own)| first / own)),
    };
    Ok(sizes.iter().zip(&rates).map(to_figures).collect())
}

/// Compares taking tickets at one site with taking them at many, with the same number of clients.
pub async fn measure_hot_site(
    shape: &'static str,
    ledger: Arc<dyn Ledger>,
    sites: usize,
    rounds: usize,
    time: Duration,
) -> anyhow::Result<HotSiteFigures> {
    let gateway = BenchEngine::open(&bench_settings(sites + 1)?, ledger).await;
    let next = AtomicU64::new(0);
    let names: Vec<_> = (0..=sites).map(site_id).collect();
    let mut ratios = Vec::new();
    let mut sequential_rates = Vec::new();
    let mut concurrent_rates = Vec::new();
    for _ in 0..rounds {
        // The last site is the hot one.
        let take = |concurrent: bool| {
            let gateway = &gateway;
            let names = &names;
            let next = &next;
            move |_| {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let at = if concurrent { n as usize % sites } else { sites };
                gateway.submit(&names[at], sites::take_number_command(n))
            }
        };
        let concurrent = measure_rate(CONCURRENT_CLIENTS, time, 1, take(true)).await?;
        let one = measure_rate(CONCURRENT_CLIENTS, time, 1, take(false)).await?;
        ratios.push(one / concurrent);
        sequential_rates.push(one);
        concurrent_rates.push(concurrent);
    }
    gateway.close().await;
    Ok(HotSiteFigures {
        shape,
        sites,
        clients: CONCURRENT_CLIENTS,
        one_per_second: RoundSpread::from_values(sequential_rates),
        many_per_second: RoundSpread::from_values(concurrent_rates),
        ratio: RoundSpread::from_values(ratios),
    })
}

/// Returns the position of the log's newest entry.
pub async fn log_head(ledger: &dyn Ledger) -> anyhow::Result<Position> {
    Ok(ledger.head(&LEDGER).await?)
}
