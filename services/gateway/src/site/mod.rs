//! One site as the owner has set it up: the value that decisions, boards and replies are made with.

pub mod calendar;

use calendar::Calendar;
use paihao_contracts::commit::SiteFacts;
use paihao_domain::{QueueId, Rules};
use paihao_ledger::Subject;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One site.
#[derive(Debug)]
pub struct SiteSettings {
    /// What a commit says of it.
    pub facts: SiteFacts,
    /// Where its decisions stand in the ledger.
    pub subject: Subject,
    /// Its queues and counters.
    pub rules: Rules,
    /// When its days begin, and its queues are open.
    pub calendar: Calendar,
    /// What its boards say of the calls of queues that have sentences of their own.
    pub announcements: BTreeMap<QueueId, Announcement>,
    /// What is answered to a scan that took a number, in the owner's words.
    pub joined_reply: Option<Arc<str>>,
}

impl SiteSettings {
    /// A site without words of its own.
    pub fn new(
        facts: SiteFacts,
        subject: Subject,
        rules: Rules,
        calendar: Calendar,
    ) -> SiteSettings {
        let announcements = BTreeMap::new();
        SiteSettings { facts, subject, rules, calendar, announcements, joined_reply: None }
    }
}

/// What a board says of a queue's calls, with `{number}`, `{counter}` and `{queue}` in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Announcement {
    /// In Chinese; the usual sentence if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}
