//! What the owner set up: accounts, sites with their queues and counters, and staff keys.

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use paihao_contracts::commit::SiteFacts;
use paihao_domain::{Day, Now, Rules, Timestamp};
use paihao_ledger::Subject;
use paihao_wechat::callback::Protection;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Everything the gateway knows of the owner's business.
#[derive(Default)]
pub struct Book {
    /// The Official Accounts, by the name that stands in their callback address.
    pub accounts: BTreeMap<String, AccountBook>,
    /// The sites, by id.
    pub sites: BTreeMap<String, Arc<SiteBook>>,
    /// Who may call the staff API.
    pub staff_keys: Vec<StaffKey>,
}

/// One Official Account as the gateway needs to know it.
#[derive(Debug)]
pub struct AccountBook {
    /// What WeChat's callbacks are checked with.
    pub protection: Protection,
    /// What somebody reads who follows without scanning; nothing if empty.
    pub greeting: String,
    /// What somebody reads when the system could not do what they wanted; nothing if empty, this
    /// system's own words if `None`.
    pub failure: Option<String>,
    /// What people write, without white space around it, and what that does.
    pub keywords: BTreeMap<String, Action>,
    /// Keys of the account's menu, and what they do.
    pub menu: BTreeMap<String, Action>,
    /// Whether the account sends customer-service texts, so that what allows them is worth noting.
    pub texts: bool,
}

/// What a keyword or a menu entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Answers how the tickets stand that the person holds.
    MyTicket,
    /// Gives them up.
    Leave,
}

/// One site.
#[derive(Debug)]
pub struct SiteBook {
    /// What a commit says of it.
    pub facts: SiteFacts,
    /// Where its decisions stand in the ledger.
    pub subject: Subject,
    /// Its queues and counters.
    pub rules: Rules,
    /// When its days begin.
    pub calendar: Calendar,
}

/// How a site counts its business days.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Its time zone.
    pub zone: TimeZone,
    /// The hour, 0 to 23, at which a business day begins.
    pub day_starts_at: i8,
}

impl Calendar {
    /// The business day an instant falls in: the local date, of the day before until the hour at
    /// which the day begins.
    pub fn now(&self, unix_ms: i64) -> Now {
        let instant = Instant::from_millisecond(unix_ms).unwrap_or(Instant::UNIX_EPOCH);
        let local = instant.to_zoned(self.zone.clone());
        let days = local.date().duration_since(jiff::civil::Date::ZERO).as_hours() / 24
            - jiff::civil::date(1970, 1, 1).duration_since(jiff::civil::Date::ZERO).as_hours() / 24;
        let before_start = i64::from(local.hour() < self.day_starts_at);
        Now { at: Timestamp(unix_ms), day: Day((days - before_start) as i32) }
    }
}

/// A key of the staff API. The key itself is not kept, only its hash.
pub struct StaffKey {
    /// The owner's name for it; may be logged.
    pub name: String,
    hash: [u8; 32],
    /// The sites it opens.
    pub sites: BTreeSet<String>,
}

impl StaffKey {
    /// A key and what it opens.
    pub fn new(name: &str, key: &str, sites: BTreeSet<String>) -> Self {
        StaffKey { name: name.to_owned(), hash: Sha256::digest(key).into(), sites }
    }

    /// Whether this is the key, in a time that does not tell how much of it was right.
    pub fn is(&self, key: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(key).into();
        self.hash.ct_eq(&given).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(zone: &str, instant: &str) -> i32 {
        let calendar = Calendar { zone: TimeZone::get(zone).unwrap(), day_starts_at: 4 };
        calendar.now(instant.parse::<Instant>().unwrap().as_millisecond()).day.0
    }

    #[test]
    fn the_day_begins_at_the_sites_own_hour() {
        // 03:59 and 04:00 on 2 January in Shanghai.
        let before = day("Asia/Shanghai", "2026-01-01T19:59:59Z");
        let after = day("Asia/Shanghai", "2026-01-01T20:00:00Z");
        assert_eq!(after, before + 1);
        // Midnight UTC changes nothing there.
        assert_eq!(day("Asia/Shanghai", "2026-01-02T00:00:00Z"), after);
    }

    #[test]
    fn a_day_of_twenty_three_hours_is_one_day() {
        // Clocks in Berlin went forward on 29 March 2026.
        let days: Vec<_> = ["2026-03-28T10:00:00Z", "2026-03-29T10:00:00Z", "2026-03-30T10:00:00Z"]
            .map(|instant| day("Europe/Berlin", instant))
            .into();
        assert_eq!(days[1] - days[0], 1);
        assert_eq!(days[2] - days[1], 1);
    }
}
