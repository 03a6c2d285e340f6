//! The rules of the line and who may move it, from what was read; with all that contradicts itself.

use super::check::{id, refuse_unknown};
use super::{Missed, Policy, Queue, Site, Staff, StaffRole, Transfer};
use paihao_chassis::config::Problems;
use paihao_domain::{
    CounterId, CounterRules, FARTHEST, MISSED_LANE, MissedPolicy, MissedRules, Placement, QueueId,
    QueueRules, Rules,
};
use paihao_gateway::book::{Announcement, EVERY_SITE, KeyRole, StaffKey};
use paihao_gateway::calendar::WeekHours;
use std::collections::{BTreeMap, BTreeSet};

/// The rules of a site's queues and counters.
pub(super) fn rules(at: &str, site: &Site, problems: &mut Problems) -> Rules {
    let mut rules = Rules { several_counters: site.several_counters, ..Rules::default() };
    let mut prefixes = BTreeSet::new();
    for (name, queue) in &site.queues {
        let at = format!("{at}.queues.{name}");
        id(&at, name, problems);
        let letters =
            queue.prefix.bytes().all(|b| b.is_ascii_uppercase() && b != b'I' && b != b'O');
        if queue.prefix.is_empty() || queue.prefix.len() > 3 || !letters {
            let what = format!("{:?} does not read well in front of a number", queue.prefix);
            let advice = "use one to three letters A to Z, but neither I nor O";
            problems.refuse(&format!("{at}.prefix"), what, advice);
        }
        if !prefixes.insert(&queue.prefix) {
            let what = format!("{} is another queue's prefix too", queue.prefix);
            let advice = "give each queue its own, or two people get the same number";
            problems.refuse(&format!("{at}.prefix"), what, advice);
        }
        contradictions(&at, queue, problems);
        let queue = of_queue(queue);
        rules.queues.insert(QueueId::new(name), queue);
    }
    for (name, counter) in &site.counters {
        let at = format!("{at}.counters.{name}");
        id(&at, name, problems);
        for queue in counter.queues.iter().filter(|queue| !site.queues.contains_key(*queue)) {
            let key = format!("{at}.queues");
            refuse_unknown(&key, "queue", queue, site.queues.keys(), problems);
        }
        let counter = CounterRules {
            name: counter.name.as_str().into(),
            queues: counter.queues.iter().map(|queue| QueueId::new(queue)).collect(),
            auto_next: counter.auto_next,
        };
        rules.counters.insert(CounterId::new(name), counter);
    }
    rules
}

fn of_queue(queue: &Queue) -> QueueRules {
    let limit = |count: u32| (count > 0).then_some(count);
    QueueRules {
        name: queue.name.as_str().into(),
        prefix: queue.prefix.as_str().into(),
        minutes: queue.minutes,
        grace_seconds: queue.grace_seconds,
        open: queue.open,
        class: queue.class,
        policy: match queue.policy {
            Policy::Strict => paihao_domain::Policy::Strict,
            Policy::Interleave => paihao_domain::Policy::Interleave {
                first: queue.interleave.0,
                second: queue.interleave.1,
                missed_lane: queue.missed_lane,
            },
        },
        bound: queue.bound,
        capacity: limit(queue.capacity),
        daily_cap: limit(queue.daily_cap),
        missed: MissedRules {
            policy: match queue.missed {
                Missed::Void => MissedPolicy::Void,
                Missed::AfterK => {
                    MissedPolicy::AfterK { k: queue.missed_places, grow: queue.missed_grow }
                }
                Missed::HoldMinutes => MissedPolicy::HoldMinutes,
                Missed::Tail => MissedPolicy::Tail,
            },
            returns: queue.missed_returns,
            minutes: queue.missed_minutes,
        },
        transfer: match queue.transfer {
            Transfer::Front => Placement::Front,
            Transfer::Arrival => Placement::Arrival,
            Transfer::Tail => Placement::Tail,
        },
        carry_over: queue.carry_over,
        start_on_call: queue.start_on_call,
        auto_miss: queue.auto_miss,
        auto_recall: queue.auto_recall,
        calls: queue.calls,
        let_pass: queue.let_pass,
        let_pass_minutes: queue.let_pass_minutes,
        near: queue.near,
    }
}

