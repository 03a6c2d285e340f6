//! Every stream, work queue, consumer and cache key of the system, named in this one place.
//!
//! A store puts its own namespace in front (`paihao` unless configured), so that several
//! deployments, or several tests, can share one server.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A log: entries under subjects, kept for a while, read by following or by shared consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Lower-case letters, digits and `-`.
    pub name: &'static str,
    /// How long an entry is kept after it was appended; `None` is for ever.
    pub retention: Option<Duration>,
}

/// A work queue: each message goes to one worker and is kept until that worker is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkQueue {
    /// Lower-case letters, digits and `-`.
    pub name: &'static str,
    /// A delivery neither finished nor extended for this long is handed out again.
    pub ack_wait: Duration,
}

/// A shared reader of a log: its members divide the entries among themselves and the store
/// remembers, under this name, which of them are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumer {
    /// Lower-case letters, digits and `-`.
    pub name: &'static str,
    /// A delivery not finished for this long is handed out again.
    pub ack_wait: Duration,
}

/// The decisions of every site, the only truth about the lines. Subject: account, site.
pub const LEDGER: Log = Log { name: "ledger", retention: Some(Duration::from_secs(72 * 3600)) };

/// What is kept for ever, such as the permanent codes at the doors of queues. Subject of a door code:
/// account, site, `door`, queue; of a site's set-up: `site`, its id; of an account's: `account`, its
/// name.
pub const SETTINGS: Log = Log { name: "book", retention: None };

/// Who works here. One subject: each entry is decided on all before it.
pub const STAFF: Log = Log { name: "staff", retention: None };

/// Browsers that staff are logged in with. Subject: the session's id. Kept for longer than any
/// session lasts.
pub const STAFF_SESSIONS: Log =
    Log { name: "staff-sessions", retention: Some(Duration::from_secs(31 * 24 * 3600)) };

/// What became of each notice: under which channel it is being sent, its one end, and WeChat's
/// receipts. Subject: account, hash of the notice key.
pub const OUTCOMES: Log = Log { name: "outcomes", retention: Some(Duration::from_secs(72 * 3600)) };

/// What is left of visits that have ended, without a name. Subject: account, site. A store may be
/// told to keep it for longer or shorter than this, 400 days.
pub const HISTORY: Log =
    Log { name: "history", retention: Some(Duration::from_secs(400 * 24 * 3600)) };

/// What could not be done, with the reason. Subject: the work queue or log it came from. It holds what
/// it was made of, a person's openid included, and so is kept no longer than the ledger. What was done
/// with a letter stands beside it: `handled`, the letter's position.
pub const DEAD_LETTERS: Log = Log { name: "dead-letters", retention: LEDGER.retention };

/// Messages waiting to be sent to WeChat. Key: the notice key.
pub const NOTICES: WorkQueue = WorkQueue { name: "notices", ack_wait: Duration::from_secs(30) };

/// Access tokens that WeChat refused, reported by those who used them. Key: the token's fingerprint.
pub const REFUSED_TOKENS: WorkQueue =
    WorkQueue { name: "refused-tokens", ack_wait: Duration::from_secs(30) };

/// What WeChat said became of messages, until each is matched to its notice. Key: the push's identity.
pub const RECEIPTS: WorkQueue = WorkQueue { name: "receipts", ack_wait: Duration::from_secs(30) };

/// Events waiting to be sent to the owner's other systems. Key: the webhook, the event's id.
pub const WEBHOOKS: WorkQueue = WorkQueue { name: "webhooks", ack_wait: Duration::from_secs(30) };

/// The notifier's planner: turns commits into notices.
pub const PLANNER: Consumer = Consumer { name: "planner", ack_wait: Duration::from_secs(30) };

/// The notifier's planner of webhooks: turns commits into messages for the owner's other systems.
pub const WEBHOOK_PLANNER: Consumer =
    Consumer { name: "webhook-planner", ack_wait: Duration::from_secs(30) };

/// The notifier's historian: writes into the history what commits say of visits.
pub const VISIT_WRITER: Consumer =
    Consumer { name: "historian", ack_wait: Duration::from_secs(30) };
/// The notifier's redriver: tries dead letters again when somebody has said so.
pub const REDRIVER: Consumer = Consumer { name: "redriver", ack_wait: Duration::from_secs(30) };

/// Every log, for those who ensure that all of them exist.
pub const LOGS: [Log; 7] =
    [LEDGER, SETTINGS, STAFF, STAFF_SESSIONS, OUTCOMES, HISTORY, DEAD_LETTERS];

/// Every work queue, likewise.
pub const WORK_QUEUES: [WorkQueue; 4] = [NOTICES, REFUSED_TOKENS, RECEIPTS, WEBHOOKS];

/// How long the cache remembers who claimed a notice: longer than WeChat remembers a
/// `client_msg_id` (10 minutes) and longer than a notice stays true.
pub const ATTEMPT_LEASE_TTL: Duration = HOUR;

/// How long the cache remembers the order of what is said about a ticket: longer than anything about
/// a business day is worth saying.
pub const TICKET_ORDER_TTL: Duration = Duration::from_secs(24 * 3600);

/// How long the cache remembers which messages a person was sent lately: longer than a receipt is
/// waited for.
pub const SENT_INDEX_TTL: Duration = HOUR;

/// Cache key of an account's access token record.
pub fn access_token_key(account: &str) -> String {
    format!("token/{account}")
}

/// Name of the lease under which an account's token is fetched.
pub fn token_lease(account: &str) -> String {
    format!("token-keeper/{account}")
}

/// Name of the lease under which the permanent code of a queue's door is made.
pub fn permanent_code_lease(account: &str, site: &str, queue: &str) -> String {
    format!("door-code/{account}/{site}/{queue}")
}

/// Cache key of a scan session, by the uuid its browser knows.
pub fn scan_session_key(uuid: &str) -> String {
    format!("session/{uuid}")
}

/// Cache key that leads from the scene inside a QR code to its scan session.
pub fn scene_key(scene: &str) -> String {
    format!("scene/{scene}")
}

/// Cache key of the login that somebody was asked about last on their phone, by their hash.
pub fn login_prompt_key(account: &str, person: &str) -> String {
    format!("login-asked/{account}/{person}")
}

/// Cache key of what an authorisation code stands for, by a hash of the code.
pub fn authorization_code_key(code: &str) -> String {
    format!("login-grant/{code}")
}

/// Cache key of a wish that webhooks be told again, by a hash of the wish.
pub fn webhook_replay_key(wish: &str) -> String {
    format!("webhook-replay/{wish}")
}

/// Cache key of the claim on a notice.
pub fn attempt_lease_key(notice_key: &str) -> String {
    format!("claim/{notice_key}")
}

/// Cache key of the order of what is said about one ticket, by what its notices' keys have in common.
pub fn ticket_order_key(thread: &str) -> String {
    format!("thread/{thread}")
}

/// Cache key of the free texts that something a person did allows, by a tag of the person.
pub fn send_window_key(account: &str, person: &str, window: &str) -> String {
    format!("allowance/{account}/{person}/{window}")
}

/// Cache key of the messages that a person was sent lately, by a tag of the person.
pub fn sent_index_key(account: &str, person: &str) -> String {
    format!("sent/{account}/{person}")
}
