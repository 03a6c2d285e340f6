//! Validation of accounts and sites: conversion of a document to the rules and the calendar, or to
//! all of its errors.
//!
//! Documents of the configuration, of the API and of files are all checked here.

use super::{AccountLimits, conflicts};
use crate::site::accent::Accent;
use crate::site::calendar::{Calendar, DateHours, WeekHours};
use crate::site::{Announcement, Brand, EnglishNames, SiteSettings};
use jiff::tz::TimeZone;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::settings::{
    AccountSetup, CallPolicy, CodeKind, MAX_NAME_CHARS, MAX_PREFIX_CHARS, MissedNumberPolicy,
    QueueSetup, SiteSetup, TransferPlacement,
};
use paihao_contracts::validation_error;
use paihao_domain::{
    CounterId, CounterRules, MAX_NOTIFY_AHEAD, MISSED_LANE_CLASS, MissedPolicy, MissedRules,
    Placement, QueueId, QueueRules, Rules,
};
use paihao_ledger::Subject;
use paihao_wechat::private_targets::TargetError;
use std::collections::{BTreeMap, BTreeSet};

/// Validates a site; `at` is its key, and `accounts` are the known accounts. Returns `None` if
/// there are errors, which are added to the problems.
pub fn validate_site<'a>(
    at: &str,
    id: &str,
    site: &SiteSetup,
    accounts: impl IntoIterator<Item = &'a String>,
    problems: &mut ConfigProblems,
) -> Option<SiteSettings> {
    settings_without_problems(problems, |problems| {
        let settings = build_site(at, id, site, accounts, problems);
        paihao_notice_text::check::wording(&format!("{at}.wording"), site, problems);
        settings
    })
}

/// Converts a stored site, whose texts an older or newer program may have checked otherwise: they
/// are cut where they are sent. Errors as in [`validate_site`].
pub fn stored_site<'a>(
    at: &str,
    id: &str,
    site: &SiteSetup,
    accounts: impl IntoIterator<Item = &'a String>,
    problems: &mut ConfigProblems,
) -> Option<SiteSettings> {
    settings_without_problems(problems, |problems| build_site(at, id, site, accounts, problems))
}

/// Returns what is built if that adds no problem.
fn settings_without_problems(
    problems: &mut ConfigProblems,
    build: impl FnOnce(&mut ConfigProblems) -> Option<SiteSettings>,
) -> Option<SiteSettings> {
    let mut site_problems = ConfigProblems::new();
    let settings = build(&mut site_problems);
    match site_problems.into_result() {
        Ok(()) => settings,
        Err(error) => {
            error.problems().iter().cloned().for_each(|problem| problems.push(problem));
            None
        }
    }
}

/// Validates the settings of an account; `at` is its key.
pub fn validate_account(
    at: &str,
    setup: &AccountSetup,
    limits: &AccountLimits,
    problems: &mut ConfigProblems,
) {
    paihao_notice_text::check::account(at, setup, problems);
    if setup.codes == CodeKind::Page && !limits.has_public_address {
        let kind = &validation_error::CODES_WITHOUT_ADDRESS;
        problems.add_with_code(kind.code, &format!("{at}.codes"), kind.message(), kind.advice);
    }
    let mut names = BTreeSet::new();
    for (i, target) in setup.forward.iter().enumerate() {
        let at = format!("{at}.forward.{i}");
        check_id(&format!("{at}.name"), &target.name, problems);
        if !names.insert(&target.name) {
            let kind = &validation_error::FORWARD_TWICE;
            problems.add_with_code(kind.code, &format!("{at}.name"), kind.message(), kind.advice);
        }
        let checked = target.url.parse().map_err(|_| TargetError::Malformed);
        if let Err(error) = checked.and_then(|url| limits.private_targets.check(&url)) {
            // The message does not quote the address: it may hold a key.
            let kind = &validation_error::BAD_FORWARD;
            let message = format!("{}: {error}", kind.message());
            problems.add_with_code(kind.code, &format!("{at}.url"), message, kind.advice);
        }
        if target.pushes.is_empty() {
            let advice = "name classes of pushes, or \"everything\"";
            problems.add(&format!("{at}.pushes"), "it would get nothing", advice);
        }
        if target.begins.iter().any(String::is_empty) {
            let advice = "leave begins out for all of them";
            problems.add(&format!("{at}.begins"), "an empty beginning is any", advice);
        }
    }
}

/// Largest number of queues of a site. Each can have one of the account's permanent codes.
const MAX_QUEUES: usize = 100;

/// Largest number of counters of a site.
const MAX_COUNTERS: usize = 200;

