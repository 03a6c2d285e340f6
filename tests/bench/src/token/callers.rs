//! Process of many concurrent callers, which are started over HTTP.

use super::strategies::{CallResult, StrategyClient, TokenStrategy};
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Arguments of a process of callers.
#[derive(Args, Debug)]
pub struct CallerProcessOptions {
    #[arg(long, value_enum)]
    way: TokenStrategy,
    #[arg(long)]
    config: PathBuf,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    callers: usize,
}

/// Plan of a run. Each caller calls at least once.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct CallPlan {
    pub for_ms: u64,
    /// Pause between two calls of a caller.
    pub pause_ms: u64,
    /// Continues until a call succeeds, for half a minute at most.
    pub until_good: bool,
}

impl CallPlan {
    pub const ONCE: CallPlan = CallPlan { for_ms: 0, pause_ms: 20, until_good: true };

    pub fn query_path(self) -> String {
        let CallPlan { for_ms, pause_ms, until_good } = self;
        format!("/go?for_ms={for_ms}&pause_ms={pause_ms}&until_good={until_good}")
    }
}

/// Result of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CallResults {
    pub calls: u64,
    pub failed: u64,
    pub without: u64,
    pub slowest_ms: u64,
    /// Reason of the first call that did not succeed.
    pub first: Option<String>,
}

impl CallResults {
    pub fn merge(&mut self, other: CallResults) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.without += other.without;
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        self.first = self.first.take().or(other.first);
    }
}

struct CallerProcess {
    strategy: StrategyClient,
    callers: usize,
}

/// Serves until the process is killed.
pub fn serve(options: &CallerProcessOptions) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let strategy = StrategyClient::new(options.way, &options.config).await?;
        let process = Arc::new(CallerProcess { strategy, callers: options.callers });
        let app = Router::new().route("/go", get(run_plan)).with_state(process);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        Ok(axum::serve(listener, app).await?)
    })
}

async fn run_plan(
    State(process): State<Arc<CallerProcess>>,
    Query(plan): Query<CallPlan>,
) -> Json<CallResults> {
    let mut callers = JoinSet::new();
    for _ in 0..process.callers {
        let process = process.clone();
        callers.spawn(async move { process.run_caller(plan).await });
    }
    let mut all = CallResults::default();
    for results in callers.join_all().await {
        all.merge(results);
    }
    Json(all)
}

impl CallerProcess {
    async fn run_caller(&self, plan: CallPlan) -> CallResults {
        let started = Instant::now();
        let mut results = CallResults::default();
        loop {
            let sent_at = Instant::now();
            let result = self.strategy.call().await;
            results.calls += 1;
            let took_ms = u64::try_from(sent_at.elapsed().as_millis()).unwrap_or(u64::MAX);
            results.slowest_ms = results.slowest_ms.max(took_ms);
            let succeeded = match result {
                CallResult::Succeeded => true,
                CallResult::Failed(reason) => {
                    results.failed += 1;
                    results.first.get_or_insert(reason);
                    false
                }
                CallResult::NoToken(reason) => {
                    results.without += 1;
                    results.first.get_or_insert(reason);
                    false
                }
            };
            let retries =
                plan.until_good && !succeeded && started.elapsed() < Duration::from_secs(30);
            if !retries && started.elapsed() >= Duration::from_millis(plan.for_ms) {
                return results;
            }
            sleep(Duration::from_millis(plan.pause_ms)).await;
        }
    }
}