/// Values that cannot be, and settings that do not go together.
fn contradictions(at: &str, queue: &Queue, problems: &mut Problems) {
    let ranges = [
        ("minutes", queue.minutes, 1, 600),
        ("grace_seconds", queue.grace_seconds, 10, 3600),
        ("class", u32::from(queue.class), 0, u32::from(MISSED_LANE) - 1),
        ("bound", queue.bound, 0, 1000),
        ("missed_places", queue.missed_places, 1, 100),
        ("missed_grow", queue.missed_grow, 0, 100),
        ("missed_returns", queue.missed_returns, 0, 20),
        ("missed_minutes", queue.missed_minutes, 1, 1440),
        ("calls", queue.calls, 1, 10),
        ("let_pass", queue.let_pass, 0, 20),
        ("let_pass_minutes", queue.let_pass_minutes, 1, 600),
        ("near", queue.near, 1, FARTHEST),
        ("interleave", queue.interleave.0, 1, 20),
        ("interleave", queue.interleave.1, 1, 20),
    ];
    for (key, value, least, most) in ranges {
        if !(least..=most).contains(&value) {
            let advice = format!("use {least} to {most}");
            problems.refuse(&format!("{at}.{key}"), format!("{value} is out of range"), advice);
        }
    }
    if queue.missed_lane && queue.policy == Policy::Strict {
        let what = "a lane for the missed is called from in turn with others, and nothing is";
        problems.refuse(&format!("{at}.missed_lane"), what, "use policy = \"interleave\"");
    }
    if queue.start_on_call && (queue.auto_miss || queue.auto_recall) {
        let what = "whoever is called is being served at once, and so is never missed";
        problems.refuse(&format!("{at}.auto_miss"), what, "leave out start_on_call");
    }
    if queue.auto_recall && queue.calls < 2 {
        let what = "calls = 1 leaves no second call";
        problems.refuse(&format!("{at}.auto_recall"), what, "use calls = 2 or more");
    }
    if queue.daily_cap > 0 && queue.capacity > queue.daily_cap {
        let what = "more may wait at once than get a number a day";
        problems.refuse(&format!("{at}.capacity"), what, "use no more than daily_cap");
    }
}

/// The opening hours of a site's queues.
pub(super) fn hours(
    at: &str,
    site: &Site,
    problems: &mut Problems,
) -> BTreeMap<QueueId, WeekHours> {
    let mut hours = BTreeMap::new();
    for (name, queue) in site.queues.iter().filter(|(_, queue)| !queue.hours.is_empty()) {
        match WeekHours::read(queue.hours.iter().map(String::as_str)) {
            Ok(week) => drop(hours.insert(QueueId::new(name), week)),
            Err(error) => {
                let key = format!("{at}.queues.{name}.hours");
                let advice = "use lines like \"mon-fri 09:00-12:00 13:30-17:30\"";
                problems.refuse(&key, error.to_string(), advice);
            }
        }
    }
    hours
}

/// What boards say of the calls of queues that have sentences of their own.
pub(super) fn announcements(
    at: &str,
    site: &Site,
    problems: &mut Problems,
) -> BTreeMap<QueueId, Announcement> {
    let mut announcements = BTreeMap::new();
    for (name, queue) in &site.queues {
        let Some(said) = &queue.announcement else { continue };
        for (language, sentence) in [("zh", &said.zh), ("en", &said.en)] {
            let Some(sentence) = sentence else { continue };
            let key = format!("{at}.queues.{name}.announcement.{language}");
            if !sentence.contains("{number}") {
                let advice = "put {number} where the number is said";
                problems.refuse(&key, "a call that does not say who is called", advice);
            }
            if sentence.chars().count() > 200 {
                problems.refuse(&key, "longer than anybody listens", "use 200 characters or less");
            }
            let holes = sentence.split('{').skip(1).map(|rest| rest.split('}').next());
            let known = ["number", "counter", "queue"];
            for hole in holes.flatten().filter(|hole| !known.contains(hole)) {
                let advice = "use {number}, {counter} and {queue}";
                problems.refuse(&key, format!("{{{hole}}} is not known"), advice);
            }
        }
        let said = Announcement { zh: said.zh.clone(), en: said.en.clone() };
        announcements.insert(QueueId::new(name), said);
    }
    announcements
}

/// A key of the staff API, and as whom its holder acts.
pub(super) fn staff_key(
    name: &str,
    staff: &Staff,
    sites: &BTreeMap<String, Site>,
    problems: &mut Problems,
) -> StaffKey {
    let at = format!("staff.{name}");
    if staff.key.expose().len() < 16 {
        let advice = "use 16 or more random ones";
        problems.refuse(&format!("{at}.key"), "fewer than 16 characters", advice);
    }
    let all = staff.sites.iter().any(|site| site == EVERY_SITE);
    let unknown = |site: &&String| *site != EVERY_SITE && !sites.contains_key(*site);
    for site in staff.sites.iter().filter(unknown) {
        refuse_unknown(&format!("{at}.sites"), "site", site, sites.keys(), problems);
    }
    let theirs = sites.iter().filter(|(id, _)| all || staff.sites.contains(id));
    let known: BTreeSet<_> =
        theirs.map(|(_, site)| site).flat_map(|site| site.counters.keys()).collect();
    for counter in staff.counters.iter().filter(|counter| !known.contains(counter)) {
        let key = format!("{at}.counters");
        refuse_unknown(&key, "counter", counter, known.iter().copied(), problems);
    }
    let role = match staff.role {
        StaffRole::Staff => KeyRole::Staff,
        StaffRole::Manager => KeyRole::Manager,
        StaffRole::Api => KeyRole::Api,
    };
    match (role, staff.counters.is_empty()) {
        (KeyRole::Staff, true) => {
            let advice = "name them in counters, or use role = \"manager\"";
            problems.refuse(&format!("{at}.role"), "staff without a counter", advice);
        }
        (KeyRole::Manager, false) => {
            let advice = "use role = \"staff\", or leave counters out";
            problems.refuse(&format!("{at}.counters"), "a manager is at every counter", advice);
        }
        _ => {}
    }
    let counters = staff.counters.iter().map(|counter| CounterId::new(counter)).collect();
    let open = staff.sites.iter().cloned().collect();
    StaffKey::new(name, staff.key.expose(), open).acting(role, counters)
}
