//! Keeper of one account: acquires the lease, and refreshes the stored token while it holds it.

use crate::alarm::Alarm;
use crate::decide::{Action, Channel, KeeperState, RefreshPolicy};
use crate::failure_note;
use crate::fetching::Issuer;
use crate::settings::Account;
use crate::store::{Store, StoreError, StoredToken, WriteOutcome};
use paihao_cache::{Cache, Lease};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::entropy;
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Interval in which the holder of the lease reads the stored token.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Signals between the report worker and the keepers of one replica.
#[derive(Default)]
pub(crate) struct KeeperSignals {
    /// Accounts whose lease this replica holds.
    held_leases: watch::Sender<HashSet<String>>,
    /// Fingerprint of the refused token, by account.
    refused_tokens: Mutex<HashMap<String, String>>,
    wake: Notify,
}

impl KeeperSignals {
    /// Notifies the account's keeper if it holds the lease. True if the report is new to it.
    pub(crate) fn report_refused(&self, account: &str, fingerprint: &str) -> bool {
        if !self.held_leases.borrow().contains(account) {
            return false;
        }
        let before = self.refused_tokens.lock().insert(account.to_owned(), fingerprint.to_owned());
        self.wake.notify_waiters();
        before.as_deref() != Some(fingerprint)
    }

    pub(crate) async fn wait_until_any_held(&self) {
        // The sender is a field of this struct, so the wait cannot fail.
        let _ = self.held_leases.subscribe().wait_for(|held| !held.is_empty()).await;
    }

    pub(crate) async fn wait_until_none_held(&self) {
        let _ = self.held_leases.subscribe().wait_for(HashSet::is_empty).await;
    }

    fn set_held(&self, account: &str, holds: bool) {
        self.refused_tokens.lock().remove(account);
        self.held_leases.send_modify(|held| {
            if holds {
                held.insert(account.to_owned());
            } else {
                held.remove(account);
            }
        });
    }

    fn refused_fingerprint(&self, account: &str) -> Option<String> {
        self.refused_tokens.lock().get(account).cloned()
    }
}

/// Keeper of one account.
pub(crate) struct Keeper {
    pub(crate) account: Account,
    pub(crate) policy: RefreshPolicy,
    pub(crate) store: Store,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) issuer: Arc<dyn Issuer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signals: Arc<KeeperSignals>,
    pub(crate) holder: String,
    pub(crate) lease: Duration,
    pub(crate) stop: CancellationToken,
    /// The credentials were changed, so they are verified by a fetch at once.
    pub(crate) is_new_secret: bool,
}

impl Keeper {
    /// Waits for the lease and works under it, until the stop.
    pub(crate) async fn run(self) {
        let name = streams::token_lease(&self.account.name);
        let mut backoff = Backoff::new(self.lease / 15, self.lease / 3);
        let mut is_unavailable = false;
        let mut newer_record = None;
        self.set_gauge("paihao_token_kept_here", 0.0);
        while !self.stop.is_cancelled() {
            if let Err(StoreError::Newer(newer)) = self.store.read().await {
                if newer_record.replace(newer) != Some(newer) {
                    let account = &self.account.name;
                    tracing::warn!(account, %newer, "leaving the token to a newer keeper");
                }
                let wait = entropy::jitter(self.lease / 5, 0.3);
                self.stop.run_until_cancelled(sleep(wait)).await;
                continue;
            }
            let wait = match self.cache.acquire(&name, &self.holder, self.lease).await {
                Ok(Some(lease)) => {
                    is_unavailable = false;
                    backoff.reset();
                    self.run_with_lease(lease).await;
                    entropy::jitter(self.lease / 5, 0.3)
                }
                Ok(None) => {
                    is_unavailable = false;
                    backoff.reset();
                    entropy::jitter(self.lease / 5, 0.3)
                }
                Err(unavailable) => {
                    if !is_unavailable {
                        tracing::warn!(account = self.account.name, error = %unavailable, "cannot acquire the lease, retrying");
                    }
                    is_unavailable = true;
                    backoff.next_wait()
                }
            };
            self.stop.run_until_cancelled(sleep(wait)).await;
        }
    }

