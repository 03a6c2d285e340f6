//! Samples for tests of replies: names of usual and of the greatest length, and tickets in every
//! state with them.

use super::standing::MAX_REASON_CHARS;
use crate::site::SiteSettings;
use crate::site::calendar::Calendar;
use jiff::tz::TimeZone;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::session::{DigitChallenge, LoginRequest, LoginTarget};
use paihao_contracts::settings::{MAX_NAME_CHARS, MAX_PREFIX_CHARS};
use paihao_contracts::ticket_link::{TicketKey, TicketLink};
use paihao_domain::{
    CloseReason, CounterId, CounterRules, Estimate, HoldKind, Number, Outcome, QueueId, QueueRules,
    QueueState, QuotedWait, Rules, StandingState, TicketAct, TicketId, TicketStanding, Timestamp,
};
use paihao_ledger::Subject;
use paihao_notice_text::check::MAX_PUBLIC_URL_BYTES;
use std::sync::Arc;

/// Id of the queue of the samples.
pub(crate) const QUEUE: &str = "cash";
const COUNTER: &str = "1";

/// Names and numbers in a reply.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) site: String,
    queue: String,
    counter: String,
    number: Number,
    /// Link to the ticket; empty without a public address.
    pub(crate) url: String,
}

impl Names {
    /// The same names with another number.
    pub(crate) fn with_serial(&self, serial: u32) -> Names {
        let number = Number { serial, ..self.number.clone() };
        Names { number, ..self.clone() }
    }

    /// Serial of the number.
    pub(crate) fn serial(&self) -> u32 {
        self.number.serial
    }
}

/// Usual names first, then the longest.
pub(crate) fn names() -> Vec<Names> {
    let usual_url = "https://queue.example/t/hall/20780-17-0123456789abcdef0123456789abcdef";
    let number = |prefix: &str, serial| Number { prefix: prefix.into(), serial };
    let longest_prefix = "W".repeat(MAX_PREFIX_CHARS);
    let longest = |name: &str| {
        let name = name.repeat(MAX_NAME_CHARS);
        Names {
            site: name.clone(),
            queue: name.clone(),
            counter: name,
            number: number(&longest_prefix, u32::MAX),
            url: longest_url(),
        }
    };
    let named = |site: &str, queue: &str, counter: &str, url: &str| Names {
        site: site.into(),
        queue: queue.into(),
        counter: counter.into(),
        number: number("A", 112),
        url: url.into(),
    };
    vec![
        named("城南大厅", "存取款", "3号窗口", usual_url),
        named("South Hall", "Cash desk", "Counter 3", ""),
        longest("厅"),
        longest("𠮷"),
        longest("w"),
    ]
}

fn longest_url() -> String {
    let link = TicketLink { day: i32::MAX, ticket: u32::MAX, key: TicketKey([255; 16]) };
    let base = format!("https://{}", "q".repeat(MAX_PUBLIC_URL_BYTES - "https://".len()));
    format!("{base}{}", link.path(&"s".repeat(24)))
}

/// Settings of a site with these names.
pub(crate) fn settings(names: &Names) -> SiteSettings {
    let queue = QueueId::new(QUEUE);
    let counter = CounterRules::new(&names.counter, vec![queue.clone()]);
    let prefix = &*names.number.prefix;
    let rules = Rules {
        queues: [(queue, QueueRules::new(&names.queue, prefix))].into(),
        counters: [(CounterId::new(COUNTER), counter)].into(),
        ..Rules::default()
    };
    let facts = SiteFacts {
        account: "shop".into(),
        id: "hall".into(),
        name: names.site.as_str().into(),
        zone: "Asia/Shanghai".into(),
    };
    let subject = Subject::new(&["shop", "hall"]).expect("a plain subject");
    SiteSettings::new(facts, subject, rules, Calendar::new(TimeZone::UTC, 4))
}

/// Everything that a person can be told about a ticket: each state, each state of the queue, and
/// each way of saying the wait.
pub(crate) fn outcomes(names: &Names) -> Vec<Outcome> {
    let ticket = TicketId(12);
    let number = names.number.clone();
    let left = Outcome::Left { ticket, number: number.clone() };
    let queue_states =
        [QueueState::Open, QueueState::Paused, QueueState::Halted, QueueState::Closed];
    let outcomes = queue_states.into_iter().flat_map(|queue_state| {
        let number = number.clone();
        states(names).into_iter().map(move |(new, state, wait)| Outcome::Holding {
            ticket,
            number: number.clone(),
            queue: QueueId::new(QUEUE),
            new,
            standing: TicketStanding {
                may: match state {
                    StandingState::Missed { until: Some(_), .. } => vec![TicketAct::Return],
                    _ => Vec::new(),
                },
                state,
                queue_state,
                wait,
            },
        })
    });
    outcomes.chain([left]).collect()
}

/// States of a ticket with waits, and whether it is new.
fn states(names: &Names) -> Vec<(bool, StandingState, Option<QuotedWait>)> {
    let most = u32::MAX;
    let wait = |ahead, range: Option<(u32, u32)>| {
        let estimate = range.map(|(low, high)| Estimate { low, high });
        Some(QuotedWait { ahead, estimate, cold: true })
    };
    let counter = || CounterId::new(COUNTER);
    let reason: Arc<str> = if names.site.chars().count() < MAX_NAME_CHARS {
        "去补材料".into()
    } else {
        "缘".repeat(MAX_REASON_CHARS + 1).into()
    };
    let (until, places) = (Some(Timestamp(1)), Some(most));
    let held = |kind, reason, until, others| StandingState::Held { kind, reason, until, others };
    let closed = |reason, note| StandingState::Closed { reason, note };
    vec![
        (true, StandingState::Waiting, wait(3, Some((15, 25)))),
        (false, StandingState::Waiting, wait(most, Some((15, 25)))),
        (false, StandingState::Waiting, wait(most, Some((most - 1, most)))),
        (false, StandingState::Waiting, wait(1, None)),
        (false, StandingState::Called { counter: counter(), deadline: Timestamp(1) }, None),
        (false, StandingState::Serving { counter: counter() }, None),
        (false, held(HoldKind::LetPass, "".into(), until, places), wait(most, Some((0, 5)))),
        (false, held(HoldKind::Staff, reason.clone(), None, None), wait(1, None)),
        (false, held(HoldKind::Suspended, reason.clone(), until, None), wait(0, None)),
        (false, StandingState::Missed { until, places }, None),
        (false, StandingState::Missed { until, places: None }, None),
        (false, StandingState::Missed { until: None, places: None }, None),
        (false, StandingState::Done, None),
        (false, closed(CloseReason::ByCustomer, None), None),
        (false, closed(CloseReason::ByStaff, Some(reason)), None),
        (false, closed(CloseReason::Expired, None), None),
        (false, closed(CloseReason::DayClosed, None), None),
        (false, closed(CloseReason::QueueCleared, None), None),
        (false, closed(CloseReason::Duplicate, None), None),
    ]
}

/// Digits of a phone.
pub(crate) fn challenge() -> DigitChallenge {
    DigitChallenge { digits: "4827".into(), attempts: 3, tag: "a1b2".into(), at: 0 }
}

/// Login of a browser.
pub(crate) fn login_request() -> LoginRequest {
    LoginRequest {
        secret: "0".repeat(64),
        browser: "Firefox".into(),
        address: "203.0.113".into(),
        confirm: true,
        target: LoginTarget::Staff,
    }
}
