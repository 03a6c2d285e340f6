//! Pools of temporary codes that are created before they are needed, so that the code of a browser
//! needs no call to WeChat.
//!
//! Every replica has its own pools, in memory. A code leaves its pool once, and its scene is 128
//! random bits, so no scene is used for two sessions. The session of a code is written into the
//! cache when the code is taken; from then on any replica can draw the code and handle its scan. A
//! replica that stops loses its few unused codes.

use super::source::{CodeSource, count_created, count_lost};
use crate::scan::scene::Scene;
use futures::future::join_all;
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_wechat::{AccountClientError, CallPriority, FailureClass, QrRequest};
use parking_lot::Mutex;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Largest number of codes that one account's pool requests at once.
const MAX_CONCURRENT_REQUESTS: usize = 4;

/// Time before a code is too old for a session at which its replacement is created.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// Shortest and longest wait after WeChat refused.
const BACKOFF_RANGE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(300)];

/// Settings of the pools.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Number of ready codes for each account; 0 is no pool.
    pub size: usize,
    /// Longest time that a code may wait for its session. Its requested validity is this much
    /// longer than a session.
    pub max_age: Duration,
    /// Largest number of codes created for one account's pool in a second; at least 1.
    pub max_per_second: u32,
}

/// Unused code.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadyCode {
    /// Scene inside the code.
    pub scene: String,
    /// WeChat's ticket for the code.
    pub ticket: String,
    /// Text that is drawn as the code.
    pub url: String,
    /// Time from which it may no longer work, in Unix milliseconds.
    pub expires_at: i64,
}

/// Pools of all accounts that have a site.
pub struct Pools {
    settings: PoolSettings,
    min_lifetime: Duration,
    source: Arc<dyn CodeSource>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
}

impl Pools {
    /// Starts a pool for each account, which is kept filled until the soft stop. A code is valid
    /// for at least `min_lifetime` when it is taken.
    pub fn start(
        settings: &PoolSettings,
        accounts: impl IntoIterator<Item = String>,
        min_lifetime: Duration,
        source: &Arc<dyn CodeSource>,
        clock: &Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<Pools> {
        let pools = Pools {
            settings: settings.clone(),
            min_lifetime,
            source: source.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            pools: Mutex::default(),
        };
        pools.add_accounts(accounts);
        Arc::new(pools)
    }

    /// Starts pools for further accounts. An account that has lost its last site keeps its pool,
    /// whose codes are only replaced when they expire.
    pub fn add_accounts(&self, accounts: impl IntoIterator<Item = String>) {
        if self.settings.size == 0 || self.tasks.is_stopping() {
            return;
        }
        let mut pools = self.pools.lock();
        for account in accounts {
            let Entry::Vacant(vacant) = pools.entry(account) else { continue };
            let pool = Arc::new(Pool {
                account: vacant.key().clone(),
                settings: self.settings.clone(),
                min_lifetime: self.min_lifetime,
                source: self.source.clone(),
                clock: self.clock.clone(),
                ready: Mutex::default(),
                taken: Notify::new(),
            });
            self.tasks.spawn("pool", pool.clone().keep_filled(self.tasks.stop().clone()));
            vacant.insert(pool);
        }
    }

    /// Takes a code that works as long as a session, if one is ready.
    pub fn pop(&self, account: &str) -> Option<ReadyCode> {
        let pool = self.pools.lock().get(account)?.clone();
        pool.pop()
    }

    /// Returns the number of codes that are ready.
    pub fn ready_count(&self, account: &str) -> usize {
        self.pools.lock().get(account).map_or(0, |pool| pool.ready.lock().len())
    }
}

/// Pool of one account.
struct Pool {
    account: String,
    settings: PoolSettings,
    min_lifetime: Duration,
    source: Arc<dyn CodeSource>,
    clock: Arc<dyn Clock>,
    /// Ready codes, oldest first.
    ready: Mutex<VecDeque<ReadyCode>>,
    taken: Notify,
}

/// Error of creating a code for the pool.
enum RefillError {
    WeChat(AccountClientError),
    ShortLived,
}

impl Pool {
    fn pop(&self) -> Option<ReadyCode> {
        let code = {
            let mut ready = self.ready.lock();
            self.discard_expiring(&mut ready);
            ready.pop_front()
        };
        self.update_gauge();
        self.taken.notify_one();
        code
    }