    /// Refreshes the token until the lease is lost or the stop comes. The lease is renewed
    /// concurrently, so that a slow fetch does not lose it.
    async fn run_with_lease(&self, lease: Lease) {
        tracing::info!(
            account = self.account.name,
            fence = lease.fence,
            "acquired the token lease"
        );
        self.signals.set_held(&self.account.name, true);
        self.set_gauge("paihao_token_kept_here", 1.0);
        let lost = CancellationToken::new();
        let done = CancellationToken::new();
        let refresh = async {
            self.refresh_loop(&lease, &lost).await;
            done.cancel();
        };
        tokio::join!(refresh, self.renew_lease(&lease, &lost, &done));
        self.signals.set_held(&self.account.name, false);
        self.set_gauge("paihao_token_kept_here", 0.0);
        // Fails only while the cache is unavailable. Then the lease expires.
        let _ = self.cache.release(&lease).await;
        tracing::info!(
            account = self.account.name,
            fence = lease.fence,
            "released the token lease"
        );
    }

    async fn renew_lease(&self, lease: &Lease, lost: &CancellationToken, done: &CancellationToken) {
        let mut valid_until = Instant::now() + self.lease;
        let mut wait = self.lease / 3;
        while done.run_until_cancelled(sleep(wait)).await.is_some() {
            let requested_at = Instant::now();
            match self.cache.renew(lease, self.lease).await {
                Ok(true) => {
                    valid_until = requested_at + self.lease;
                    wait = self.lease / 3;
                }
                Ok(false) => {
                    tracing::warn!(
                        account = self.account.name,
                        "lost the token lease to another keeper"
                    );
                    return lost.cancel();
                }
                Err(_) if Instant::now() >= valid_until => {
                    tracing::warn!(account = self.account.name, "cannot renew the token lease");
                    return lost.cancel();
                }
                Err(_) => wait = self.lease / 15,
            }
        }
    }

