//! The permanent codes at the doors of queues: each made once, and kept in the book.
//!
//! The book is the truth, and every replica follows it: a door code that exists needs neither WeChat
//! nor the cache. One that does not exist is made under a lease, so that replicas that want it at
//! the same time call WeChat once; and it is appended where the book was found to hold none, so that
//! even without the lease one code wins.

use super::{CodeSource, count_created, count_lost};
use crate::scan::scene::Scene;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_cache::{Cache, Lease};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::settings_log::{PermanentCode, SettingsEntry, SettingsEvent};
use paihao_contracts::streams::{self, SETTINGS};
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use paihao_wechat::{AccountClientError, CallPriority, QrRequest};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Permanent codes that WeChat gives an account, ever.
pub const MAX_PERMANENT_CODES: u64 = 100_000;

/// How long somebody waits for a code that another replica is just making.
const CODE_WAIT_TIMEOUT: Duration = Duration::from_secs(8);
const LEASE_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Longer than making a code takes, with a refused token in between.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// After a failure nobody tries for so long: an address that anybody can open must not become a way
/// to have WeChat called at will.
const FAILURE_COOLDOWN: Duration = Duration::from_secs(5);

/// How often a code that WeChat has made is offered to a book that does not answer.
const MAX_APPEND_ATTEMPTS: usize = 6;

/// Why there is no door code.
#[derive(Debug, thiserror::Error)]
pub enum PermanentCodeError {
    /// The book cannot be read, or did not take the code.
    #[error(transparent)]
    Ledger(#[from] paihao_ledger::Unavailable),
    /// There is no code yet, and without the cache none is made.
    #[error(transparent)]
    Cache(#[from] paihao_cache::Unavailable),
    /// WeChat made none.
    #[error(transparent)]
    WeChat(#[from] AccountClientError),
    /// Somebody else is making it, or has just failed to.
    #[error("the door code is being made")]
    Pending,
    /// A newer program wrote to the book what this one cannot read.
    #[error("a newer program wrote what this one cannot read")]
    Unreadable,
}

/// The door of one queue.
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

/// All door codes of a deployment.
pub struct PermanentCodes {
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
    source: Arc<dyn CodeSource>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    index: Mutex<CodeIndex>,
}

/// What this replica has read in the book.
#[derive(Default)]
struct CodeIndex {
    /// How far it has read.
    position: Position,
    codes: HashMap<Subject, PermanentCode>,
    /// Codes in the book, by account and appid.
    counts: HashMap<(String, String), u64>,
    /// Codes that WeChat has made and the book did not take.
    unpersisted: HashMap<Subject, PermanentCode>,
}

/// What the book holds of a door now.
struct LatestCode {
    expect: ExpectedPosition,
    code: Option<PermanentCode>,
}

impl PermanentCodes {
    /// Begins to follow the book.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        cache: Arc<dyn Cache>,
        source: Arc<dyn CodeSource>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<PermanentCodes> {
        let (tasks, known) = (tasks.child("doors"), Mutex::default());
        let doors = Arc::new(PermanentCodes { ledger, cache, source, clock, tasks, index: known });
        doors.tasks.spawn("book", doors.clone().follow());
        doors
    }

    /// The code of a door, which is made if there is none. Whoever asks vouches that the queue is
    /// configured: a permanent code is spent for ever.
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

    /// The code of a door, if this replica knows of one.
    pub fn cached(&self, door: &PermanentCodeKey) -> Option<PermanentCode> {
        let known = self.index.lock();
        known.codes.get(&door.subject().ok()?).filter(|code| door.matches(code)).cloned()
    }

    /// How many permanent codes the book holds of an account, as far as this replica has read.
    pub fn count(&self, account: &str, appid: &str) -> u64 {
        let of = (account.to_owned(), appid.to_owned());
        self.index.lock().counts.get(&of).copied().unwrap_or(0)
    }

    /// In a task of its own, which goes on if whoever asked goes away: a code that WeChat has made
    /// belongs into the book.
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
                tracing::debug!(%error, "the lease on a door code ends by itself");
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
        // Between the look and the lease somebody may have finished.
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
            event: SettingsEvent::DoorCodeMade(ours.clone()),
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
                            tracing::warn!("two replicas made a code of one door; one is lost");
                        }
                        return Ok(self.store(subject, theirs));
                    }
                    expect = newest.expect;
                }
                // It may have been written: the next offer finds out.
                Err(AppendError::Unavailable(_)) => backoff.wait().await,
                Err(AppendError::TooLarge { .. }) => break,
            }
        }
        self.index.lock().unpersisted.insert(subject, ours);
        Err(paihao_ledger::Unavailable("the book did not take a door code".into()).into())
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
        let SettingsEvent::DoorCodeMade(code) = entry.event else {
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

    async fn follow(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.tasks.is_stopping() {
            let after = self.index.lock().position;
            match self.ledger.follow(&SETTINGS, after).await {
                Ok(entries) => self.apply_entries(entries).await,
                Err(error) => tracing::warn!(%error, "cannot follow the book yet"),
            }
            backoff.wait_unless(self.tasks.stop()).await;
        }
    }

    async fn apply_entries(&self, mut entries: BoxStream<'static, LogItem>) {
        let next = async |entries: &mut BoxStream<'static, LogItem>| {
            self.tasks.stop().run_until_cancelled(entries.next()).await.flatten()
        };
        while let Some(followed) = next(&mut entries).await {
            let mut known = self.index.lock();
            let LogItem::Entry(recorded) = followed else {
                tracing::warn!("the book was made anew: its door codes are gone");
                *known = CodeIndex::default();
                continue;
            };
            known.position = recorded.position;
            let Some(entry) = SettingsEntry::decode(&recorded.entry.payload) else { continue };
            let SettingsEvent::DoorCodeMade(code) = entry.event else { continue };
            let made = known.counts.entry((code.account.clone(), code.appid.clone())).or_default();
            *made += 1;
            metrics::gauge!("paihao_gateway_door_codes", "account" => code.account.clone())
                .set(*made as f64);
            known.codes.insert(recorded.subject, code);
        }
    }
}
