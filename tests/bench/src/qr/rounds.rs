//! Course of a run: the three ways take turns, and the simulator counts their calls.

use super::Options;
use super::figures::{Figures, Ratio, StrategyFigures};
use super::load::{LoadResult, run_load};
use crate::callback::deployment::Deployment;
use crate::callback::figures::RoundSpread;
use crate::callback::scans::{ACCOUNT, SECURE_ACCOUNT};
use crate::callback::servers::BaselineKind;
use crate::member::RoleProcess;
use crate::process::{machine_cpu_time, process_usage, processors};
use anyhow::Context;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::Instant;

/// Limit of the time in which a pool fills up again.
const POOL_FILL_TIMEOUT: Duration = Duration::from_secs(60);

/// One way to a code, with the results of its turns.
struct StrategyRun {
    strategy: &'static str,
    port: u16,
    pid: u32,
    /// The gateway and the size of its pool; `None` for the tutorial's way.
    gateway: Option<(RoleProcess, usize)>,
    turns: Vec<Turn>,
}

struct Turn {
    tally: LoadResult,
    /// Calls to WeChat, including those that filled the pool again.
    calls: u64,
    /// Calls for which a browser waited.
    blocking_calls: u64,
    other_cpu_share: f64,
}

/// Runs the whole measurement.
pub fn measure(options: &Options) -> anyhow::Result<Figures> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure_all(options))
}

async fn measure_all(options: &Options) -> anyhow::Result<Figures> {
    let started = Instant::now();
    let log =
        |step_name: &str| eprintln!("[{:6.1} s] {step_name}", started.elapsed().as_secs_f64());
    log("starting NATS, Redis and the roles");
    let deployment = Deployment::start(1, Duration::from_millis(options.wechat_ms)).await?;
    let size = options.pool;
    let pool = deployment.add_gateway(&format!("size = {size}\nper_second = 100")).await?;
    let without_pool = deployment.add_gateway("size = 0").await?;
    let article = deployment.start_baseline(BaselineKind::Picture, b"", "").await?;
    let gateway = |strategy, member: RoleProcess, size| -> anyhow::Result<StrategyRun> {
        let pid = member.program.pid().context("a gateway does not run")?;
        Ok(StrategyRun {
            strategy,
            port: member.port,
            pid,
            gateway: Some((member, size)),
            turns: Vec::new(),
        })
    };
    let mut runs = vec![
        gateway("pool", pool, size)?,
        gateway("without", without_pool, 0)?,
        StrategyRun {
            strategy: "tutorial",
            port: article.port,
            pid: article.program.pid().context("a server does not run")?,
            gateway: None,
            turns: Vec::new(),
        },
    ];
    let time = Duration::from_secs_f64(options.seconds);
    for run in &runs {
        run.wait_until_pool_full().await?;
        run_load(run.port, 4, 10.0, Duration::from_secs(1)).await.context("warming up")?;
        run.wait_until_pool_full().await?;
    }
    for round in 0..options.rounds {
        log(&format!("round {} of {}", round + 1, options.rounds));
        for step in 0..runs.len() {
            let at = (round + step) % runs.len();
            let result = runs[at].run_turn(&deployment, options, time).await?;
            runs[at].turns.push(result);
        }
    }
    let nats_server = deployment.nats_version().await?;
    let figures = figures(options, nats_server, &mut runs);
    for (mut member, _) in runs.into_iter().filter_map(|run| run.gateway) {
        member.program.stop();
    }
    drop(article);
    deployment.stop().await?;
    log("everything has stopped");
    Ok(figures)
}