    /// Decides and acts until the stop or the loss of the lease, which do not interrupt a step.
    async fn refresh_loop(&self, lease: &Lease, lost: &CancellationToken) {
        let mut state = KeeperState::new(self.policy.clone(), random_spread());
        let mut alarm = Alarm::new(&self.account.name);
        if self.is_new_secret {
            state.mark_credentials_changed();
        }
        while !self.stop.is_cancelled() && !lost.is_cancelled() {
            // Created before the read, so that a signal in between is not missed.
            let woken = self.signals.wake.notified();
            let wait = match self.store.read().await {
                Ok(stored) if stored.fence > lease.fence => return,
                Ok(stored) => {
                    if let Some(fingerprint) = self.signals.refused_fingerprint(&self.account.name)
                    {
                        state.report_refused(&fingerprint);
                    }
                    let now_ms = self.clock.now_ms();
                    self.record_gauges(&stored, now_ms);
                    match state.decide(now_ms, stored.record.as_ref()) {
                        Action::Fetch { force } => {
                            let written =
                                self.fetch(&mut state, force, stored, lease, lost, &mut alarm);
                            if written.await == WriteOutcome::Superseded {
                                return;
                            }
                            continue;
                        }
                        Action::Wait { until_ms } => {
                            let record = stored.record.as_ref();
                            alarm.set_every_token_refused(
                                state.is_every_token_refused(now_ms, record),
                            );
                            let left = u64::try_from(until_ms - now_ms).unwrap_or(0);
                            Duration::from_millis(left).min(POLL_INTERVAL)
                        }
                    }
                }
                Err(StoreError::Newer(_)) => return,
                // The renewal of the lease logs it if it lasts.
                Err(StoreError::Unavailable(_)) => Duration::from_secs(1),
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = woken => {}
                () = lost.cancelled() => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn fetch(
        &self,
        state: &mut KeeperState,
        force: bool,
        stored: StoredToken,
        lease: &Lease,
        lost: &CancellationToken,
        alarm: &mut Alarm,
    ) -> WriteOutcome {
        let account = self.account.name.as_str();
        // Taken before the call: the lifetime begins when WeChat issues the token.
        let requested_at_ms = self.clock.now_ms();
        state.fetch_started(requested_at_ms, force);
        let issued = self.issuer.issue(&self.account, force).await;
        self.record_fetch(&issued.as_ref().map_or_else(|error| error.outcome(), |_| "ok"), force);
        let issued = match issued {
            Ok(issued) => issued,
            Err(error) => {
                let now_ms = self.clock.now_ms();
                state.fetch_failed(now_ms, &error, random_spread());
                alarm.fetch_failed(&error);
                failure_note::put(&*self.cache, account, &error, now_ms).await;
                return WriteOutcome::Stored;
            }
        };
        alarm.fetch_succeeded();
        let lifetime_ms = i64::try_from(issued.expires_in.as_millis()).unwrap_or(i64::MAX);
        let record = TokenRecord {
            v: 1,
            token: issued.token.expose().to_owned(),
            fetched_at_ms: requested_at_ms,
            expires_at_ms: requested_at_ms.saturating_add(lifetime_ms),
            fence: lease.fence,
            forced_at_ms: state.forced_within_day(requested_at_ms, stored.record.as_ref()),
        };
        state.fetch_succeeded(&record.token, random_spread());
        let fingerprint = issued.token.fingerprint();
        tracing::info!(account, fingerprint, force, lifetime_ms, "fetched a token");
        let written = self.store_token(stored, &record, lost).await;
        failure_note::remove(&*self.cache, account).await;
        written
    }

    /// Stores the token and retries while the cache is unavailable: on the classic channel the
    /// former token ends soon. Gives up when the lease is lost, or at the stop.
    async fn store_token(
        &self,
        read: StoredToken,
        record: &TokenRecord,
        lost: &CancellationToken,
    ) -> WriteOutcome {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut read = Some(read);
        loop {
            let current = match read.take() {
                Some(stored) => Ok(stored),
                None => self.store.read().await,
            };
            let written = match current {
                Ok(stored) => self.store.write(stored, record).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(written) => return written,
                Err(StoreError::Newer(_)) => return WriteOutcome::Superseded,
                Err(StoreError::Unavailable(unavailable))
                    if lost.is_cancelled() || self.stop.is_cancelled() =>
                {
                    tracing::warn!(account = self.account.name, error = %unavailable, "cannot store the fetched token, giving up");
                    return WriteOutcome::Superseded;
                }
                Err(_) => backoff.wait().await,
            }
        }
    }

    fn record_fetch(&self, outcome: &&'static str, force: bool) {
        let mode = match (self.account.channel, force) {
            (Channel::Classic, _) => "classic",
            (Channel::Stable, false) => "stable",
            (Channel::Stable, true) => "forced",
        };
        let account = self.account.name.clone();
        metrics::counter!("paihao_token_fetches_total", "account" => account, "mode" => mode, "outcome" => *outcome)
            .increment(1);
    }

    fn record_gauges(&self, stored: &StoredToken, now_ms: i64) {
        let seconds = |millis: i64| millis as f64 / 1000.0;
        if let Some(record) = &stored.record {
            self.set_gauge("paihao_token_age_seconds", seconds(now_ms - record.fetched_at_ms));
            self.set_gauge("paihao_token_expires_at_seconds", seconds(record.expires_at_ms));
            self.set_gauge("paihao_token_left_seconds", seconds(record.expires_at_ms - now_ms));
        } else {
            self.set_gauge("paihao_token_left_seconds", 0.0);
        }
    }

    fn set_gauge(&self, name: &'static str, value: f64) {
        metrics::gauge!(name, "account" => self.account.name.clone()).set(value);
    }
}

/// Random number from -1.0 to 1.0.
fn random_spread() -> f64 {
    entropy::jitter(Duration::from_secs(1), 1.0).as_secs_f64() - 1.0
}
