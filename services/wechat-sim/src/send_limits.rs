//! Limits of messages to one customer: send windows for free texts, agreements to subscription
//! notices, and the throttle of template messages.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

const MINUTE_MS: u64 = 60 * 1000;
const TWO_DAYS_MS: u64 = 48 * 3600 * 1000;

/// Interaction of a customer that opens a send window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A text of the customer: five texts within 48 hours.
    Message,
    /// A tap on the menu: three texts within a minute.
    Menu,
    /// A follow: three texts within a minute.
    Follow,
    /// A scan: three texts within a minute.
    Scan,
}

impl Trigger {
    fn text_window(self) -> (u32, u64) {
        match self {
            Self::Message => (5, TWO_DAYS_MS),
            Self::Menu | Self::Follow | Self::Scan => (3, MINUTE_MS),
        }
    }
}

/// Combination of several open send windows; WeChat's own rule is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowPolicy {
    /// Each window has its own count, and the counts add up.
    AddUp,
    /// The newest window replaces the others.
    NewestOnly,
}

/// Throttle of template messages to one customer; WeChat's own rules are not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// Refuses the same content within 60 seconds with 40241.
    pub same_in_a_minute: bool,
    /// Limit of messages within `within`, beyond which they are refused with 43117; 0 is no limit.
    #[serde(rename = "most")]
    pub max_messages: u32,
    /// Time span of `max_messages`.
    pub within: Duration,
}

/// Limits of one customer. Times are Unix milliseconds, passed in by the caller.
#[derive(Debug, Default)]
pub(crate) struct SendLimits {
    /// End and remaining texts of each window, in the order of opening.
    windows: Vec<(u64, u32)>,
    /// Remaining notices, by template.
    granted_notices: HashMap<String, u32>,
    /// Content hash and time of recent messages.
    recent_messages: VecDeque<(u64, u64)>,
}

impl SendLimits {
    pub(crate) fn open_window(&mut self, trigger: Trigger, windows: WindowPolicy, now: u64) {
        let (texts, span) = trigger.text_window();
        self.windows.retain(|(end, _)| *end > now && windows == WindowPolicy::AddUp);
        self.windows.push((now + span, texts));
    }

    /// Uses up one free text, or returns the error code that refuses it.
    pub(crate) fn take_text(&mut self, now: u64) -> Result<(), i64> {
        self.windows.retain(|(end, _)| *end > now);
        if self.windows.is_empty() {
            return Err(45015);
        }
        let free = self.windows.iter_mut().filter(|(_, remaining)| *remaining > 0);
        // The window that ends first is used first.
        let (_, remaining) = free.min_by_key(|(end, _)| *end).ok_or(45047)?;
        *remaining -= 1;
        Ok(())
    }

    /// Records that the customer agrees to `times` more notices of a template.
    pub(crate) fn grant_notices(&mut self, template_id: &str, times: u32) {
        *self.granted_notices.entry(template_id.to_owned()).or_default() += times;
    }

    /// Uses up one agreed notice, or returns the error code that refuses it.
    pub(crate) fn take_notice(&mut self, template_id: &str) -> Result<(), i64> {
        match self.granted_notices.get_mut(template_id).filter(|remaining| **remaining > 0) {
            Some(remaining) => *remaining -= 1,
            None => return Err(43101),
        }
        Ok(())
    }

    /// Returns the error code of the throttle if a message may not be sent now.
    pub(crate) fn check_throttle(
        &self,
        rules: Throttle,
        content: u64,
        now: u64,
    ) -> Result<(), i64> {
        let within = |at: u64, span: u64| now < at + span;
        if rules.same_in_a_minute
            && self
                .recent_messages
                .iter()
                .any(|(hash, at)| *hash == content && within(*at, MINUTE_MS))
        {
            return Err(40241);
        }
        let span = rules.within.as_millis() as u64;
        let recent_count = self.recent_messages.iter().filter(|(_, at)| within(*at, span)).count();
        if rules.max_messages > 0 && recent_count >= rules.max_messages as usize {
            Err(43117)
        } else {
            Ok(())
        }
    }

    pub(crate) fn record_sent(&mut self, content: u64, now: u64) {
        if self.recent_messages.len() >= 64 {
            self.recent_messages.pop_front();
        }
        self.recent_messages.push_back((content, now));
    }

    /// Removes all limits, when the customer unfollows.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Hash by which two messages count as the same content.
pub(crate) fn content_hash(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_allows_three_texts_in_a_minute_and_a_message_five_in_two_days() {
        let mut one = SendLimits::default();
        assert_eq!(one.take_text(0), Err(45015));
        one.open_window(Trigger::Scan, WindowPolicy::AddUp, 0);
        assert_eq!(
            [0, 1, 59_999, 59_999].map(|now| one.take_text(now)),
            [Ok(()), Ok(()), Ok(()), Err(45047)]
        );
        assert_eq!(one.take_text(60_000), Err(45015));
        one.open_window(Trigger::Message, WindowPolicy::AddUp, 60_000);
        one.open_window(Trigger::Scan, WindowPolicy::AddUp, 60_000);
        assert_eq!((0..9).filter(|_| one.take_text(70_000).is_ok()).count(), 8, "they add up");
        one.open_window(Trigger::Message, WindowPolicy::NewestOnly, 80_000);
        one.open_window(Trigger::Scan, WindowPolicy::NewestOnly, 80_000);
        assert_eq!((0..9).filter(|_| one.take_text(80_000).is_ok()).count(), 3, "or they do not");
    }

    #[test]
    fn an_agreement_is_good_for_one_notice() {
        let mut one = SendLimits::default();
        one.grant_notices("S", 1);
        assert_eq!(
            (one.take_notice("other"), one.take_notice("S"), one.take_notice("S")),
            (Err(43101), Ok(()), Err(43101))
        );
        one.grant_notices("S", 2);
        one.clear();
        assert_eq!(one.take_notice("S"), Err(43101));
    }

    #[test]
    fn the_same_or_too_much_is_throttled() {
        let rules =
            Throttle { same_in_a_minute: true, max_messages: 2, within: Duration::from_secs(600) };
        let mut one = SendLimits::default();
        one.record_sent(7, 0);
        assert_eq!(one.check_throttle(rules, 7, 59_999), Err(40241));
        assert_eq!(one.check_throttle(rules, 7, 60_000), Ok(()));
        one.record_sent(8, 60_000);
        assert_eq!(one.check_throttle(rules, 9, 60_001), Err(43117));
        assert_eq!(one.check_throttle(rules, 9, 600_000), Ok(()));
        let no_throttle = Throttle { same_in_a_minute: false, max_messages: 0, ..rules };
        assert_eq!(one.check_throttle(no_throttle, 8, 60_001), Ok(()));
    }
}
