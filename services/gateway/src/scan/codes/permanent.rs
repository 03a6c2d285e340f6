//! Permanent codes of queues: each is created once, and stored in the settings log.
//!
//! Every replica follows the log: a code that exists needs neither WeChat nor the cache. A missing
//! one is created under a lease, so that concurrent requests call WeChat once. It is appended only
//! if the log has none, so that even without the lease one code wins.
//!
//! WeChat gives an account so many codes and takes none back. Each site has a share of them: once
//! it is used up, a new queue gets the code of a queue that is no longer there.

use super::source::{CodeSource, count_created, count_lost};
use crate::scan::scene::Scene;
use paihao_cache::{Cache, Lease};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::settings_log::{PermanentCode, SettingsEntry, SettingsEvent};
use paihao_contracts::streams::{self, SETTINGS};
use paihao_ledger::projection::Follow;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, Projection, StoredEntry, Subject,
};
use paihao_wechat::{AccountClientError, CallPriority, QrRequest};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Largest number of permanent codes that WeChat creates for an account, ever.
pub const MAX_PERMANENT_CODES: u64 = 100_000;

/// Limits of an account's permanent codes.
#[derive(Debug, Clone, Copy)]
pub struct PermanentCodeLimits {
    /// Codes of one site, ever.
    pub per_site: u64,
    /// Codes of all sites, ever. Less than WeChat's own limit: what is left is for the day on which
    /// somebody has to decide.
    pub per_account: u64,
}

impl Default for PermanentCodeLimits {
    fn default() -> Self {
        PermanentCodeLimits { per_site: 200, per_account: MAX_PERMANENT_CODES * 95 / 100 }
    }
}

/// Longest wait for a code that another replica is creating.
const CODE_WAIT_TIMEOUT: Duration = Duration::from_secs(8);
const LEASE_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Duration of the lease: longer than the creation of a code takes, including a refused token.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// Time after a failure in which no replica tries again, since a public address must not cause
/// unlimited calls to WeChat.
const FAILURE_COOLDOWN: Duration = Duration::from_secs(5);

/// Largest number of attempts to append a code that WeChat has created.
const MAX_APPEND_ATTEMPTS: usize = 6;

/// Reason why there is no permanent code.
#[derive(Debug, thiserror::Error)]
pub enum PermanentCodeError {
    /// The settings log cannot be read, or did not take the code.
    #[error(transparent)]
    Ledger(#[from] paihao_ledger::Unavailable),
    /// There is no code yet, and without the cache none is created.
    #[error(transparent)]
    Cache(#[from] paihao_cache::Unavailable),
    /// WeChat created no code.
    #[error(transparent)]
    WeChat(#[from] AccountClientError),
    /// The site, or the account, has as many codes as it may.
    #[error("the site or the account has as many permanent codes as it may have")]
    LimitReached,
    /// Another request is creating it, or has just failed to.
    #[error("the permanent code is being made")]
    Pending,
    /// A newer program wrote to the settings log what this one cannot read.
    #[error("a newer program wrote what this one cannot read")]
    Unreadable,
}

/// Queue that a permanent code belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermanentCodeKey {
    /// Name of the account.
    pub account: String,
    /// Appid of the account.
    pub appid: String,
    /// Id of the site.
    pub site: String,
    /// Id of the queue.
    pub queue: String,
}

impl PermanentCodeKey {
    fn subject(&self) -> Result<Subject, PermanentCodeError> {
        let parts = [&*self.account, &*self.site, "door", &*self.queue];
        Subject::new(&parts).map_err(|error| paihao_ledger::Unavailable(error.to_string()).into())
    }

    fn matches(&self, code: &PermanentCode) -> bool {
        let PermanentCodeKey { account, appid, site, queue } = self;
        (&code.account, &code.appid, &code.site, &code.queue) == (account, appid, site, queue)
    }
}

/// Permanent codes of a deployment.
pub struct PermanentCodes {
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
    source: Arc<dyn CodeSource>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    limits: PermanentCodeLimits,
    index: Mutex<CodeIndex>,
}

/// Codes that this replica has read in the settings log.
#[derive(Default)]
struct CodeIndex {
    codes: HashMap<Subject, PermanentCode>,
    /// Queues that the codes are of now: a code can go over to another one.
    owners: HashMap<SceneKey, Subject>,
    /// Number of codes in the log, by account and appid.
    counts: HashMap<(String, String), u64>,
    counted: HashSet<SceneKey>,
    /// Codes that WeChat has created and the log did not accept.
    unpersisted: HashMap<Subject, PermanentCode>,
}

/// Account, appid and scene of a code.
type SceneKey = (String, String, String);

impl CodeIndex {
    fn insert(&mut self, subject: Subject, code: PermanentCode) {
        self.owners.insert(scene_key(&code), subject.clone());
        self.codes.insert(subject, code);
    }

    /// Code of a queue, unless it went over to another one.
    fn find(&self, subject: &Subject) -> Option<&PermanentCode> {
        let code = self.codes.get(subject)?;
        (self.owners.get(&scene_key(code)) == Some(subject)).then_some(code)
    }

    /// Codes of an account that are in force.
    fn of_account<'a>(
        &'a self,
        key: &'a PermanentCodeKey,
    ) -> impl Iterator<Item = &'a PermanentCode> {
        let is_of_account =
            |code: &&PermanentCode| (&code.account, &code.appid) == (&key.account, &key.appid);
        self.codes.keys().filter_map(|subject| self.find(subject)).filter(is_of_account)
    }
}