impl StrategyRun {
    async fn wait_until_pool_full(&self) -> anyhow::Result<()> {
        let Some((gateway, size)) = &self.gateway else { return Ok(()) };
        let started = Instant::now();
        for account in [ACCOUNT, SECURE_ACCOUNT] {
            let ready = format!("paihao_gateway_codes_ready{{account=\"{account}\"}}");
            while gateway.metric(&ready)? < *size as f64 {
                anyhow::ensure!(started.elapsed() < POOL_FILL_TIMEOUT, "the pool is not filled");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Number of codes that the gateway created while a browser waited.
    fn on_demand_codes(&self) -> anyhow::Result<Option<f64>> {
        let name =
            format!("paihao_gateway_codes_made_total{{account=\"{ACCOUNT}\",for=\"session\"}}");
        self.gateway.as_ref().map(|(gateway, _)| gateway.metric(&name)).transpose()
    }

    async fn run_turn(
        &self,
        deployment: &Deployment,
        options: &Options,
        time: Duration,
    ) -> anyhow::Result<Turn> {
        let mut pids = vec![self.pid, std::process::id()];
        pids.extend(deployment.nats_pids()?);
        pids.extend(deployment.redis.pid());
        let spent = || -> anyhow::Result<(Duration, Duration)> {
            let cpu = pids.iter().map(|pid| Ok(process_usage(*pid)?.cpu));
            Ok((cpu.sum::<anyhow::Result<Duration>>()?, machine_cpu_time()?))
        };
        let calls = deployment.qr_api_calls();
        let on_demand_before = self.on_demand_codes()?;
        let started = Instant::now();
        let (own_cpu_before, machine_before) = spent()?;
        let tally = run_load(self.port, options.connections, options.rate, time).await?;
        let (own_cpu, machine_cpu) = spent()?;
        let available_cpu = started.elapsed().as_secs_f64() * processors() as f64;
        let others =
            (machine_cpu - machine_before).saturating_sub(own_cpu - own_cpu_before).as_secs_f64();
        self.wait_until_pool_full().await?;
        let calls = deployment.qr_api_calls() - calls;
        let blocking_calls = match (on_demand_before, self.on_demand_codes()?) {
            (Some(before), Some(now)) => (now - before) as u64,
            _ => calls,
        };
        Ok(Turn { tally, calls, blocking_calls, other_cpu_share: others / available_cpu })
    }
}

fn figures(options: &Options, nats_server: String, runs: &mut [StrategyRun]) -> Figures {
    let quantile = |result: &Turn, q: f64| result.tally.latency.value_at_quantile(q) as f64;
    let ratio = |to: &StrategyRun, q: f64| {
        let pairs = runs[0].turns.iter().zip(&to.turns);
        RoundSpread::from_values(pairs.map(|(own, other)| quantile(other, q) / quantile(own, q)))
    };
    let ratios = runs[1..].iter();
    let ratios =
        ratios.map(|to| Ratio { to: to.strategy, p50: ratio(to, 0.5), p99: ratio(to, 0.99) });
    let ratios = ratios.collect();
    let mut bad_answers = 0;
    let mut shown_twice = 0;
    let mut first_bad = None;
    let ways = runs.iter_mut().map(|run| {
        let mut tally = LoadResult::new();
        let mut calls = 0;
        let mut blocking_calls = 0;
        let mut other_cpu_share = 0.0;
        let turns = run.turns.len() as f64;
        for result in run.turns.drain(..) {
            calls += result.calls;
            blocking_calls += result.blocking_calls;
            other_cpu_share += result.other_cpu_share / turns;
            tally.add(result.tally);
        }
        bad_answers += tally.answers - tally.codes;
        shown_twice += tally.codes - tally.picture_hashes.len() as u64;
        first_bad = first_bad.take().or(tally.first_bad.take());
        let per_code = |count: u64| count as f64 / tally.codes.max(1) as f64;
        StrategyFigures {
            way: run.strategy,
            codes: tally.codes,
            latency: (&tally.latency).into(),
            calls_per_code: per_code(calls),
            waited_for_per_code: per_code(blocking_calls),
            other_cpu_share,
        }
    });
    let ways = ways.collect();
    Figures {
        nats_server,
        wechat_answers_in_ms: options.wechat_ms,
        per_second: options.rate,
        connections: options.connections,
        pool: options.pool,
        ways,
        ratios,
        bad_answers,
        shown_twice,
        first_bad,
    }
}
