//! One account's keeper: takes the lease, and while it holds it keeps the stored token fresh.

use crate::alarm::Alarm;
use crate::decide::{Action, Rules, State};
use crate::fetching::Issuer;
use crate::store::{Store, Stored, Written};
use crate::{Account, Channel};
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

/// How often the holder looks whether the stored token is still there.
const LOOK: Duration = Duration::from_secs(5);

/// Where reports and keepers of one replica meet.
#[derive(Default)]
pub(crate) struct Desk {
    /// The accounts whose lease this replica holds.
    held: watch::Sender<HashSet<String>>,
    /// The refused token's fingerprint, by account.
    refused: Mutex<HashMap<String, String>>,
    bell: Notify,
}

impl Desk {
    /// Tells the account's keeper, if it is here and holds the lease; whether it was news to it.
    pub(crate) fn refused(&self, account: &str, fingerprint: &str) -> bool {
        if !self.held.borrow().contains(account) {
            return false;
        }
        let before = self.refused.lock().insert(account.to_owned(), fingerprint.to_owned());
        self.bell.notify_waiters();
        before.as_deref() != Some(fingerprint)
    }

    pub(crate) async fn holds_any(&self) {
        // The sender lives in this very struct, so the wait cannot fail.
        let _ = self.held.subscribe().wait_for(|held| !held.is_empty()).await;
    }

    pub(crate) async fn holds_none(&self) {
        let _ = self.held.subscribe().wait_for(HashSet::is_empty).await;
    }

    fn hold(&self, account: &str, holds: bool) {
        self.refused.lock().remove(account);
        self.held.send_modify(|held| {
            if holds {
                held.insert(account.to_owned());
            } else {
                held.remove(account);
            }
        });
    }

    fn refused_of(&self, account: &str) -> Option<String> {
        self.refused.lock().get(account).cloned()
    }
}

pub(crate) struct Keeper {
    pub(crate) account: Account,
    pub(crate) rules: Rules,
    pub(crate) store: Store,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) issuer: Arc<dyn Issuer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) holder: String,
    pub(crate) lease: Duration,
    pub(crate) stop: CancellationToken,
    /// The credentials were changed: they are proved at once.
    pub(crate) is_new_secret: bool,
}

impl Keeper {
    /// Stands by and keeps, in turn, until the stop.
    pub(crate) async fn run(self) {
        let name = streams::token_lease(&self.account.name);
        let mut backoff = Backoff::new(self.lease / 15, self.lease / 3);
        let mut away = false;
        self.gauge("paihao_token_kept_here", 0.0);
        while !self.stop.is_cancelled() {
            let wait = match self.cache.acquire(&name, &self.holder, self.lease).await {
                Ok(Some(lease)) => {
                    away = false;
                    backoff.reset();
                    self.keep(lease).await;
                    entropy::jitter(self.lease / 5, 0.3)
                }
                Ok(None) => {
                    away = false;
                    backoff.reset();
                    entropy::jitter(self.lease / 5, 0.3)
                }
                Err(unavailable) => {
                    if !away {
                        tracing::warn!(account = self.account.name, %unavailable, "cannot stand by");
                    }
                    away = true;
                    backoff.next_wait()
                }
            };
            self.stop.run_until_cancelled(sleep(wait)).await;
        }
    }

    /// Keeps the token fresh until the lease is lost or the stop comes. Renewing goes on beside
    /// the work, so that a slow fetch does not cost the lease.
    async fn keep(&self, lease: Lease) {
        tracing::info!(account = self.account.name, fence = lease.fence, "keeping the token");
        self.desk.hold(&self.account.name, true);
        self.gauge("paihao_token_kept_here", 1.0);
        let (lost, done) = (CancellationToken::new(), CancellationToken::new());
        let work = async {
            self.work(&lease, &lost).await;
            done.cancel();
        };
        tokio::join!(work, self.renew(&lease, &lost, &done));
        self.desk.hold(&self.account.name, false);
        self.gauge("paihao_token_kept_here", 0.0);
        // Fails only while the cache is away, and then the lease ends by itself.
        let _ = self.cache.release(&lease).await;
        tracing::info!(account = self.account.name, fence = lease.fence, "keeping it no longer");
    }

    async fn renew(&self, lease: &Lease, lost: &CancellationToken, done: &CancellationToken) {
        let mut good_until = Instant::now() + self.lease;
        let mut wait = self.lease / 3;
        while done.run_until_cancelled(sleep(wait)).await.is_some() {
            let asked = Instant::now();
            match self.cache.renew(lease, self.lease).await {
                Ok(true) => {
                    good_until = asked + self.lease;
                    wait = self.lease / 3;
                }
                Ok(false) => {
                    tracing::warn!(account = self.account.name, "the lease went to another keeper");
                    return lost.cancel();
                }
                Err(_) if Instant::now() >= good_until => {
                    tracing::warn!(account = self.account.name, "the lease could not be renewed");
                    return lost.cancel();
                }
                Err(_) => wait = self.lease / 15,
            }
        }
    }

