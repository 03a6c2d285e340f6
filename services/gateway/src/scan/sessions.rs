//! Scan sessions: a browser shows a code and waits for the result of its scan.
//!
//! Sessions are in the cache, so that any replica can serve a browser. Their progress is read from
//! the ledger, which every replica follows, so that a browser can wait at another replica than the
//! one that WeChat's callback reached.

use crate::codec::record_mac::RecordMacs;
use crate::scan::codes::pool::{Pools, ReadyCode};
use crate::scan::codes::share::{CodeShareSettings, CodeShares, CodeWorth, ShareError};
use crate::scan::codes::{CodeSource, count_created};
use crate::scan::refused_scans::RefusedScanLog;
use crate::scan::scene::Scene;
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::clock::Clock;
use paihao_contracts::commit;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::session::{
    RefusedScan, ScanProgress, ScanPurpose, ScanSession, SessionTicket,
};
use paihao_contracts::streams;
use paihao_domain::{Decision, Event, Outcome, QueueState, TicketStatus};
use paihao_wechat::{AccountClientError, Picture, QrRequest};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// Time after its expiry for which a session is kept, so that it is reported as expired.
const EXPIRED_SESSION_RETENTION: Duration = Duration::from_secs(3600);

/// Validity of a login's code, which is scanned at once.
const LOGIN_CODE_TTL: Duration = Duration::from_secs(120);