fn build_site<'a>(
    at: &str,
    name: &str,
    site: &SiteSetup,
    accounts: impl IntoIterator<Item = &'a String>,
    problems: &mut ConfigProblems,
) -> Option<SiteSettings> {
    check_id(at, name, problems);
    check_name(&format!("{at}.name"), &site.name, problems);
    check_english_name(at, site.name_en.as_ref(), problems);
    let accounts: Vec<_> = accounts.into_iter().collect();
    if !accounts.contains(&&site.account) {
        let key = format!("{at}.account");
        refuse_unknown(&key, "account", &site.account, accounts.into_iter(), problems);
    }
    if !(0..24).contains(&site.day_starts_at) {
        let message = format!("{} is not an hour", site.day_starts_at);
        problems.add(&format!("{at}.day_starts_at"), message, "use 0 to 23");
    }
    if site.kiosk_slips > 100 {
        let message = format!("{} is out of range", site.kiosk_slips);
        problems.add(&format!("{at}.kiosk_slips"), message, "use 0 to 100");
    }
    let accent = site.accent.as_ref().and_then(|accent| {
        let parsed = accent.parse().map(Accent::of);
        let refused = parsed.map_err(|_| {
            let message = format!("{accent:?} is no colour");
            problems.add(&format!("{at}.accent"), message, "use six digits, such as #0b6b52");
        });
        refused.ok()
    });
    let zone = TimeZone::get(&site.time_zone).map_err(|_| {
        let message = format!("there is no time zone {}", site.time_zone);
        problems.add(&format!("{at}.time_zone"), message, "use a name like Asia/Shanghai");
    });
    let rules = site_rules(at, site, problems);
    conflicts::check_site(at, site, problems);
    let day_starts_at = site.day_starts_at;
    let queues = site.queues.iter().map(|(name, queue)| (name, &queue.hours));
    let hours = parse_hours(&format!("{at}.queues"), "hours", day_starts_at, queues, problems);
    let planned = site.counters.iter().filter(|(_, counter)| !counter.shifts.is_empty());
    let counters = planned.map(|(name, counter)| (name, &counter.shifts));
    let shifts =
        parse_hours(&format!("{at}.counters"), "shifts", day_starts_at, counters, problems);
    let dates = DateHours::parse(site.dates.iter().map(String::as_str))
        .and_then(|dates| dates.check_within_days(site.day_starts_at).map(|()| dates));
    let dates = dates.unwrap_or_else(|error| {
        conflicts::report_hours_error(&format!("{at}.dates"), &error, problems);
        DateHours::default()
    });
    let facts = SiteFacts {
        account: site.account.as_str().into(),
        id: name.into(),
        name: site.name.as_str().into(),
        zone: site.time_zone.as_str().into(),
    };
    let subject = Subject::new(&[&site.account, name]).ok()?;
    let calendar = Calendar::new(zone.ok()?, site.day_starts_at);
    // A queue without hours is always open.
    let has_hours =
        |hours: &WeekHours| *hours != WeekHours::default() || dates != DateHours::default();
    let hours = hours.into_iter().filter(|(_, hours)| has_hours(hours));
    let hours = hours.map(|(name, hours)| (QueueId::new(name), hours)).collect();
    let shifts = shifts.into_iter().map(|(name, shifts)| (CounterId::new(name), shifts)).collect();
    let calendar = calendar.with_hours(hours).with_dates(dates).with_shifts(shifts);
    let joined_wording = site.wording.get("joined").and_then(|wording| wording.text.as_deref());
    let queues = site.queues.iter().map(|(name, queue)| (queue.order, QueueId::new(name)));
    let counters = site.counters.iter();
    let counters = counters.map(|(name, counter)| (counter.order, CounterId::new(name)));
    Some(SiteSettings {
        queues: listed(queues),
        counters: listed(counters),
        announcements: announcements(at, site, problems),
        english_names: english_names(site),
        joined_reply: joined_wording.map(Into::into),
        kiosk_slips: site.kiosk_slips,
        paired_kiosks_only: site.paired_kiosks_only,
        brand: Brand { accent, logo: None },
        ..SiteSettings::new(facts, subject, rules, calendar)
    })
}

/// Returns ids in the order in which they are listed: those that the owner has placed, and then
/// the others, by the id.
fn listed<Id: Ord>(ids: impl Iterator<Item = (Option<u32>, Id)>) -> Vec<Id> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_by(|(left, left_id), (right, right_id)| {
        let place = |order: &Option<u32>| order.map_or(u64::from(u32::MAX) + 1, u64::from);
        place(left).cmp(&place(right)).then_with(|| left_id.cmp(right_id))
    });
    ids.into_iter().map(|(_, id)| id).collect()
}

