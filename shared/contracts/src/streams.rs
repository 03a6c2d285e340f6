//! Names of every stream, work queue, consumer and cache key of the system.
//!
//! A store prefixes its own namespace (`paihao` unless configured), so that several deployments, or
//! several tests, can share one server.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A log: entries under subjects, kept for a limited time or for ever, and read by followers or
/// shared consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Name of lower-case letters, digits and `-`.
    pub name: &'static str,
    /// Retention of an entry after it was appended; `None` is for ever.
    pub retention: Option<Duration>,
    /// Entries of a subject that are kept within the retention.
    pub keep: Keep,
}

/// Entries of a subject that a log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every entry.
    All,
    /// The newest entry: an append removes the one before it.
    Newest,
}

impl Log {
    /// Log that keeps every entry for ever.
    pub const fn permanent(name: &'static str) -> Log {
        Log { name, retention: None, keep: Keep::All }
    }

    /// Log that keeps every entry for this time.
    pub const fn kept_for(name: &'static str, retention: Duration) -> Log {
        Log { name, retention: Some(retention), keep: Keep::All }
    }

    /// Name that the log has in a ledger of one partition: `ledger` for `ledger-2`.
    pub fn family(&self) -> &'static str {
        let (family, number) = self.name.rsplit_once('-').unwrap_or((self.name, ""));
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if is_number { family } else { self.name }
    }
}

/// A work queue: each message goes to one worker and is kept until that worker acknowledges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkQueue {
    /// Name of lower-case letters, digits and `-`.
    pub name: &'static str,
    /// Time after which a delivery that was neither acknowledged nor extended is delivered again.
    pub ack_wait: Duration,
}

/// A shared consumer of a log: its members divide the entries among themselves. The store keeps the
/// acknowledged positions under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumer {
    /// Name of lower-case letters, digits and `-`.
    pub name: &'static str,
    /// Time after which a delivery that was not acknowledged is delivered again.
    pub ack_wait: Duration,
    /// Time for which a store may gather entries, to write their deliveries and acknowledgements
    /// together. Zero if each entry is wanted at once.
    pub gather: Duration,
}

impl Consumer {
    /// Consumer to which each entry is delivered at once.
    pub const fn prompt(name: &'static str, ack_wait: Duration) -> Consumer {
        Consumer { name, ack_wait, gather: Duration::ZERO }
    }
}

/// Time after which a delivery of a consumer of ours is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// Decisions of every site: the source of truth of the lines. Subject: account, site. A ledger in
/// several [`partitions`](crate::partitions) has one such log for each.
pub const LEDGER: Log = Log::kept_for("ledger", Duration::from_secs(72 * 3600));

/// Snapshots of the sites, so that the retention of the ledger does not decide what a site is.
/// Subject of a snapshot: account, site; of the position up to which snapshots cover the ledger:
/// [`SNAPSHOT_FLOOR`].
pub const SNAPSHOTS: Log = Log { name: "snapshots", retention: None, keep: Keep::Newest };

/// Subject of the floor of the snapshots. It has one part, that of a site has two.
pub const SNAPSHOT_FLOOR: &str = "floor";

/// Settings documents and permanent codes. Subject of a code: account, site, `door`, queue; of a
/// site's settings: `site`, its id; of an account's: `account`, its name; of its credentials:
/// `credentials`, its name.
pub const SETTINGS: Log = Log::permanent("book");

/// Staff roster. It has one subject: each entry is decided on all entries before it.
pub const STAFF: Log = Log::permanent("staff");

/// Logged-in browsers of staff. Subject: id of the session. The retention exceeds the longest
/// session.
pub const STAFF_SESSIONS: Log =
    Log::kept_for("staff-sessions", Duration::from_secs(31 * 24 * 3600));

/// Outcomes of notices. Subject of announced attempts and of the one outcome: account, hash of the
/// ticket. Subject of WeChat's receipts, and of attempts and outcomes that former versions
/// recorded: account, hash of the notice key.
pub const OUTCOMES: Log = Log::kept_for("outcomes", Duration::from_secs(72 * 3600));

/// Records of visits that have ended, without persons. Subject: account, site. A store may be
/// configured to keep them for longer or shorter than these 400 days.
pub const HISTORY: Log = Log::kept_for("history", Duration::from_secs(400 * 24 * 3600));

