//! `paihao doctor`: goes through everything an operator would want to know before opening day.
//!
//! In reading order: [`accessibility_findings`] is every finding there is; [`report`] is how they are told; `check_account`
//! and `notices` ask WeChat, `wechat_refusals` is what its "no" means, `post_callback` plays it; `stores`, `file`
//! and `clock` look at what all stands on.

pub mod findings;
pub mod report;

mod account;
mod notices;
mod wechat_refusals;

mod callback;

mod clock;
mod file;
mod stores;

use crate::config::{Config, LedgerKind, ResolvedConfig, Role};
use crate::ports::redis_options;
use clap::Args;
use findings::FindingKind;
use paihao_cache::Cache;
use paihao_cache_redis::RedisCache;
use paihao_chassis::Exit;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_chassis::config::ConfigError;
use paihao_wechat::Client;
use report::{Finding, Report};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long one part may take: a few calls, one after the other, that do not end.
const CHECK_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an account may take. All run side by side, so this is how long all of it takes.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(45);

/// How the doctor is asked.
#[derive(Debug, Clone, Args)]
pub struct DoctorOptions {
    /// Tell it as JSON.
    #[arg(long)]
    json: bool,
    /// Look at this account only, and at the stores.
    #[arg(long)]
    account: Option<String>,
}

/// What every part looks with.
struct ProbeContext {
    client: Client,
    /// Where the token service keeps tokens, if another process can see that.
    cache: Option<Arc<dyn Cache>>,
    clock: SystemClock,
}

impl ProbeContext {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

/// Looks, tells, and exits with 1 if anything is bad.
pub async fn run(config: Config, options: DoctorOptions) -> Exit {
    let report = match examine(&config, options.account.as_deref()).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return Exit::BadConfiguration;
        }
    };
    match options.json {
        true => println!("{}", report.json()),
        false => print!("{}", report.text()),
    }
    match report.bad_count() {
        0 => Exit::Clean,
        _ => Exit::FailedToStart,
    }
}

/// Looks at everything, or at one account and the stores.
pub async fn examine(config: &Config, only: Option<&str>) -> Result<Report, ConfigError> {
    let setup = config.resolve(Role::All)?;
    let client = match Client::new(setup.wechat_client.clone()) {
        Ok(client) => client,
        Err(error) => {
            let finding =
                Finding::new("wechat", findings::WECHAT_UNREACHABLE).with_detail(error.to_string());
            return Ok(Report::new(vec![finding]));
        }
    };
    let redis =
        redis_options(&config.cache).map(|options| RedisCache::connect(options).map(Arc::new));
    let cache = match &redis {
        Some(Ok(redis)) => Some(Arc::clone(redis) as Arc<dyn Cache>),
        _ => None,
    };
    let ward = ProbeContext { client, cache, clock: SystemClock };

    let all = config.accounts.keys().filter(|name| only.is_none_or(|only| only == *name));
    let all: Vec<&String> = all.collect();
    let accounts = all.iter().map(|name| async {
        let whole = timeout(ACCOUNT_TIMEOUT, check_account(config, &setup, name, &ward)).await;
        whole.unwrap_or_else(|_| vec![Finding::new(name, findings::TIMED_OUT)])
    });
    let stores = async {
        let ledger = match config.ledger.kind {
            LedgerKind::Nats => with_timeout("ledger", stores::nats(&config.ledger)).await,
            LedgerKind::Sqlite => with_timeout("ledger", file::sqlite(&config.ledger.file)).await,
        };
        let cache = match &redis {
            None => Vec::new(),
            Some(Ok(redis)) => with_timeout("cache", stores::redis(redis, &ward)).await,
            Some(Err(bad)) => {
                vec![Finding::new("cache", findings::REDIS_AWAY).with_detail(bad.to_string())]
            }
        };
        [ledger, cache].concat()
    };
    let (accounts, time, stores) = futures::join!(
        futures::future::join_all(accounts),
        with_timeout("wechat", clock::wechat(&ward)),
        stores
    );
    let mut findings = accounts.concat();
    if all.is_empty() {
        let about = only.unwrap_or("accounts");
        findings.push(Finding::new(about, findings::NO_ACCOUNT));
    }
    findings.extend(time);
    findings.extend(stores);
    Ok(Report::new(findings))
}

async fn check_account(
    config: &Config,
    setup: &ResolvedConfig,
    name: &str,
    ward: &ProbeContext,
) -> Vec<Finding> {
    let (calls, callback) = futures::join!(
        account::check(config, setup, name, ward),
        with_timeout(name, callback::check(config, setup, name, ward))
    );
    [calls, callback].concat()
}

/// What a part found, or that it did not end in time.
async fn with_timeout(about: &str, part: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let ended = timeout(CHECK_TIMEOUT, part).await;
    ended.unwrap_or_else(|_| vec![Finding::new(about, findings::TIMED_OUT)])
}

fn finding(about: &str, kind: &'static FindingKind, detail: impl Into<String>) -> Finding {
    Finding::new(about, kind).with_detail(detail)
}