/// Reason why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The session never existed, or ended long ago.
    #[error("there is no such session")]
    Unknown,
    /// The session's code no longer works.
    #[error("the session has expired")]
    Expired,
    /// The uuid belongs to a session with another purpose.
    #[error("the uuid is used for something else")]
    PurposeMismatch,
    /// The cache does not answer.
    #[error(transparent)]
    Cache(#[from] Unavailable),
    /// What strangers may have of the account's codes is used up for so long.
    #[error("the share of the account's codes for such requests is used up")]
    ShareUsedUp(Duration),
    /// WeChat created no code.
    #[error(transparent)]
    WeChat(#[from] AccountClientError),
}

/// Scan sessions of this deployment, and those that this replica watches.
pub struct ScanSessions {
    cache: Arc<dyn Cache>,
    code_source: Arc<dyn CodeSource>,
    pools: Arc<Pools>,
    clock: Arc<dyn Clock>,
    session_ttl: Duration,
    shares: CodeShares,
    /// Source of the MACs of sessions that decide logins; without it they have none.
    macs: Option<Arc<dyn RecordMacs>>,
    watchers: Mutex<HashMap<Uuid, watch::Sender<ScanProgress>>>,
    refused_scans: RefusedScanLog,
}

impl ScanSessions {
    /// Creates sessions whose codes work for `session_ttl`, as those in the pools do. The codes of
    /// strangers have no limit.
    pub fn new(
        cache: Arc<dyn Cache>,
        code_source: Arc<dyn CodeSource>,
        pools: Arc<Pools>,
        clock: Arc<dyn Clock>,
        session_ttl: Duration,
    ) -> Self {
        let shares = CodeShares::new(CodeShareSettings::default(), cache.clone(), clock.clone());
        let refused_scans = RefusedScanLog::new(cache.clone());
        ScanSessions {
            cache,
            code_source,
            pools,
            clock,
            session_ttl,
            shares,
            macs: None,
            watchers: Mutex::default(),
            refused_scans,
        }
    }

    /// Limits the codes of strangers to these shares of a day.
    #[must_use]
    pub fn with_shares(self, settings: CodeShareSettings) -> Self {
        let shares = CodeShares::new(settings, self.cache.clone(), self.clock.clone());
        ScanSessions { shares, ..self }
    }

    /// Authenticates the sessions that decide logins.
    #[must_use]
    pub(crate) fn with_macs(self, macs: Arc<dyn RecordMacs>) -> Self {
        ScanSessions { macs: Some(macs), ..self }
    }

    /// Creates a session for somebody who is not known, or finds the one that has this uuid.
    pub async fn open(
        &self,
        uuid: Uuid,
        account: &str,
        purpose: ScanPurpose,
    ) -> Result<ScanSession, SessionError> {
        let worth = CodeWorth::of_public(&purpose);
        self.open_as(worth, uuid, account, purpose).await
    }

    /// Creates a session with a code of this worth, or finds the one that has this uuid.
    pub async fn open_as(
        &self,
        worth: CodeWorth,
        uuid: Uuid,
        account: &str,
        purpose: ScanPurpose,
    ) -> Result<ScanSession, SessionError> {
        match self.find(uuid).await {
            Ok(session) if session.purpose == purpose => return Ok(session),
            Ok(_) => return Err(SessionError::PurposeMismatch),
            Err(SessionError::Unknown) => {}
            Err(error) => return Err(error),
        }
        let daily_limit = self.code_source.daily_limit(account);
        self.shares.admit(account, worth, daily_limit).await?;
        let ReadyCode { scene, ticket, url, expires_at } = match self.pools.pop(account) {
            Some(ready) => ready,
            None => self.create_code(account, worth).await?,
        };
        let now = self.clock.now_ms();
        // A code of the pool works longer than its session.
        let ttl = match purpose {
            ScanPurpose::Login(_) => LOGIN_CODE_TTL.min(self.session_ttl),
            ScanPurpose::Ticket { .. } | ScanPurpose::Invitation(_) => self.session_ttl,
        };
        let expires_at = expires_at.min(now + ttl.as_millis() as i64);
        let session = ScanSession {
            v: 1,
            purpose,
            scene,
            qr_ticket: ticket,
            qr_url: url,
            expires_at,
            progress: ScanProgress::Pending,
            refused: None,
        };
        let lifetime = Duration::from_millis((expires_at - now).max(0) as u64);
        let key = streams::scan_session_key(&uuid.to_string());
        let ttl = lifetime + EXPIRED_SESSION_RETENTION;
        let uuid_bytes = Bytes::from(uuid.to_string());
        self.cache.put(&streams::scene_key(&session.scene), uuid_bytes, ttl).await?;
        let record = self.encode(&key, &session).await?;
        if self.cache.put_if_absent(&key, record, ttl).await? {
            Ok(session)
        } else {
            self.find(uuid).await
        }
    }

    /// Creates a code for a new session.
    async fn create_code(
        &self,
        account: &str,
        worth: CodeWorth,
    ) -> Result<ReadyCode, SessionError> {
        let scene = Scene::new_session();
        let request = QrRequest::temporary_str(scene.clone(), self.session_ttl);
        let code = self.code_source.create(account, &request, worth.priority()).await?;
        count_created(account, "session");
        let lifetime = code.expires_in.unwrap_or(self.session_ttl).min(self.session_ttl);
        let expires_at = self.clock.now_ms() + lifetime.as_millis() as i64;
        Ok(ReadyCode { scene, ticket: code.ticket, url: code.url, expires_at })
    }

    /// Returns the session of a uuid, as long as its code works.
    pub async fn find(&self, uuid: Uuid) -> Result<ScanSession, SessionError> {
        let key = streams::scan_session_key(&uuid.to_string());
        let stored = self.cache.get(&key).await?;
        let session = self.decode(&key, &stored.ok_or(SessionError::Unknown)?).await?;
        if session.expires_at <= self.clock.now_ms() {
            Err(SessionError::Expired)
        } else {
            Ok(session)
        }
    }

    /// Returns the session that a scanned scene belongs to.
    pub async fn by_scene(&self, scene: &str) -> Result<(Uuid, ScanSession), SessionError> {
        let stored = self.cache.get(&streams::scene_key(scene)).await?;
        let uuid = stored.and_then(|bytes| Uuid::try_parse_ascii(&bytes).ok());
        let uuid = uuid.ok_or(SessionError::Unknown)?;
        let session = self.find(uuid).await?;
        if session.scene == scene { Ok((uuid, session)) } else { Err(SessionError::Unknown) }
    }

    /// Fetches WeChat's own picture of a session's code.
    pub async fn picture(&self, session: &ScanSession) -> Result<Picture, SessionError> {
        Ok(self.code_source.picture(&session.qr_ticket).await?)
    }

    /// Time until the session expires; no longer than a new one lasts, whatever clock wrote it.
    fn remaining(&self, session: &ScanSession, now_ms: i64) -> Duration {
        let remaining_ms = session.expires_at.saturating_sub(now_ms).max(0) as u64;
        Duration::from_millis(remaining_ms).min(self.session_ttl)
    }

    /// Stores the progress of a session, for browsers that come back later.
    pub async fn store_progress(&self, uuid: Uuid, mut session: ScanSession, outcome: &Outcome) {
        let Some(ticket) = session_ticket(outcome) else { return };
        session.progress = ScanProgress::Ticket(ticket);
        let remaining = self.remaining(&session, self.clock.now_ms());
        let ttl = remaining + EXPIRED_SESSION_RETENTION;
        let key = streams::scan_session_key(&uuid.to_string());
        let stored = async {
            let record = self.encode(&key, &session).await?;
            Ok::<_, SessionError>(self.cache.put(&key, record, ttl).await?)
        };
        if let Err(error) = stored.await {
            tracing::warn!(%error, "cannot store the progress of a scan session");
        }
    }

    /// Stores that somebody who scanned got no number, so that the page tells it: in the session
    /// for a page that comes later, and for those that wait. The code works on.
    pub async fn store_refusal(&self, uuid: Uuid, mut session: ScanSession, refused: RefusedScan) {
        session.refused = Some(refused.clone());
        let ttl = self.remaining(&session, self.clock.now_ms()) + EXPIRED_SESSION_RETENTION;
        let key = streams::scan_session_key(&uuid.to_string());
        let stored = async {
            let record = self.encode(&key, &session).await?;
            self.cache.put(&key, record, ttl).await?;
            Ok::<_, SessionError>(self.refused_scans.add(uuid, refused).await?)
        };
        if let Err(error) = stored.await {
            tracing::warn!(%error, "cannot store that a scan was refused");
        }
    }

    /// Returns the newest scan of a session that got no number lately.
    pub(super) async fn newest_refusal(&self, uuid: Uuid) -> Option<RefusedScan> {
        self.refused_scans.newest(uuid).await
    }

    /// Advances a session to the progress that `next` returns for its current state, if any, and
    /// returns the session after it. Concurrent callers see each other's changes.
    pub async fn advance(
        &self,
        uuid: Uuid,
        mut next: impl FnMut(&mut ScanSession) -> Option<ScanProgress>,
    ) -> Result<ScanSession, SessionError> {
        let key = streams::scan_session_key(&uuid.to_string());
        let mut stored = self.cache.get(&key).await?;
        loop {
            let Some(current) = stored else { return Err(SessionError::Unknown) };
            let before = self.decode(&key, &current).await?;
            let mut session = before.clone();
            let now = self.clock.now_ms();
            if session.expires_at <= now {
                return Err(SessionError::Expired);
            }
            let Some(progress) = next(&mut session) else { return Ok(before) };
            session.progress = progress;
            // Personal data is not kept to tell that it has expired.
            let is_personal = session.progress.has_unionid();
            let retention = if is_personal { Duration::ZERO } else { EXPIRED_SESSION_RETENTION };
            let ttl = self.remaining(&session, now) + retention;
            let record = self.encode(&key, &session).await?;
            match self.cache.compare_and_set(&key, Some(&current), record, ttl).await? {
                CasOutcome::Swapped => return Ok(session),
                CasOutcome::Mismatch(newer) => stored = newer,
            }
        }
    }

    /// Encodes a session, with a MAC if it decides a login.
    async fn encode(&self, key: &str, session: &ScanSession) -> Result<Bytes, SessionError> {
        let record = serde_json::to_vec(session).expect("a session has string keys only");
        match &self.macs {
            Some(macs) if decides_login(session) => Ok(macs.current().await?.sign(key, &record)),
            _ => Ok(record.into()),
        }
    }

    /// Decodes a session. One that decides a login and that no gateway wrote is none.
    async fn decode(&self, key: &str, stored: &[u8]) -> Result<ScanSession, SessionError> {
        let session = decode(stored)?;
        if let Some(macs) = self.macs.as_ref().filter(|_| decides_login(&session))
            && !macs.current().await?.accepts(key, stored)
        {
            tracing::warn!("a login in the cache was not written by a gateway of this deployment");
            return Err(SessionError::Unknown);
        }
        Ok(session)
    }

    /// Observes a decision, and wakes the watchers of the session that it came through.
    pub fn observe(&self, decision: &Decision) {
        for event in &decision.events {
            let (Event::TicketTaken { scan_session, .. } | Event::TicketShown { scan_session, .. }) =
                event
            else {
                continue;
            };
            let uuid = scan_session.as_ref().and_then(|via| Uuid::try_parse(via.as_str()).ok());
            let watchers = self.watchers.lock();
            let Some(sender) = uuid.and_then(|uuid| watchers.get(&uuid)) else { continue };
            if let Some(ticket) = session_ticket(&decision.outcome) {
                sender.send_replace(ScanProgress::Ticket(ticket));
            }
        }
    }

    /// Watches a session from `progress` on.
    pub fn watch(self: &Arc<Self>, uuid: Uuid, progress: ScanProgress) -> ProgressWatch {
        let mut watchers = self.watchers.lock();
        let sender = watchers.entry(uuid).or_insert_with(|| watch::Sender::new(progress));
        ProgressWatch { progress: sender.subscribe(), uuid, sessions: self.clone() }
    }
}

/// Watcher of a session, for one browser.
pub struct ProgressWatch {
    /// Progress of the session.
    pub progress: watch::Receiver<ScanProgress>,
    uuid: Uuid,
    sessions: Arc<ScanSessions>,
}

impl Drop for ProgressWatch {
    fn drop(&mut self) {
        let mut watchers = self.sessions.watchers.lock();
        // This receiver is still counted.
        if watchers.get(&self.uuid).is_some_and(|sender| sender.receiver_count() <= 1) {
            watchers.remove(&self.uuid);
        }
    }
}

/// Ticket of an outcome, as the browser shows it.
fn session_ticket(outcome: &Outcome) -> Option<SessionTicket> {
    let Outcome::Holding { number, queue, standing, .. } = outcome else { return None };
    let estimate = standing.wait.and_then(|wait| wait.estimate);
    let state = match standing.status() {
        TicketStatus::Waiting => None,
        TicketStatus::Called => Some(commit::TicketStatus::Called),
        TicketStatus::Serving => Some(commit::TicketStatus::Serving),
        TicketStatus::Held => Some(commit::TicketStatus::Held),
        TicketStatus::Missed => Some(commit::TicketStatus::Missed),
        TicketStatus::Done => Some(commit::TicketStatus::Done),
        TicketStatus::Closed => Some(commit::TicketStatus::Closed),
    };
    let queue_state = match standing.queue_state {
        QueueState::Open => None,
        QueueState::Paused => Some(commit::QueueState::Paused),
        QueueState::Halted => Some(commit::QueueState::Halted),
        QueueState::Closed => Some(commit::QueueState::Closed),
    };
    Some(SessionTicket {
        number: number.to_string(),
        queue: queue.as_str().to_owned(),
        ahead: standing.ahead(),
        minutes: estimate.map(|estimate| (estimate.low, estimate.high)),
        state,
        queue_state,
        counter: standing.counter().map(|counter| counter.as_str().to_owned()),
    })
}

/// True for a session whose result lets somebody in.
fn decides_login(session: &ScanSession) -> bool {
    !matches!(session.purpose, ScanPurpose::Ticket { .. })
}

impl From<ShareError> for SessionError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::UsedUp(wait) => SessionError::ShareUsedUp(wait),
            ShareError::Cache(error) => SessionError::Cache(error),
        }
    }
}

/// Decodes a session. One of a newer replica is there, and can be had from that replica.
fn decode(stored: &[u8]) -> Result<ScanSession, SessionError> {
    envelope::decode(stored).map_err(|error| match error {
        ReadError::Newer(newer) => Unavailable(newer.to_string()).into(),
        ReadError::Malformed(_) => SessionError::Unknown,
    })
}