/// Failed work with its reason. Subject: the work queue or log that it came from; of a notice that
/// has an outcome also the hash of its key, so that there is one letter. A dead letter holds its
/// source, with a person's openid, and so is kept no longer than the ledger. Handling records have
/// the subject `handled`, position of the letter.
pub const DEAD_LETTERS: Log = Log { name: "dead-letters", ..LEDGER };

/// Notices to be sent to WeChat. Key: key of the notice.
pub const NOTICES: WorkQueue = WorkQueue { name: "notices", ack_wait: Duration::from_secs(30) };

/// Reports of access tokens that WeChat refused. Key: fingerprint of the token.
pub const REFUSED_TOKENS: WorkQueue =
    WorkQueue { name: "refused-tokens", ack_wait: Duration::from_secs(30) };

/// WeChat's receipts, until each is matched to its notice. Key: identity of the push.
pub const RECEIPTS: WorkQueue = WorkQueue { name: "receipts", ack_wait: Duration::from_secs(30) };

/// Events to be sent to the owner's other systems. Key: the webhook, id of the event.
pub const WEBHOOKS: WorkQueue = WorkQueue { name: "webhooks", ack_wait: Duration::from_secs(30) };

/// People who no longer follow and are still to be erased from the cache. Key: the account,
/// pseudonym of the person, time.
pub const ERASURES: WorkQueue = WorkQueue { name: "erasures", ack_wait: Duration::from_secs(30) };

/// Consumer of the notifier that plans notices from commits.
pub const PLANNER: Consumer = Consumer::prompt("planner", ACK_WAIT);

/// Consumer of the notifier that plans webhook messages from commits.
pub const WEBHOOK_PLANNER: Consumer = Consumer {
    gather: Duration::from_millis(200),
    ..Consumer::prompt("webhook-planner", ACK_WAIT)
};

/// Consumer of the notifier that writes visit records into the history.
pub const VISIT_WRITER: Consumer =
    Consumer { gather: Duration::from_secs(1), ..Consumer::prompt("historian", ACK_WAIT) };

/// Consumer of the notifier that retries dead letters on request.
pub const REDRIVER: Consumer =
    Consumer { gather: Duration::from_secs(1), ..Consumer::prompt("redriver", ACK_WAIT) };

/// Consumer of the gateway that finds people who no longer follow, in WeChat's refusals.
pub const UNFOLLOW_FINDER: Consumer =
    Consumer { gather: Duration::from_secs(2), ..Consumer::prompt("unfollow-finder", ACK_WAIT) };

/// All logs of a ledger in one partition; [`Partitions::logs`](crate::partitions::Partitions::logs)
/// has those of any number.
pub const LOGS: [Log; 8] =
    [LEDGER, SNAPSHOTS, SETTINGS, STAFF, STAFF_SESSIONS, OUTCOMES, HISTORY, DEAD_LETTERS];

/// All shared consumers of a ledger in one partition, with their logs.
pub const CONSUMERS: [(Log, Consumer); 5] = [
    (LEDGER, PLANNER),
    (LEDGER, WEBHOOK_PLANNER),
    (LEDGER, VISIT_WRITER),
    (DEAD_LETTERS, REDRIVER),
    (OUTCOMES, UNFOLLOW_FINDER),
];

/// All work queues, for their creation at startup.
pub const WORK_QUEUES: [WorkQueue; 5] = [NOTICES, REFUSED_TOKENS, RECEIPTS, WEBHOOKS, ERASURES];

/// Lifetime of a ticket's newest planned notice in the cache: longer than any notice of a business
/// day is valid.
pub const PLANNED_ORDER_TTL: Duration = Duration::from_secs(24 * 3600);

/// Lifetime of the index of messages sent to a person in the cache: longer than the wait for a
/// receipt.
pub const SENT_INDEX_TTL: Duration = HOUR;

/// Time for which the cache remembers that there is a ledger; each start renews it.
pub const LEDGER_MARKER_TTL: Duration = Duration::from_secs(365 * 24 * 3600);

/// Returns the key under which the cache remembers that this namespace has a ledger.
pub fn ledger_marker_key(namespace: &str) -> String {
    format!("ledger/{namespace}")
}

/// Cache key of an account's access token record.
pub fn access_token_key(account: &str) -> String {
    format!("token/{account}")
}

/// Cache key of the newest failure to fetch an account's token.
pub fn token_failure_key(account: &str) -> String {
    format!("token-failure/{account}")
}

/// Name of the lease for fetching an account's token.
pub fn token_lease(account: &str) -> String {
    format!("token-keeper/{account}")
}

