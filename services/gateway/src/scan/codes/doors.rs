//! The permanent codes at the doors of queues: each made once, and kept in the book.
//!
//! The book is the truth, and every replica follows it: a door code that exists needs neither WeChat
//! nor the cache. One that does not exist is made under a lease, so that replicas that want it at
//! the same time call WeChat once; and it is appended where the book was found to hold none, so that
//! even without the lease one code wins.

use super::{CodeSource, count_lost, count_made};
use crate::scan::scene::Scene;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_cache::{Cache, Lease};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use paihao_contracts::book::{BookEntry, BookEvent, DoorCode};
use paihao_contracts::names::{self, BOOK};
use paihao_ledger::{AppendError, Entry, Expect, Followed, Ledger, Position, Subject};
use paihao_wechat::{CallerError, QrRequest, Value};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Permanent codes that WeChat gives an account, ever.
pub const PERMANENT_CAP: u64 = 100_000;

/// How long somebody waits for a code that another replica is just making.
const PATIENCE: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Longer than making a code takes, with a refused token in between.
const HELD: Duration = Duration::from_secs(30);

/// After a failure nobody tries for so long: an address that anybody can open must not become a way
/// to have WeChat called at will.
const REST: Duration = Duration::from_secs(5);

/// How often a code that WeChat has made is offered to a book that does not answer.
const OFFERS: usize = 6;