/// Checks an id, which is part of addresses, QR codes and subjects.
pub fn check_id(key: &str, name: &str, problems: &mut ConfigProblems) {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 24 || !name.bytes().all(is_allowed) {
        let message = format!("{name:?} cannot stand in an address");
        problems.add(key, message, "use 1 to 24 of a-z, 0-9 and -");
    }
}

/// Checks a name that people read.
pub fn check_name(key: &str, name: &str, problems: &mut ConfigProblems) {
    let length = name.chars().count();
    if name.trim().is_empty() || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let message = format!("{length} characters are no name that people can read");
        problems.add(key, message, format!("use 1 to {MAX_NAME_CHARS}"));
    }
}

/// Checks the English name of what stands at a key, if it has one.
fn check_english_name(key: &str, name: Option<&String>, problems: &mut ConfigProblems) {
    if let Some(name) = name {
        check_name(&format!("{key}.name_en"), name, problems);
    }
}

/// Returns the English names of a site, its queues and its counters.
fn english_names(site: &SiteSetup) -> EnglishNames {
    let queues = site.queues.iter();
    let counters = site.counters.iter();
    EnglishNames {
        site: site.name_en.as_deref().map(Into::into),
        queues: queues
            .filter_map(|(id, queue)| Some((QueueId::new(id), queue.name_en.as_deref()?.into())))
            .collect(),
        counters: counters
            .filter_map(|(id, counter)| {
                Some((CounterId::new(id), counter.name_en.as_deref()?.into()))
            })
            .collect(),
    }
}

/// Reports a name that is not among the known ones, and lists those.
pub fn refuse_unknown<'a>(
    key: &str,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a String>,
    problems: &mut ConfigProblems,
) {
    let names = known.map(String::as_str).collect::<Vec<_>>().join(", ");
    let advice = if names.is_empty() {
        format!("there is no {kind} at all yet: add one")
    } else {
        format!("the ones there are: {names}")
    };
    problems.add(key, format!("there is no {kind} {name:?}"), advice);
}

/// Builds the rules of a site's queues and counters.
fn site_rules(at: &str, site: &SiteSetup, problems: &mut ConfigProblems) -> Rules {
    for (kind, count, most) in
        [("queues", site.queues.len(), MAX_QUEUES), ("counters", site.counters.len(), MAX_COUNTERS)]
    {
        if count > most {
            let message = format!("{count} are more than a site can have");
            problems.add(&format!("{at}.{kind}"), message, format!("use at most {most}"));
        }
    }
    let mut rules = Rules { several_counters: site.several_counters, ..Rules::default() };
    for (name, queue) in &site.queues {
        let key = format!("{at}.queues.{name}");
        check_id(&key, name, problems);
        check_name(&format!("{key}.name"), &queue.name, problems);
        check_english_name(&key, queue.name_en.as_ref(), problems);
        let has_letters_only =
            queue.prefix.bytes().all(|b| b.is_ascii_uppercase() && b != b'I' && b != b'O');
        if queue.prefix.is_empty() || queue.prefix.len() > MAX_PREFIX_CHARS || !has_letters_only {
            let message = format!("{:?} does not read well in front of a number", queue.prefix);
            let advice = "use one to three letters A to Z, but neither I nor O";
            problems.add(&format!("{key}.prefix"), message, advice);
        }
        check_ranges(&key, queue, problems);
        rules.queues.insert(QueueId::new(name), queue_rules(queue));
    }
    for (name, counter) in &site.counters {
        let key = format!("{at}.counters.{name}");
        check_id(&key, name, problems);
        check_name(&format!("{key}.name"), &counter.name, problems);
        check_english_name(&key, counter.name_en.as_ref(), problems);
        let counter_rules = CounterRules {
            name: counter.name.as_str().into(),
            queues: counter.queues.iter().map(|queue| QueueId::new(queue)).collect(),
            auto_next: counter.auto_next,
        };
        rules.counters.insert(CounterId::new(name), counter_rules);
    }
    rules
}

