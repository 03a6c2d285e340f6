//! Settings of one site: the value that decisions, boards and replies are made with.

pub mod accent;
pub mod calendar;
pub mod logo;

use accent::Accent;
use calendar::Calendar;
use logo::Logo;
use paihao_contracts::commit::SiteFacts;
use paihao_domain::{CounterId, CounterRules, QueueId, QueueRules, Rules};
use paihao_ledger::Subject;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings of one site.
#[derive(Debug)]
pub struct SiteSettings {
    /// Account, id, name and time zone, as each commit names them.
    pub facts: SiteFacts,
    /// Subject of its decisions in the ledger.
    pub subject: Subject,
    /// Queues and counters.
    pub rules: Rules,
    /// Queues in the order in which they are listed.
    pub queues: Vec<QueueId>,
    /// Counters in the order in which they are listed.
    pub counters: Vec<CounterId>,
    /// Business days and opening hours.
    pub calendar: Calendar,
    /// Sentences for calls on boards, of queues that have their own.
    pub announcements: BTreeMap<QueueId, Announcement>,
    /// English names, where the owner has set one.
    pub english_names: EnglishNames,
    /// Reply to a scan that took a number, if the owner has set one.
    pub joined_reply: Option<Arc<str>>,
    /// Percentage of those in a line who may have their number from a kiosk, without WeChat; 0 if
    /// kiosks give none.
    pub kiosk_slips: u32,
    /// True if paired kiosks alone make codes and give numbers.
    pub paired_kiosks_only: bool,
    /// Look of its pages.
    pub brand: Brand,
}

/// Look of a site's pages: its colour and its logo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brand {
    /// Shades of the accent; the usual ones if `None`.
    pub accent: Option<Accent>,
    /// The logo, if there is one.
    pub logo: Option<Arc<Logo>>,
}

/// English names of a site, its queues and its counters. What has none is read by its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnglishNames {
    /// Name of the site.
    pub site: Option<Arc<str>>,
    /// Names of queues.
    pub queues: BTreeMap<QueueId, Arc<str>>,
    /// Names of counters.
    pub counters: BTreeMap<CounterId, Arc<str>>,
}

impl EnglishNames {
    /// English name of the site.
    pub fn of_site(&self) -> Option<&str> {
        self.site.as_deref()
    }

    /// English name of a queue.
    pub fn of_queue(&self, queue: &QueueId) -> Option<&str> {
        self.queues.get(queue).map(|name| &**name)
    }

    /// English name of a counter.
    pub fn of_counter(&self, counter: &CounterId) -> Option<&str> {
        self.counters.get(counter).map(|name| &**name)
    }
}

impl SiteSettings {
    /// Creates a site with the default order, sentences and replies.
    pub fn new(
        facts: SiteFacts,
        subject: Subject,
        rules: Rules,
        calendar: Calendar,
    ) -> SiteSettings {
        SiteSettings {
            queues: rules.queues.keys().cloned().collect(),
            counters: rules.counters.keys().cloned().collect(),
            facts,
            subject,
            rules,
            calendar,
            announcements: BTreeMap::new(),
            english_names: EnglishNames::default(),
            joined_reply: None,
            kiosk_slips: 0,
            paired_kiosks_only: false,
            brand: Brand::default(),
        }
    }

    /// Queues with their rules, in the order in which they are listed.
    pub fn queue_rules(&self) -> impl Iterator<Item = (&QueueId, &QueueRules)> {
        self.queues.iter().map(|queue| (queue, &self.rules.queues[queue]))
    }

    /// Counters with their rules, in the order in which they are listed.
    pub fn counter_rules(&self) -> impl Iterator<Item = (&CounterId, &CounterRules)> {
        self.counters.iter().map(|counter| (counter, &self.rules.counters[counter]))
    }

    /// Name of a counter, or nothing if the site has no such counter now.
    pub fn counter_name(&self, counter: &CounterId) -> &str {
        self.rules.counters.get(counter).map_or("", |rules| &rules.name)
    }
}

/// Sentences of a board for the calls of a queue, with `{number}`, `{counter}` and `{queue}` in
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Announcement {
    /// In Chinese; the usual sentence if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}