/// Why there is no door code.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The book cannot be read, or did not take the code.
    #[error(transparent)]
    Ledger(#[from] paihao_ledger::Unavailable),
    /// There is no code yet, and without the cache none is made.
    #[error(transparent)]
    Cache(#[from] paihao_cache::Unavailable),
    /// WeChat made none.
    #[error(transparent)]
    WeChat(#[from] CallerError),
    /// Somebody else is making it, or has just failed to.
    #[error("the door code is being made")]
    Pending,
    /// A newer program wrote to the book what this one cannot read.
    #[error("a newer program wrote what this one cannot read")]
    Unreadable,
}

/// The door of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDoor {
    /// The account's name.
    pub account: String,
    /// The account's appid.
    pub appid: String,
    /// The site's id.
    pub site: String,
    /// The queue's id.
    pub queue: String,
}

impl QueueDoor {
    fn subject(&self) -> Result<Subject, DoorError> {
        let parts = [&*self.account, &*self.site, "door", &*self.queue];
        Subject::new(&parts).map_err(|error| paihao_ledger::Unavailable(error.to_string()).into())
    }

    fn is_of(&self, code: &DoorCode) -> bool {
        let QueueDoor { account, appid, site, queue } = self;
        (&code.account, &code.appid, &code.site, &code.queue) == (account, appid, site, queue)
    }
}

/// All door codes of a deployment.
pub struct Doors {
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
    source: Arc<dyn CodeSource>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    known: Mutex<Known>,
}

/// What this replica has read in the book.
#[derive(Default)]
struct Known {
    /// How far it has read.
    read: Position,
    codes: HashMap<Subject, DoorCode>,
    /// Codes in the book, by account and appid.
    made: HashMap<(String, String), u64>,
    /// Codes that WeChat has made and the book did not take.
    unwritten: HashMap<Subject, DoorCode>,
}

/// What the book holds of a door now.
struct Newest {
    expect: Expect,
    code: Option<DoorCode>,
}

impl Doors {
    /// Begins to follow the book.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        cache: Arc<dyn Cache>,
        source: Arc<dyn CodeSource>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<Doors> {
        let (tasks, known) = (tasks.child("doors"), Mutex::default());
        let doors = Arc::new(Doors { ledger, cache, source, clock, tasks, known });
        doors.tasks.spawn("book", doors.clone().follow());
        doors
    }

    /// The code of a door, which is made if there is none. Whoever asks vouches that the queue is
    /// configured: a permanent code is spent for ever.
    pub async fn code(self: &Arc<Self>, door: &QueueDoor) -> Result<DoorCode, DoorError> {
        let subject = door.subject()?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(code) = self.known(door) {
                return Ok(code);
            }
            if let Some(code) = self.newest(&subject).await?.code.filter(|code| door.is_of(code)) {
                return Ok(self.learnt(subject, code));
            }
            let lease = names::door_code_lease(&door.account, &door.site, &door.queue);
            match self.cache.acquire(&lease, &entropy::token(16), HELD).await? {
                Some(lease) => return self.make_alone(door, subject, lease).await,
                None if Instant::now() >= until => return Err(DoorError::Pending),
                None => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// The code of a door, if this replica knows of one.
    pub fn known(&self, door: &QueueDoor) -> Option<DoorCode> {
        let known = self.known.lock();
        known.codes.get(&door.subject().ok()?).filter(|code| door.is_of(code)).cloned()
    }

    /// How many permanent codes the book holds of an account, as far as this replica has read.
    pub fn made(&self, account: &str, appid: &str) -> u64 {
        let of = (account.to_owned(), appid.to_owned());
        self.known.lock().made.get(&of).copied().unwrap_or(0)
    }

    /// In a task of its own, which goes on if whoever asked goes away: a code that WeChat has made
    /// belongs into the book.
    async fn make_alone(
        self: &Arc<Self>,
        door: &QueueDoor,
        subject: Subject,
        lease: Lease,
    ) -> Result<DoorCode, DoorError> {
        let (doors, door, (tell, told)) = (self.clone(), door.clone(), oneshot::channel());
        self.tasks.spawn("make", async move {
            let made = doors.make(&door, subject).await;
            let given_up = match &made {
                Ok(_) => doors.cache.release(&lease).await,
                Err(_) => doors.cache.renew(&lease, REST).await.map(drop),
            };
            if let Err(error) = given_up {
                tracing::debug!(%error, "the lease on a door code ends by itself");
            }
            let _ = tell.send(made);
        });
        told.await.unwrap_or(Err(DoorError::Pending))
    }

    async fn make(&self, door: &QueueDoor, subject: Subject) -> Result<DoorCode, DoorError> {
        // Between the look and the lease somebody may have finished.
        let Newest { mut expect, code } = self.newest(&subject).await?;
        if let Some(code) = code.filter(|code| door.is_of(code)) {
            return Ok(self.learnt(subject, code));
        }
        let ours = match self.unwritten(&subject).filter(|code| door.is_of(code)) {
            Some(code) => code,
            None => self.ask(door).await?,
        };
        let entry = BookEntry {
            v: 1,
            at: self.clock.now_ms(),
            event: BookEvent::DoorCodeMade(ours.clone()),
        };
        let payload = entry.encode();
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for _ in 0..OFFERS {
            let entry = Entry::new(payload.clone());
            match self.ledger.append(&BOOK, &subject, expect, entry).await {
                Ok(_) => {
                    let QueueDoor { account, site, queue, .. } = door;
                    tracing::info!(account, site, queue, "a permanent code was made");
                    return Ok(self.learnt(subject, ours));
                }
                Err(AppendError::Conflict { .. }) => {
                    let newest = self.newest(&subject).await?;
                    if let Some(theirs) = newest.code.filter(|code| door.is_of(code)) {
                        if theirs != ours {
                            count_lost(&door.account, "race");
                            tracing::warn!("two replicas made a code of one door; one is lost");
                        }
                        return Ok(self.learnt(subject, theirs));
                    }
                    expect = newest.expect;
                }
                // It may have been written: the next offer finds out.
                Err(AppendError::Unavailable(_)) => backoff.wait().await,
                Err(AppendError::TooLarge { .. }) => break,
            }
        }
        self.known.lock().unwritten.insert(subject, ours);
        Err(paihao_ledger::Unavailable("the book did not take a door code".into()).into())
    }

    async fn ask(&self, door: &QueueDoor) -> Result<DoorCode, DoorError> {
        let scene = Scene::door(&door.site, &door.queue);
        let request = QrRequest::permanent_str(scene.clone());
        let code = self.source.make(&door.account, &request, Value::Normal).await?;
        count_made(&door.account, "door");
        let QueueDoor { account, appid, site, queue } = door.clone();
        let (qr_ticket, qr_url) = (code.ticket, code.url);
        Ok(DoorCode { account, appid, site, queue, scene, qr_ticket, qr_url })
    }

    async fn newest(&self, subject: &Subject) -> Result<Newest, DoorError> {
        let Some(recorded) = self.ledger.last(&BOOK, subject).await? else {
            return Ok(Newest { expect: Expect::Nothing, code: None });
        };
        let entry = BookEntry::decode(&recorded.entry.payload).ok_or(DoorError::Unreadable)?;
        let BookEvent::DoorCodeMade(code) = entry.event else { return Err(DoorError::Unreadable) };
        Ok(Newest { expect: Expect::At(recorded.position), code: Some(code) })
    }

    fn learnt(&self, subject: Subject, code: DoorCode) -> DoorCode {
        let mut known = self.known.lock();
        known.unwritten.remove(&subject);
        known.codes.insert(subject, code.clone());
        code
    }

    fn unwritten(&self, subject: &Subject) -> Option<DoorCode> {
        self.known.lock().unwritten.get(subject).cloned()
    }

    async fn follow(self: Arc<Self>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.tasks.stopping() {
            let after = self.known.lock().read;
            match self.ledger.follow(&BOOK, after).await {
                Ok(entries) => self.read(entries).await,
                Err(error) => tracing::warn!(%error, "cannot follow the book yet"),
            }
            backoff.wait_unless(self.tasks.stop()).await;
        }
    }

    async fn read(&self, mut entries: BoxStream<'static, Followed>) {
        let next = async |entries: &mut BoxStream<'static, Followed>| {
            self.tasks.stop().run_until_cancelled(entries.next()).await.flatten()
        };
        while let Some(followed) = next(&mut entries).await {
            let mut known = self.known.lock();
            let Followed::Entry(recorded) = followed else {
                tracing::warn!("the book was made anew: its door codes are gone");
                *known = Known::default();
                continue;
            };
            known.read = recorded.position;
            let Some(entry) = BookEntry::decode(&recorded.entry.payload) else { continue };
            let BookEvent::DoorCodeMade(code) = entry.event else { continue };
            let made = known.made.entry((code.account.clone(), code.appid.clone())).or_default();
            *made += 1;
            metrics::gauge!("paihao_gateway_door_codes", "account" => code.account.clone())
                .set(*made as f64);
            known.codes.insert(recorded.subject, code);
        }
    }
}
