//! Sample notices of each kind, for previews and for checks of their length.

use paihao_contracts::commit::{
    HoldNotice, NewReturnCause, Number, QueueEnd, QuotedWait, RemovalNotice, ReturnCause,
    ReturnDetail,
};
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_contracts::settings::SiteSetup;
use std::sync::Arc;

/// Kinds of notice that a site may override, by name of the trigger, with the account's kind.
pub const SITE_NOTICE_KINDS: [(&str, &str); 13] = [
    ("near", "progress"),
    ("next", "progress"),
    ("called", "called"),
    ("recalled", "called"),
    ("missed", "missed"),
    ("returned", "progress"),
    ("slipped", "progress"),
    ("halted", "progress"),
    ("queue_closed", "progress"),
    ("reopened", "progress"),
    ("held", "progress"),
    ("removed", "progress"),
    ("cleared", "progress"),
];

/// The account's kind for a kind of trigger.
pub fn account_kind(kind: &str) -> Option<&'static str> {
    SITE_NOTICE_KINDS.iter().find(|(name, _)| *name == kind).map(|(_, group)| *group)
}

/// The site's kind of a notice.
pub fn site_kind(notice: &Notice) -> &'static str {
    match &notice.content {
        NoticeContent::Near { .. } => "near",
        NoticeContent::Next { .. } => "next",
        NoticeContent::Called { .. } => "called",
        NoticeContent::Recalled { .. } => "recalled",
        NoticeContent::Missed { .. } => "missed",
        NoticeContent::Returned { detail, .. } => match detail.because {
            Some(NewReturnCause::Reopened) => "reopened",
            Some(
                NewReturnCause::Resumed | NewReturnCause::Restored | NewReturnCause::Prioritised,
            )
            | None => "returned",
        },
        NoticeContent::Slipped { .. } => "slipped",
        NoticeContent::Halted { hold: None, .. } => "halted",
        NoticeContent::Halted { hold: Some(_), .. } => "held",
        NoticeContent::QueueClosed { removed: Some(_), .. } => "removed",
        NoticeContent::QueueClosed { end: Some(QueueEnd::Cleared), removed: None } => "cleared",
        NoticeContent::QueueClosed { .. } => "queue_closed",
    }
}

/// Names that appear in a sample.
#[derive(Debug, Clone)]
pub struct SampleContext {
    /// Name of the account.
    pub account: Arc<str>,
    /// Id of the site.
    pub site: String,
    /// Name of the site.
    pub site_name: Arc<str>,
    /// Time zone of the site.
    pub zone: Arc<str>,
    /// Name of a queue.
    pub queue_name: Arc<str>,
    /// Prefix of the queue.
    pub prefix: Arc<str>,
    /// Name of a counter.
    pub counter_name: Arc<str>,
    /// Time of the notice, in Unix milliseconds.
    pub at: i64,
}

impl SampleContext {
    /// The names of a site, of its first queue and of its first counter.
    pub(crate) fn of_site(self, id: &str, site: &SiteSetup) -> SampleContext {
        let queue = site.queues.values().next();
        let counter = site.counters.values().next();
        SampleContext {
            account: site.account.as_str().into(),
            site: id.to_owned(),
            site_name: site.name.as_str().into(),
            zone: site.time_zone.as_str().into(),
            queue_name: queue.map_or(self.queue_name, |queue| queue.name.as_str().into()),
            prefix: queue.map_or(self.prefix, |queue| queue.prefix.as_str().into()),
            counter_name: counter.map_or(self.counter_name, |counter| counter.name.as_str().into()),
            at: self.at,
        }
    }
}

/// Names of a usual length.
pub(crate) fn usual_context() -> SampleContext {
    SampleContext {
        account: "shop".into(),
        site: "hall".into(),
        site_name: "城南大厅".into(),
        zone: "Asia/Shanghai".into(),
        queue_name: "存取款".into(),
        prefix: "A".into(),
        counter_name: "3号窗口".into(),
        at: 1_795_384_474_775,
    }
}

/// Returns a notice of this kind; `None` for an unknown kind.
pub fn notice(kind: &str, context: &SampleContext) -> Option<Notice> {
    let quoted = QuotedWait { ahead: 3, minutes: Some((15, 25)), cold: false };
    let without_minutes = QuotedWait { minutes: None, ..quoted };
    let counter_name = || context.counter_name.clone();
    let content = match kind {
        "near" => NoticeContent::Near { quoted },
        "next" => NoticeContent::Next {
            quoted: QuotedWait { ahead: 0, minutes: Some((0, 5)), cold: false },
        },
        "called" => NoticeContent::Called { counter_name: counter_name(), call: 1 },
        "recalled" => NoticeContent::Recalled { counter_name: counter_name(), call: 2 },
        "missed" => {
            NoticeContent::Missed { until: Some(context.at + 30 * 60_000), places: Some(3) }
        }
        "returned" | "reopened" => NoticeContent::Returned {
            cause: ReturnCause::Return,
            quoted,
            detail: ReturnDetail {
                because: (kind == "reopened").then_some(NewReturnCause::Reopened),
                ..ReturnDetail::default()
            },
        },
        "slipped" => NoticeContent::Slipped {
            quoted: QuotedWait { ahead: 9, minutes: Some((35, 50)), cold: false },
        },
        "halted" => NoticeContent::Halted { quoted: without_minutes, hold: None },
        "held" => NoticeContent::Halted {
            quoted: without_minutes,
            hold: Some(HoldNotice { suspended: false, reason: "去补材料".into(), until: None }),
        },
        "queue_closed" => NoticeContent::QueueClosed { end: None, removed: None },
        "cleared" => NoticeContent::QueueClosed { end: Some(QueueEnd::Cleared), removed: None },
        "removed" => NoticeContent::QueueClosed {
            end: None,
            removed: Some(RemovalNotice { reason: Some("重复取号".into()) }),
        },
        _ => return None,
    };
    Some(Notice {
        v: 1,
        key: format!("{}/0/12/{kind}#1", context.site),
        account: context.account.clone(),
        site_name: context.site_name.clone(),
        zone: context.zone.clone(),
        person: "sample".into(),
        number: Number { prefix: context.prefix.clone(), serial: 12 },
        queue_name: context.queue_name.clone(),
        content,
        order: 1,
        at: context.at,
        valid_until: i64::MAX,
        replied: false,
        link: None,
    })
}