fn scene_key(code: &PermanentCode) -> SceneKey {
    (code.account.clone(), code.appid.clone(), code.scene.clone())
}

/// Newest entry of a code in the log.
struct LatestCode {
    expect: ExpectedPosition,
    code: Option<PermanentCode>,
}

impl PermanentCodes {
    /// Begins to follow the settings log.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        cache: Arc<dyn Cache>,
        source: Arc<dyn CodeSource>,
        clock: Arc<dyn Clock>,
        limits: PermanentCodeLimits,
        tasks: &Tasks,
    ) -> Arc<PermanentCodes> {
        let tasks = tasks.child("doors");
        let index = Mutex::default();
        let codes = Arc::new(PermanentCodes { ledger, cache, source, clock, tasks, limits, index });
        let follow = Follow::new(codes.ledger.clone(), SETTINGS, codes.tasks.stop().clone());
        let (_, following) = follow.start(CodeProjection(codes.clone()));
        codes.tasks.spawn("book", following);
        codes
    }

    /// Returns the code of a queue, if there is one.
    pub async fn find(
        &self,
        key: &PermanentCodeKey,
    ) -> Result<Option<PermanentCode>, PermanentCodeError> {
        if let Some(code) = self.cached(key) {
            return Ok(Some(code));
        }
        let subject = key.subject()?;
        let newest = self.latest(&subject).await?.code.filter(|code| key.matches(code));
        Ok(newest.filter(|code| self.is_owned_by(code, &subject)))
    }

    /// Returns the code of a queue, which is created if there is none. The caller has to check that
    /// the queue is configured, since a permanent code is never returned to the quota.
    /// `configured` has all queues of the site.
    pub async fn get_or_create(
        self: &Arc<Self>,
        key: &PermanentCodeKey,
        configured: &[String],
    ) -> Result<PermanentCode, PermanentCodeError> {
        let subject = key.subject()?;
        let deadline = Instant::now() + CODE_WAIT_TIMEOUT;
        loop {
            if let Some(code) = self.find(key).await? {
                return Ok(self.store(subject, code));
            }
            let lease = streams::permanent_code_lease(&key.account, &key.site, &key.queue);
            match self.cache.acquire(&lease, &entropy::token(16), LEASE_TTL).await? {
                Some(lease) => return self.create_in_task(key, subject, configured, lease).await,
                None if Instant::now() >= deadline => return Err(PermanentCodeError::Pending),
                None => sleep(LEASE_POLL_INTERVAL).await,
            }
        }
    }

    /// Returns the code of a queue, if this replica has read it.
    pub fn cached(&self, key: &PermanentCodeKey) -> Option<PermanentCode> {
        let index = self.index.lock();
        index.find(&key.subject().ok()?).filter(|code| key.matches(code)).cloned()
    }

    /// Queue that a scanned code of a queue is of now: another one, if the code went over to it.
    pub fn queue_of(&self, key: &PermanentCodeKey) -> String {
        let index = self.index.lock();
        let scene = Scene::for_queue(&key.site, &key.queue);
        let owner = index.owners.get(&(key.account.clone(), key.appid.clone(), scene));
        let code = owner.and_then(|subject| index.codes.get(subject));
        code.map_or_else(|| key.queue.clone(), |code| code.queue.clone())
    }

    /// Returns the number of an account's permanent codes in the log, as far as this replica has
    /// read.
    pub fn count(&self, account: &str, appid: &str) -> u64 {
        let owner = (account.to_owned(), appid.to_owned());
        self.index.lock().counts.get(&owner).copied().unwrap_or(0)
    }

    /// Creates the code in a task of its own, which continues if the caller is cancelled: a code
    /// that WeChat has created belongs into the log.
    async fn create_in_task(
        self: &Arc<Self>,
        key: &PermanentCodeKey,
        subject: Subject,
        configured: &[String],
        lease: Lease,
    ) -> Result<PermanentCode, PermanentCodeError> {
        let codes = self.clone();
        let key = key.clone();
        let configured = configured.to_vec();
        let (reply, response) = oneshot::channel();
        self.tasks.spawn("make", async move {
            let created = codes.create(&key, subject, &configured).await;
            let released = match &created {
                Ok(_) => codes.cache.release(&lease).await,
                Err(_) => codes.cache.renew(&lease, FAILURE_COOLDOWN).await.map(drop),
            };
            if let Err(error) = released {
                tracing::debug!(%error, "cannot release the lease of a permanent code, it expires by itself");
            }
            let _ = reply.send(created);
        });
        response.await.unwrap_or(Err(PermanentCodeError::Pending))
    }

    async fn create(
        &self,
        key: &PermanentCodeKey,
        subject: Subject,
        configured: &[String],
    ) -> Result<PermanentCode, PermanentCodeError> {
        // Another replica may have finished before the lease was acquired.
        let LatestCode { mut expect, code: existing } = self.latest(&subject).await?;
        let existing = existing.filter(|code| key.matches(code));
        if let Some(existing) = existing.filter(|code| self.is_owned_by(code, &subject)) {
            return Ok(self.store(subject, existing));
        }
        let unpersisted = self.unpersisted(&subject).filter(|code| key.matches(code));
        let code = match unpersisted {
            Some(code) => code,
            None if self.has_room(key) => self.request_code(key).await?,
            None => self.retired_code(key, configured).ok_or(PermanentCodeError::LimitReached)?,
        };
        let event = SettingsEvent::PermanentCodeCreated(code.clone());
        let entry = SettingsEntry::new(self.clock.now_ms(), event);
        let payload = entry.encode();
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for _ in 0..MAX_APPEND_ATTEMPTS {
            let entry = Entry::new(payload.clone());
            match self.ledger.append(&SETTINGS, &subject, expect, entry).await {
                Ok(_) => {
                    let PermanentCodeKey { account, site, queue, .. } = key;
                    tracing::info!(account, site, queue, "permanent code created");
                    return Ok(self.store(subject, code));
                }
                Err(AppendError::Conflict { .. }) => {
                    let newest = self.latest(&subject).await?;
                    let newer = newest.code.filter(|code| key.matches(code));
                    if let Some(existing) = newer.filter(|code| self.is_owned_by(code, &subject)) {
                        if existing != code {
                            count_lost(&key.account, "race");
                            tracing::warn!(
                                "two replicas created a permanent code of one queue, one is lost"
                            );
                        }
                        return Ok(self.store(subject, existing));
                    }
                    expect = newest.expect;
                }
                // The entry may have been written; the next attempt finds it.
                Err(AppendError::Unavailable(_)) => backoff.wait().await,
                Err(AppendError::TooLarge { .. }) => break,
            }
        }
        self.index.lock().unpersisted.insert(subject, code);
        Err(paihao_ledger::Unavailable("the ledger did not take a permanent code".into()).into())
    }

    /// True if the site may have one more code.
    fn has_room(&self, key: &PermanentCodeKey) -> bool {
        let of_account = self.count(&key.account, &key.appid);
        let index = self.index.lock();
        let of_site = index.of_account(key).filter(|code| code.site == key.site).count() as u64;
        of_site < self.limits.per_site && of_account < self.limits.per_account
    }

    /// Code of a queue of the site that is no longer there, as that of this queue.
    fn retired_code(&self, key: &PermanentCodeKey, configured: &[String]) -> Option<PermanentCode> {
        let index = self.index.lock();
        let retired = index
            .of_account(key)
            .filter(|code| code.site == key.site && !configured.contains(&code.queue))
            .min_by(|left, right| left.queue.cmp(&right.queue))?;
        let PermanentCodeKey { site, queue, .. } = key;
        tracing::info!(site, queue, retired = retired.queue, "a queue gets a retired queue's code");
        Some(PermanentCode { queue: queue.clone(), ..retired.clone() })
    }

    /// False if the code went over from this queue to another one.
    fn is_owned_by(&self, code: &PermanentCode, subject: &Subject) -> bool {
        let index = self.index.lock();
        index.owners.get(&scene_key(code)).is_none_or(|owner| owner == subject)
    }

    async fn request_code(
        &self,
        key: &PermanentCodeKey,
    ) -> Result<PermanentCode, PermanentCodeError> {
        let scene = Scene::for_queue(&key.site, &key.queue);
        let request = QrRequest::permanent_str(scene.clone());
        let code = self.source.create(&key.account, &request, CallPriority::Normal).await?;
        count_created(&key.account, "door");
        let PermanentCodeKey { account, appid, site, queue } = key.clone();
        Ok(PermanentCode {
            account,
            appid,
            site,
            queue,
            scene,
            qr_ticket: code.ticket,
            qr_url: code.url,
        })
    }

    async fn latest(&self, subject: &Subject) -> Result<LatestCode, PermanentCodeError> {
        let Some(stored) = self.ledger.last(&SETTINGS, subject).await? else {
            return Ok(LatestCode { expect: ExpectedPosition::Empty, code: None });
        };
        let entry: SettingsEntry =
            envelope::decode(&stored.entry.payload).map_err(|_| PermanentCodeError::Unreadable)?;
        let SettingsEvent::PermanentCodeCreated(code) = entry.event else {
            return Err(PermanentCodeError::Unreadable);
        };
        Ok(LatestCode { expect: ExpectedPosition::At(stored.position), code: Some(code) })
    }

    fn store(&self, subject: Subject, code: PermanentCode) -> PermanentCode {
        let mut index = self.index.lock();
        index.unpersisted.remove(&subject);
        index.insert(subject, code.clone());
        code
    }

    fn unpersisted(&self, subject: &Subject) -> Option<PermanentCode> {
        self.index.lock().unpersisted.get(subject).cloned()
    }
}

/// Projection of the settings log onto the index of permanent codes.
struct CodeProjection(Arc<PermanentCodes>);

impl Projection for CodeProjection {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let entry: SettingsEntry = envelope::decode(&stored.entry.payload).inspect_err(|_| {
            // The next request looks the code up in the log.
            self.0.index.lock().codes.remove(&stored.subject);
        })?;
        let SettingsEvent::PermanentCodeCreated(code) = entry.event else { return Ok(()) };
        let mut index = self.0.index.lock();
        let owner = (code.account.clone(), code.appid.clone());
        let is_new = index.counted.insert(scene_key(&code));
        let count = index.counts.entry(owner).or_default();
        *count += u64::from(is_new);
        metrics::gauge!("paihao_gateway_door_codes", "account" => code.account.clone())
            .set(*count as f64);
        index.insert(stored.subject, code);
        Ok(())
    }

    fn reset(&mut self) {
        tracing::warn!("the settings log was made anew, forgetting the permanent codes");
        *self.0.index.lock() = CodeIndex::default();
    }
}
