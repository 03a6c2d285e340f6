//! Checks of a deployment before opening day: `paihao doctor`.
//!
//! In reading order: [`findings`] lists every kind of finding; [`report`] renders them;
//! `added_accounts` reads the accounts that no file has; `account` and `notices` call WeChat, and
//! `wechat_refusals` classifies its refusals; `callback` calls the gateway as WeChat does,
//! `callback_faults` reads what it did not act on, and `certificate` looks at the gateway's own;
//! `stores`, `file` and `clock` check the stores, the disk and the time; `permissions` and `seals`
//! the secrets; [`page`] makes the same checks for the page of the gateway.

pub mod findings;
pub mod page;
pub mod report;

mod account;
mod added_accounts;
mod menu;
mod notices;
mod wechat_refusals;

mod callback;
mod callback_faults;
mod certificate;

mod clock;
mod file;
mod permissions;
mod seals;
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
use paihao_contracts::envelope::WriteVersion;
use paihao_wechat::Client;
use report::{Finding, Report};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Timeout of one check: room for a few calls that time out one after the other.
const CHECK_TIMEOUT: Duration = Duration::from_secs(20);
/// Timeout of an account. All accounts are checked concurrently, so it bounds the command too.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(45);

/// Options of `paihao doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorOptions {
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// Checks this account only, and the stores.
    #[arg(long)]
    account: Option<String>,
}

/// Clients and clock that the checks share.
struct ProbeContext {
    client: Client,
    /// Cache with the token service's tokens; `None` if it is that process's memory.
    cache: Option<Arc<dyn Cache>>,
    clock: SystemClock,
    max_skew_ms: i64,
}

impl ProbeContext {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Compares a time with this machine's clock before and after it was asked for.
    fn compare_clock(&self, subject: &str, remote: i64, sent: i64, received: i64) -> Finding {
        clock::compare(subject, remote, (sent, received), self.max_skew_ms)
    }
}

/// Runs the checks and prints the report. Exits with 1 if a finding is bad.
pub async fn run(config: Config, file: Option<&Path>, options: DoctorOptions) -> Exit {
    let report = match examine(&config, file, options.account.as_deref()).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return Exit::BadConfiguration;
        }
    };
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    if report.bad_count() == 0 { Exit::Clean } else { Exit::FailedToStart }
}

/// Checks the deployment, or one account and the stores. `file` holds the configuration.
async fn examine(
    config: &Config,
    file: Option<&Path>,
    only: Option<&str>,
) -> Result<Report, ConfigError> {
    config.resolve(Role::All)?;
    let (config, unknown_accounts) = added_accounts::with_added(config).await;
    let config = &config;
    let resolved = config.resolve(Role::All)?;
    let client = match Client::new(resolved.wechat_client.clone()) {
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
    let max_skew_ms = config.clock.max_skew_seconds as i64 * 1000;
    let context = ProbeContext { client, cache, clock: SystemClock, max_skew_ms };

    let selected = |name: &&String| only.is_none_or(|only| only == *name);
    let names: Vec<&String> = config.accounts.keys().filter(selected).collect();
    let accounts = names.iter().map(|name| async {
        let findings =
            timeout(ACCOUNT_TIMEOUT, check_account(config, &resolved, name, &context)).await;
        findings.unwrap_or_else(|_| vec![Finding::new(name, findings::TIMED_OUT)])
    });
    let stores = async {
        let ledger = match config.ledger.kind {
            LedgerKind::Nats => {
                with_timeout("ledger", stores::nats(&config.ledger, &context)).await
            }
            LedgerKind::Sqlite => {
                let (path, max_mb) = (&config.ledger.file, config.ledger.max_file_mb);
                with_timeout("ledger", file::sqlite(path, max_mb, &context)).await
            }
        };
        let cache = match &redis {
            None => Vec::new(),
            Some(Ok(redis)) => with_timeout("cache", stores::redis(redis, &context)).await,
            Some(Err(error)) => {
                vec![Finding::new("cache", findings::REDIS_AWAY).with_detail(error.to_string())]
            }
        };
        let seals = with_timeout("ledger", seals::check(config)).await;
        [ledger, seals, cache].concat()
    };
    let (accounts, faults, time, stores) = futures::join!(
        futures::future::join_all(accounts),
        with_timeout("gateway", callback_faults::check(&resolved, only, &context)),
        with_timeout("wechat", clock::wechat(&context)),
        stores
    );
    let mut findings = accounts.concat();
    findings.extend(unknown_accounts);
    let is_added = |finding: &Finding| finding.kind == findings::ACCOUNTS_ADDED;
    if names.is_empty() && !(only.is_none() && stores.iter().any(is_added)) {
        let subject = only.unwrap_or("accounts");
        findings.push(Finding::new(subject, findings::NO_ACCOUNT));
    }
    findings.extend(faults);
    findings.extend(time);
    findings.extend(stores);
    findings.extend(certificate::check(resolved.https.as_ref(), context.now_ms()));
    findings.extend(permissions::check(config, file));
    findings.push(write_version(resolved.write_version));
    Ok(Report::new(findings))
}

fn write_version(written: WriteVersion) -> Finding {
    let known = WriteVersion::NEWEST;
    let kind = if written < known { findings::FORMS_HELD_BACK } else { findings::FORMS_NEWEST };
    finding("ledger", kind, format!("{} of {}", written.number(), known.number()))
}

async fn check_account(
    config: &Config,
    resolved: &ResolvedConfig,
    name: &str,
    context: &ProbeContext,
) -> Vec<Finding> {
    let (calls, callback) = futures::join!(
        account::check(config, resolved, name, context),
        with_timeout(name, callback::check(config, resolved, name, context))
    );
    [calls, callback].concat()
}

/// Awaits a check; one that exceeds [`CHECK_TIMEOUT`] is a finding itself.
async fn with_timeout(subject: &str, check: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let findings = timeout(CHECK_TIMEOUT, check).await;
    findings.unwrap_or_else(|_| vec![Finding::new(subject, findings::TIMED_OUT)])
}

fn finding(subject: &str, kind: &'static FindingKind, detail: impl Into<String>) -> Finding {
    Finding::new(subject, kind).with_detail(detail)
}