    /// Discards codes that would not work as long as a session.
    fn discard_expiring(&self, ready: &mut VecDeque<ReadyCode>) {
        let min_expiry = self.clock.now_ms() + ms(self.min_lifetime);
        ready.retain(|code| {
            let is_useful = code.expires_at >= min_expiry;
            if !is_useful {
                count_lost(&self.account, "expired");
            }
            is_useful
        });
    }

    /// Returns the number of codes to create now, or the time for which there are enough. Codes
    /// that are soon too old are replaced while they can still be taken.
    fn shortfall(&self) -> Result<usize, Duration> {
        let mut ready = self.ready.lock();
        self.discard_expiring(&mut ready);
        let margin_end = self.clock.now_ms() + ms(self.min_lifetime + EXPIRY_MARGIN);
        let fresh = ready.iter().filter(|code| code.expires_at > margin_end);
        match (
            self.settings.size.saturating_sub(fresh.clone().count()),
            fresh.min_by_key(expiry_ms),
        ) {
            (0, Some(oldest)) => {
                let left = Duration::from_millis((oldest.expires_at - margin_end).max(1) as u64);
                Err(left.min(self.settings.max_age.max(Duration::from_secs(1))))
            }
            (missing, _) => Ok(missing),
        }
    }

    async fn keep_filled(self: Arc<Self>, stop: CancellationToken) {
        let mut backoff = Backoff::new(BACKOFF_RANGE[0], BACKOFF_RANGE[1]);
        let mut is_failing = false;
        while !stop.is_cancelled() {
            let missing = match self.shortfall() {
                Ok(missing) => missing,
                Err(sufficient_for) => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.taken.notified() => {}
                        () = sleep(sufficient_for) => {}
                    }
                    continue;
                }
            };
            let batch = missing.min(MAX_CONCURRENT_REQUESTS);
            let started_at = Instant::now();
            let results = join_all((0..batch).map(|_| self.create_code())).await;
            self.update_gauge();
            let Some(error) = results.into_iter().find_map(Result::err) else {
                if std::mem::take(&mut is_failing) {
                    tracing::info!(account = self.account, "the pool of codes is filled again");
                }
                backoff.reset();
                let min_duration =
                    Duration::from_secs(batch as u64) / self.settings.max_per_second.max(1);
                stop.run_until_cancelled(sleep_until(started_at + min_duration)).await;
                continue;
            };
            if !std::mem::replace(&mut is_failing, true) {
                self.log_failure(&error);
            }
            let wait = backoff.next_wait().max(error.min_delay());
            stop.run_until_cancelled(sleep(wait)).await;
        }
    }

    async fn create_code(&self) -> Result<(), RefillError> {
        let scene = Scene::new_session();
        let requested_lifetime = self.min_lifetime + self.settings.max_age;
        // Read before the call, since the validity begins when WeChat creates the code.
        let requested_at = self.clock.now_ms();
        let request = QrRequest::temporary_str(scene.clone(), requested_lifetime);
        let created = self.source.create(&self.account, &request, CallPriority::Low).await;
        let code = created.map_err(RefillError::WeChat)?;
        count_created(&self.account, "pool");
        let lifetime = code.expires_in.unwrap_or(requested_lifetime).min(requested_lifetime);
        if lifetime <= self.min_lifetime + EXPIRY_MARGIN {
            count_lost(&self.account, "short_lived");
            return Err(RefillError::ShortLived);
        }
        self.ready.lock().push_back(ReadyCode {
            scene,
            ticket: code.ticket,
            url: code.url,
            expires_at: requested_at + ms(lifetime),
        });
        Ok(())
    }

    fn log_failure(&self, error: &RefillError) {
        let account = &*self.account;
        match error {
            RefillError::WeChat(error) => {
                tracing::warn!(account, %error, "cannot fill the pool of codes, retrying");
            }
            RefillError::ShortLived => {
                tracing::error!(account, "codes of WeChat expire too soon for the pool");
            }
        }
    }

    fn update_gauge(&self) {
        let ready = self.ready.lock().len();
        metrics::gauge!("paihao_gateway_codes_ready", "account" => self.account.clone())
            .set(ready as f64);
    }
}

impl RefillError {
    /// Returns the delay that WeChat, or the limit on calls of low priority, demands.
    fn min_delay(&self) -> Duration {
        match self {
            RefillError::WeChat(error) => match error.class() {
                FailureClass::RetryLater(wait) => wait.unwrap_or_default(),
                FailureClass::Unknown(wait) => wait,
                _ => BACKOFF_RANGE[1],
            },
            RefillError::ShortLived => BACKOFF_RANGE[1],
        }
    }
}

fn expiry_ms(code: &&ReadyCode) -> i64 {
    code.expires_at
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