fn queue_rules(queue: &QueueSetup) -> QueueRules {
    let limit = |count: u32| (count > 0).then_some(count);
    QueueRules {
        name: queue.name.as_str().into(),
        prefix: queue.prefix.as_str().into(),
        minutes: queue.minutes,
        grace_seconds: queue.grace_seconds,
        open: queue.open,
        class: queue.class,
        policy: match queue.policy {
            CallPolicy::Strict => paihao_domain::CallPolicy::Strict,
            CallPolicy::Interleave => paihao_domain::CallPolicy::Interleave {
                first: queue.interleave.0,
                second: queue.interleave.1,
                missed_lane: queue.missed_lane,
            },
        },
        max_passes: queue.bound,
        capacity: limit(queue.capacity),
        daily_cap: limit(queue.daily_cap),
        daily_per_person: limit(queue.daily_per_person),
        missed: MissedRules {
            policy: match queue.missed {
                MissedNumberPolicy::Void => MissedPolicy::Void,
                MissedNumberPolicy::AfterK => {
                    MissedPolicy::AfterK { k: queue.missed_places, grow: queue.missed_grow }
                }
                MissedNumberPolicy::HoldMinutes => MissedPolicy::HoldMinutes,
                MissedNumberPolicy::Tail => MissedPolicy::Tail,
            },
            returns: queue.missed_returns,
            minutes: queue.missed_minutes,
        },
        transfer: match queue.transfer {
            TransferPlacement::Front => Placement::Front,
            TransferPlacement::Arrival => Placement::Arrival,
            TransferPlacement::Tail => Placement::Tail,
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

/// Checks that the numbers of a queue are in range.
fn check_ranges(at: &str, queue: &QueueSetup, problems: &mut ConfigProblems) {
    let ranges = [
        ("minutes", queue.minutes, 1, 600),
        ("grace_seconds", queue.grace_seconds, 10, 3600),
        ("class", u32::from(queue.class), 0, u32::from(MISSED_LANE_CLASS) - 1),
        ("bound", queue.bound, 0, 1000),
        ("missed_places", queue.missed_places, 1, 100),
        ("missed_grow", queue.missed_grow, 0, 100),
        ("missed_returns", queue.missed_returns, 0, 20),
        ("missed_minutes", queue.missed_minutes, 1, 1440),
        ("calls", queue.calls, 1, 10),
        ("let_pass", queue.let_pass, 0, 20),
        ("let_pass_minutes", queue.let_pass_minutes, 1, 600),
        ("daily_per_person", queue.daily_per_person, 0, 1000),
        ("near", queue.near, 1, MAX_NOTIFY_AHEAD),
        ("interleave", queue.interleave.0, 1, 20),
        ("interleave", queue.interleave.1, 1, 20),
    ];
    for (key, value, min, max) in ranges {
        if !(min..=max).contains(&value) {
            let advice = format!("use {min} to {max}");
            problems.add(&format!("{at}.{key}"), format!("{value} is out of range"), advice);
        }
    }
}

/// Parses the opening hours of queues, or the shifts of counters: the lines of each by its name,
/// which stand at `at`, the name and `field`.
fn parse_hours<'a>(
    at: &str,
    field: &str,
    day_starts_at: i8,
    lines: impl Iterator<Item = (&'a String, &'a Vec<String>)>,
    problems: &mut ConfigProblems,
) -> BTreeMap<&'a str, WeekHours> {
    let mut hours = BTreeMap::new();
    for (name, lines) in lines {
        let week = WeekHours::parse(lines.iter().map(String::as_str))
            .and_then(|week| week.check_within_days(day_starts_at).map(|()| week));
        match week {
            Ok(week) => drop(hours.insert(name.as_str(), week)),
            Err(error) => {
                conflicts::report_hours_error(&format!("{at}.{name}.{field}"), &error, problems);
            }
        }
    }
    hours
}

/// Validates the sentences of queues for calls on boards.
fn announcements(
    at: &str,
    site: &SiteSetup,
    problems: &mut ConfigProblems,
) -> BTreeMap<QueueId, Announcement> {
    let mut announcements = BTreeMap::new();
    for (name, queue) in &site.queues {
        let Some(setup) = &queue.announcement else { continue };
        for (language, sentence) in [("zh", &setup.zh), ("en", &setup.en)] {
            let Some(sentence) = sentence else { continue };
            let key = format!("{at}.queues.{name}.announcement.{language}");
            if !sentence.contains("{number}") {
                let advice = "put {number} where the number is said";
                problems.add(&key, "a call that does not say who is called", advice);
            }
            if sentence.chars().count() > 200 {
                problems.add(&key, "longer than anybody listens", "use 200 characters or less");
            }
            let placeholders = sentence.split('{').skip(1).map(|rest| rest.split('}').next());
            let known = ["number", "counter", "queue"];
            for placeholder in placeholders.flatten().filter(|name| !known.contains(name)) {
                let advice = "use {number}, {counter} and {queue}";
                problems.add(&key, format!("{{{placeholder}}} is not known"), advice);
            }
        }
        let announcement = Announcement { zh: setup.zh.clone(), en: setup.en.clone() };
        announcements.insert(QueueId::new(name), announcement);
    }
    announcements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_comes_after_what_has_one() {
        let ids = [(None, "10"), (Some(2), "c"), (None, "9"), (Some(1), "d"), (Some(2), "b")];
        let ids = ids.map(|(order, id)| (order, QueueId::new(id)));
        let listed: Vec<_> = listed(ids.into_iter()).iter().map(|id| id.shared()).collect();
        assert_eq!(listed, ["d", "b", "c", "9", "10"].map(Into::into));
    }
}