    /// Between two steps the stop and the loss of the lease are looked at; a step is never cut.
    async fn work(&self, lease: &Lease, lost: &CancellationToken) {
        let mut state = State::new(self.rules.clone(), spread());
        let mut alarm = Alarm::of(&self.account.name);
        if self.is_new_secret {
            state.prove();
        }
        while !self.stop.is_cancelled() && !lost.is_cancelled() {
            // Asked for before looking, so that a bell in between is not missed.
            let rung = self.desk.bell.notified();
            let wait = match self.store.read().await {
                Ok(stored) if stored.fence > lease.fence => return,
                Ok(stored) => {
                    if let Some(fingerprint) = self.desk.refused_of(&self.account.name) {
                        state.report(&fingerprint);
                    }
                    let now_ms = self.clock.now_ms();
                    self.measure(&stored, now_ms);
                    match state.decide(now_ms, stored.record.as_ref()) {
                        Action::Fetch { force } => {
                            let went_on =
                                self.fetch(&mut state, force, stored, lease, lost, &mut alarm);
                            if went_on.await == Written::Superseded {
                                return;
                            }
                            continue;
                        }
                        Action::Wait { until_ms } => {
                            let record = stored.record.as_ref();
                            alarm.every_token_refused(state.is_every_token_refused(now_ms, record));
                            let left = u64::try_from(until_ms - now_ms).unwrap_or(0);
                            Duration::from_millis(left).min(LOOK)
                        }
                    }
                }
                // Renewing says so if it lasts.
                Err(_) => Duration::from_secs(1),
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = rung => {}
                () = lost.cancelled() => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn fetch(
        &self,
        state: &mut State,
        force: bool,
        stored: Stored,
        lease: &Lease,
        lost: &CancellationToken,
        alarm: &mut Alarm,
    ) -> Written {
        let account = self.account.name.as_str();
        // Before the call: a token lives from when WeChat made it, not from when we heard of it.
        let asked_at_ms = self.clock.now_ms();
        state.fetching(asked_at_ms, force);
        let issued = self.issuer.issue(&self.account, force).await;
        self.count(&issued.as_ref().map_or_else(|error| error.outcome(), |_| "ok"), force);
        let issued = match issued {
            Ok(issued) => issued,
            Err(error) => {
                state.failed(self.clock.now_ms(), &error, spread());
                alarm.failed(&error);
                return Written::Stored;
            }
        };
        alarm.fetched();
        let lives = i64::try_from(issued.expires_in.as_millis()).unwrap_or(i64::MAX);
        let record = TokenRecord {
            v: 1,
            token: issued.token.expose().to_owned(),
            fetched_at_ms: asked_at_ms,
            expires_at_ms: asked_at_ms.saturating_add(lives),
            fence: lease.fence,
            forced_at_ms: state.forced(asked_at_ms, stored.record.as_ref()),
        };
        state.fetched(&record.token, spread());
        let fingerprint = issued.token.fingerprint();
        tracing::info!(account, fingerprint, force, lives_ms = lives, "fetched the token");
        self.put(stored, &record, lost).await
    }

    /// Stores the token, waiting for the cache if need be: on the classic channel the former one
    /// is already dying. Gives up with the lease, or when the stop comes and the cache is away.
    async fn put(&self, seen: Stored, record: &TokenRecord, lost: &CancellationToken) -> Written {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut seen = Some(seen);
        loop {
            let now = match seen.take() {
                Some(seen) => Ok(seen),
                None => self.store.read().await,
            };
            let written = match now {
                Ok(stored) => self.store.write(stored, record).await,
                Err(unavailable) => Err(unavailable),
            };
            match written {
                Ok(written) => return written,
                Err(unavailable) if lost.is_cancelled() || self.stop.is_cancelled() => {
                    tracing::warn!(account = self.account.name, %unavailable, "a fetched token was not stored");
                    return Written::Superseded;
                }
                Err(_) => backoff.wait().await,
            }
        }
    }

    fn count(&self, outcome: &&'static str, force: bool) {
        let mode = match (self.account.channel, force) {
            (Channel::Classic, _) => "classic",
            (Channel::Stable, false) => "stable",
            (Channel::Stable, true) => "forced",
        };
        let account = self.account.name.clone();
        metrics::counter!("paihao_token_fetches_total", "account" => account, "mode" => mode, "outcome" => *outcome)
            .increment(1);
    }

    fn measure(&self, stored: &Stored, now_ms: i64) {
        let seconds = |millis: i64| millis as f64 / 1000.0;
        if let Some(record) = &stored.record {
            self.gauge("paihao_token_age_seconds", seconds(now_ms - record.fetched_at_ms));
            self.gauge("paihao_token_expires_at_seconds", seconds(record.expires_at_ms));
            self.gauge("paihao_token_left_seconds", seconds(record.expires_at_ms - now_ms));
        } else {
            self.gauge("paihao_token_left_seconds", 0.0);
        }
    }

    fn gauge(&self, name: &'static str, value: f64) {
        metrics::gauge!(name, "account" => self.account.name.clone()).set(value);
    }
}

/// From -1.0 to 1.0.
fn spread() -> f64 {
    entropy::jitter(Duration::from_secs(1), 1.0).as_secs_f64() - 1.0
}
