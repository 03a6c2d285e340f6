//! Permanent codes of queues: each made once, and kept in the settings log.
//!
//! The settings log is the truth, and every replica follows it: a code that exists needs neither
//! WeChat nor the cache. A missing one is made under a lease, so that replicas that want it at the
//! same time call WeChat once. It is appended where the log was found to hold none, so that even
//! without the lease one code wins.

use super::source::{CodeSource, count_created, count_lost};
use crate::scan::scene::Scene;
use paihao_cache::{Cache, Lease};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::settings_log::{PermanentCode, SettingsEntry, SettingsEvent};
use paihao_contracts::streams::{self, SETTINGS};
use paihao_ledger::projection::Follow;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, Projection, StoredEntry, Subject,
};
use paihao_wechat::{AccountClientError, CallPriority, QrRequest};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Most permanent codes that WeChat gives an account, ever.
pub const MAX_PERMANENT_CODES: u64 = 100_000;

/// Longest wait for a code that another replica is just making.
const CODE_WAIT_TIMEOUT: Duration = Duration::from_secs(8);
const LEASE_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Duration of the lease: longer than making a code takes, with a refused token in between.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// Time after a failure in which no replica tries again: an address that anybody can open must not
/// become a way to have WeChat called at will.
const FAILURE_COOLDOWN: Duration = Duration::from_secs(5);

/// Most attempts to append a code that WeChat has made.
const MAX_APPEND_ATTEMPTS: usize = 6;