/// Name of the lease for creating the permanent code of a queue.
pub fn permanent_code_lease(account: &str, site: &str, queue: &str) -> String {
    format!("door-code/{account}/{site}/{queue}")
}

/// Cache key of the count of an account's codes for those who are not known, by the share's name.
pub fn code_share_key(account: &str, share: &str) -> String {
    format!("code-share/{account}/{share}")
}

/// Cache key of a scan session, by the uuid that its browser has.
pub fn scan_session_key(uuid: &str) -> String {
    format!("session/{uuid}")
}

/// Cache key of the newest scans of sessions that got no number.
pub fn refused_scans_key() -> &'static str {
    "refused-scans"
}

/// Cache key from the scene inside a QR code to its scan session.
pub fn scene_key(scene: &str) -> String {
    format!("scene/{scene}")
}

/// Cache key of a test of a template, by the uuid that its page has.
pub fn template_test_key(uuid: &str) -> String {
    format!("template-test/{uuid}")
}

/// Cache key from the scene inside a QR code to the test of a template.
pub fn template_test_scene_key(scene: &str) -> String {
    format!("template-test-scene/{scene}")
}

/// Cache key of the tests of an account's templates that are under way.
pub fn template_tests_key(account: &str) -> String {
    format!("template-tests/{account}")
}

/// Cache key of a person's latest login prompt, by hash of the person.
pub fn login_prompt_key(account: &str, person: &str) -> String {
    format!("login-asked/{account}/{person}")
}

/// Cache key of the index of invitations that are open.
pub fn open_invitations_key() -> &'static str {
    "invitations"
}

/// Cache key of a kiosk's request to be paired, by the code that it shows.
pub fn kiosk_pairing_key(code: &str) -> String {
    format!("kiosk-pairing/{code}")
}

/// Cache key of an authorization grant, by hash of the code.
pub fn authorization_code_key(code: &str) -> String {
    format!("login-grant/{code}")
}

/// Cache key of the recent deliveries to a webhook.
pub fn webhook_deliveries_key(hook: &str) -> String {
    format!("webhook-deliveries/{hook}")
}

/// Cache key of a request to replay webhooks, by hash of the request.
pub fn webhook_replay_key(request_hash: &str) -> String {
    format!("webhook-replay/{request_hash}")
}

/// Cache key of the lease on a notice, which former versions took.
pub fn former_lease_key(notice_key: &str) -> String {
    format!("claim/{notice_key}")
}

/// Cache key of the newest planned notice of a ticket, by the common prefix of its notices' keys.
/// Former versions kept the order of the ticket there.
pub fn planned_order_key(ticket_prefix: &str) -> String {
    format!("thread/{ticket_prefix}")
}

/// Cache key of an open send window, by tag of the person.
pub fn send_window_key(account: &str, person: &str, window: &str) -> String {
    format!("allowance/{account}/{person}/{window}")
}

/// Cache key of the people of an account who are to be erased once the ledger is back.
pub fn erasures_key(account: &str) -> String {
    format!("erasures/{account}")
}

/// Cache key of the faults of an account's callbacks, counted over all gateways.
pub fn callback_faults_key(account: &str) -> String {
    format!("callback-faults/{account}")
}

/// Cache key of the newest verification of the address of an account's callbacks.
pub fn callback_verification_key(account: &str) -> String {
    format!("callback-verified/{account}")
}

/// Cache key of the messages that were sent to a person lately, by tag of the person.
pub fn sent_index_key(account: &str, person: &str) -> String {
    format!("sent/{account}/{person}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_to_personal_data_has_every_store_with_its_retention() {
        let guide = include_str!("../../../docs/guide/privacy.md");
        let (chinese, english) = guide.split_once("## In English").unwrap();
        for (text, [hours, days]) in [(chinese, ["小时", "天"]), (english, ["hours", "days"])] {
            let row = |name: &str| {
                let named = format!("`{name}`");
                let row = text.lines().find(|line| line.starts_with('|') && line.contains(&named));
                row.unwrap_or_else(|| panic!("docs/guide/privacy.md has no row of {named}"))
            };
            for log in LOGS {
                let Some(retention) = log.retention else { continue };
                let count = retention.as_secs() / 3600;
                let kept = match count {
                    0..=72 => format!("{count} {hours}"),
                    _ => format!("{} {days}", count / 24),
                };
                assert!(row(log.name).contains(&kept), "{}: {kept}", log.name);
            }
            assert!(WORK_QUEUES.iter().all(|queue| !row(queue.name).is_empty()));
        }
    }
}