/// Reason why there is no permanent code.
#[derive(Debug, thiserror::Error)]
pub enum PermanentCodeError {
    /// The settings log cannot be read, or did not take the code.
    #[error(transparent)]
    Ledger(#[from] paihao_ledger::Unavailable),
    /// There is no code yet, and without the cache none is made.
    #[error(transparent)]
    Cache(#[from] paihao_cache::Unavailable),
    /// WeChat made none.
    #[error(transparent)]
    WeChat(#[from] AccountClientError),
    /// Another request is making it, or has just failed to.
    #[error("the permanent code is being made")]
    Pending,
    /// A newer program wrote to the settings log what this one cannot read.
    #[error("a newer program wrote what this one cannot read")]
    Unreadable,
}

/// Queue that a permanent code belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermanentCodeKey {
    /// The account's name.
    pub account: String,
    /// The account's appid.
    pub appid: String,
    /// The site's id.
    pub site: String,
    /// The queue's id.
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
    index: Mutex<CodeIndex>,
}

/// Codes that this replica has read in the settings log.
#[derive(Default)]
struct CodeIndex {
    codes: HashMap<Subject, PermanentCode>,
    /// Number of codes in the log, by account and appid.
    counts: HashMap<(String, String), u64>,
    /// Codes that WeChat has made and the log did not take.
    unpersisted: HashMap<Subject, PermanentCode>,
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
        tasks: &Tasks,
    ) -> Arc<PermanentCodes> {
        let tasks = tasks.child("doors");
        let index = Mutex::default();
        let codes = Arc::new(PermanentCodes { ledger, cache, source, clock, tasks, index });
        let follow = Follow::new(codes.ledger.clone(), SETTINGS, codes.tasks.stop().clone());
        let (_, following) = follow.start(CodeProjection(codes.clone()));
        codes.tasks.spawn("book", following);
        codes
    }

    /// Returns the code of a queue, which is made if there is none. The caller vouches that the
    /// queue is configured: a permanent code is spent for ever.
    pub async fn get_or_create(
        self: &Arc<Self>,
        door: &PermanentCodeKey,
    ) -> Result<PermanentCode, PermanentCodeError> {
        let subject = door.subject()?;
        let until = Instant::now() + CODE_WAIT_TIMEOUT;
        loop {
            if let Some(code) = self.cached(door) {
                return Ok(code);
            }
            if let Some(code) = self.latest(&subject).await?.code.filter(|code| door.matches(code))
            {
                return Ok(self.store(subject, code));
            }
            let lease = streams::permanent_code_lease(&door.account, &door.site, &door.queue);
            match self.cache.acquire(&lease, &entropy::token(16), LEASE_TTL).await? {
                Some(lease) => return self.create_in_task(door, subject, lease).await,
                None if Instant::now() >= until => return Err(PermanentCodeError::Pending),
                None => sleep(LEASE_POLL_INTERVAL).await,
            }
        }
    }

    /// Returns the code of a queue, if this replica knows it.
    pub fn cached(&self, door: &PermanentCodeKey) -> Option<PermanentCode> {
        let known = self.index.lock();
        known.codes.get(&door.subject().ok()?).filter(|code| door.matches(code)).cloned()
    }

    /// Returns the number of an account's permanent codes in the log, as far as this replica has
    /// read.
    pub fn count(&self, account: &str, appid: &str) -> u64 {
        let of = (account.to_owned(), appid.to_owned());
        self.index.lock().counts.get(&of).copied().unwrap_or(0)
    }

    /// Makes the code in a task of its own, which goes on if the caller goes away: a code that
    /// WeChat has made belongs into the log.
    async fn create_in_task(
        self: &Arc<Self>,
        door: &PermanentCodeKey,
        subject: Subject,
        lease: Lease,
    ) -> Result<PermanentCode, PermanentCodeError> {
        let (doors, door, (tell, told)) = (self.clone(), door.clone(), oneshot::channel());
        self.tasks.spawn("make", async move {
            let made = doors.create(&door, subject).await;
            let given_up = match &made {
                Ok(_) => doors.cache.release(&lease).await,
                Err(_) => doors.cache.renew(&lease, FAILURE_COOLDOWN).await.map(drop),
            };
            if let Err(error) = given_up {
                tracing::debug!(%error, "cannot release the lease of a permanent code, it expires by itself");
            }
            let _ = tell.send(made);
        });
        told.await.unwrap_or(Err(PermanentCodeError::Pending))
    }

    async fn create(
        &self,
        door: &PermanentCodeKey,
        subject: Subject,
    ) -> Result<PermanentCode, PermanentCodeError> {
        // Another replica may have finished before the lease was acquired.
        let LatestCode { mut expect, code } = self.latest(&subject).await?;
        if let Some(code) = code.filter(|code| door.matches(code)) {
            return Ok(self.store(subject, code));
        }
        let ours = match self.unpersisted(&subject).filter(|code| door.matches(code)) {
            Some(code) => code,
            None => self.request_code(door).await?,
        };
        let entry = SettingsEntry {
            v: 1,
            at: self.clock.now_ms(),
            event: SettingsEvent::PermanentCodeCreated(ours.clone()),
        };
        let payload = entry.encode();
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for _ in 0..MAX_APPEND_ATTEMPTS {
            let entry = Entry::new(payload.clone());
            match self.ledger.append(&SETTINGS, &subject, expect, entry).await {
                Ok(_) => {
                    let PermanentCodeKey { account, site, queue, .. } = door;
                    tracing::info!(account, site, queue, "a permanent code was made");
                    return Ok(self.store(subject, ours));
                }
                Err(AppendError::Conflict { .. }) => {
                    let newest = self.latest(&subject).await?;
                    if let Some(theirs) = newest.code.filter(|code| door.matches(code)) {
                        if theirs != ours {
                            count_lost(&door.account, "race");
                            tracing::warn!(
                                "two replicas made a permanent code of one queue; one is lost"
                            );
                        }
                        return Ok(self.store(subject, theirs));
                    }
                    expect = newest.expect;
                }
                // The entry may have been written: the next attempt finds out.
                Err(AppendError::Unavailable(_)) => backoff.wait().await,
                Err(AppendError::TooLarge { .. }) => break,
            }
        }
        self.index.lock().unpersisted.insert(subject, ours);
        Err(paihao_ledger::Unavailable("the ledger did not take a permanent code".into()).into())
    }

    async fn request_code(
        &self,
        door: &PermanentCodeKey,
    ) -> Result<PermanentCode, PermanentCodeError> {
        let scene = Scene::for_queue(&door.site, &door.queue);
        let request = QrRequest::permanent_str(scene.clone());
        let code = self.source.create(&door.account, &request, CallPriority::Normal).await?;
        count_created(&door.account, "door");
        let PermanentCodeKey { account, appid, site, queue } = door.clone();
        let (qr_ticket, qr_url) = (code.ticket, code.url);
        Ok(PermanentCode { account, appid, site, queue, scene, qr_ticket, qr_url })
    }

    async fn latest(&self, subject: &Subject) -> Result<LatestCode, PermanentCodeError> {
        let Some(recorded) = self.ledger.last(&SETTINGS, subject).await? else {
            return Ok(LatestCode { expect: ExpectedPosition::Empty, code: None });
        };
        let entry =
            SettingsEntry::decode(&recorded.entry.payload).ok_or(PermanentCodeError::Unreadable)?;
        let SettingsEvent::PermanentCodeCreated(code) = entry.event else {
            return Err(PermanentCodeError::Unreadable);
        };
        Ok(LatestCode { expect: ExpectedPosition::At(recorded.position), code: Some(code) })
    }

    fn store(&self, subject: Subject, code: PermanentCode) -> PermanentCode {
        let mut known = self.index.lock();
        known.unpersisted.remove(&subject);
        known.codes.insert(subject, code.clone());
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

    fn apply(&mut self, recorded: StoredEntry) {
        let Some(entry) = SettingsEntry::decode(&recorded.entry.payload) else { return };
        let SettingsEvent::PermanentCodeCreated(code) = entry.event else { return };
        let mut index = self.0.index.lock();
        let owner = (code.account.clone(), code.appid.clone());
        let count = index.counts.entry(owner).or_default();
        *count += 1;
        metrics::gauge!("paihao_gateway_door_codes", "account" => code.account.clone())
            .set(*count as f64);
        index.codes.insert(recorded.subject, code);
    }

    fn reset(&mut self) {
        tracing::warn!("the permanent codes that were read are forgotten");
        *self.0.index.lock() = CodeIndex::default();
    }
}
