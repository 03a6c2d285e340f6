//! Checks of a site's settings for conflicts between values that are valid by themselves.

use crate::site::calendar::HoursError;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::settings::{
    CallPolicy, CounterSetup, MissedNumberPolicy, QueueSetup, SiteSetup,
};
use paihao_contracts::validation_error::{self, ValidationError};
use paihao_domain::MISSED_LANE_CLASS;
use std::collections::BTreeSet;

/// Shortest time between two calls of one person, in seconds.
const MIN_RECALL_GAP_S: u32 = 15;

/// Checks a site; `key` is its key in the settings.
pub(super) fn check_site(key: &str, site: &SiteSetup, problems: &mut ConfigProblems) {
    let mut prefixes = BTreeSet::new();
    for (name, queue) in &site.queues {
        let queue_key = format!("{key}.queues.{name}");
        check_queue(&queue_key, queue, problems);
        if !prefixes.insert(&queue.prefix) {
            report(
                &format!("{queue_key}.prefix"),
                &validation_error::PREFIX_TWICE,
                &queue.prefix,
                problems,
            );
        }
        let is_served = site.counters.values().any(|counter| counter.queues.contains(name));
        if queue.open && !is_served {
            report(&queue_key, &validation_error::UNSERVED_QUEUE, name, problems);
        }
    }
    for (name, counter) in &site.counters {
        check_counter(&format!("{key}.counters.{name}"), counter, site, problems);
    }
}

/// Reports an error in opening hours.
pub(super) fn report_hours_error(key: &str, error: &HoursError, problems: &mut ConfigProblems) {
    let kind = match error {
        HoursError::Malformed(_) => &validation_error::BAD_HOURS,
        HoursError::Overlap(_) => &validation_error::HOURS_OVERLAP,
        HoursError::CrossesDayStart(_) => &validation_error::CUT_OVER_WITHIN_HOURS,
    };
    report(key, kind, &error.to_string(), problems);
}

fn report(key: &str, kind: &ValidationError, detail: &str, problems: &mut ConfigProblems) {
    problems.add_with_code(kind.code, key, format!("{} ({detail})", kind.message()), kind.advice);
}

fn check_queue(queue_key: &str, queue: &QueueSetup, problems: &mut ConfigProblems) {
    let has_missed_lane = queue.missed_lane;
    let is_interleaved = queue.policy == CallPolicy::Interleave;
    let has_lowest_class = u32::from(queue.class) + 1 >= u32::from(MISSED_LANE_CLASS);
    let hold_s = queue.missed_minutes.saturating_mul(60);
    let no_return = queue.missed == MissedNumberPolicy::Void || queue.missed_returns == 0;
    let checks = [
        (
            queue.capacity > 0 && queue.near > queue.capacity,
            "near",
            &validation_error::NEAR_BEYOND_CAPACITY,
        ),
        (
            queue.missed == MissedNumberPolicy::HoldMinutes && queue.grace_seconds > hold_s,
            "grace_seconds",
            &validation_error::GRACE_BEYOND_HOLD,
        ),
        (
            queue.auto_recall && queue.grace_seconds < MIN_RECALL_GAP_S,
            "grace_seconds",
            &validation_error::GRACE_WITHOUT_RECALL,
        ),
        (
            queue.auto_recall && queue.calls < 2,
            "auto_recall",
            &validation_error::RECALL_WITHOUT_CALLS,
        ),
        (
            queue.start_on_call && (queue.auto_miss || queue.auto_recall),
            "auto_miss",
            &validation_error::MISSED_WHILE_SERVED,
        ),
        (
            is_interleaved && has_lowest_class && !has_missed_lane,
            "policy",
            &validation_error::INTERLEAVE_OF_ONE_CLASS,
        ),
        (has_missed_lane && !is_interleaved, "missed_lane", &validation_error::LANE_WITHOUT_TURNS),
        (has_missed_lane && no_return, "missed_lane", &validation_error::LANE_FOR_NOBODY),
        (
            queue.daily_cap > 0 && queue.capacity > queue.daily_cap,
            "capacity",
            &validation_error::CAPACITY_BEYOND_CAP,
        ),
    ];
    for (is_conflict, key, kind) in checks {
        if is_conflict {
            problems.add_with_code(
                kind.code,
                &format!("{queue_key}.{key}"),
                kind.message(),
                kind.advice,
            );
        }
    }
}

fn check_counter(
    counter_key: &str,
    counter: &CounterSetup,
    site: &SiteSetup,
    problems: &mut ConfigProblems,
) {
    let key = format!("{counter_key}.queues");
    let mut served = BTreeSet::new();
    for queue in &counter.queues {
        if !site.queues.contains_key(queue) {
            let queues = site.queues.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let detail = format!("{queue}; 有 / there are: {queues}");
            report(&key, &validation_error::UNKNOWN_QUEUE, &detail, problems);
        }
        if !served.insert(queue) {
            report(&key, &validation_error::QUEUE_TWICE, queue, problems);
        }
    }
    if counter.auto_next && counter.queues.is_empty() {
        report(&key, &validation_error::IDLE_COUNTER, &counter.name, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{export, validate};
    use paihao_chassis::config::{ConfigProblem, ConfigProblems};
    use paihao_contracts::validation_error;
    use std::collections::BTreeSet;

    const VALID_SITE: &str = r#"
        [sites.hall]
        account = "shop"
        name = "大厅"
        [sites.hall.queues.cash]
        name = "存取款"
        prefix = "A"
        [sites.hall.counters.1]
        name = "1号窗口"
        queues = ["cash"]
    "#;

    /// Returns the problems of the hall when these lines are added to it, its queue or its counter.
    fn problems_with(site: &str, queue: &str, counter: &str) -> Vec<ConfigProblem> {
        let mut text = VALID_SITE
            .replace("name = \"大厅\"", &format!("name = \"大厅\"\n{site}"))
            .replace("prefix = \"A\"", &format!("prefix = \"A\"\n{queue}"));
        if !counter.is_empty() {
            text = text.replace("queues = [\"cash\"]", counter);
        }
        let file = export::parse(&text, true).unwrap_or_else(|error| panic!("{error}"));
        let mut problems = ConfigProblems::new();
        let account = "shop".to_owned();
        validate::validate_site(
            "sites.hall",
            "hall",
            &file.sites["hall"],
            [&account],
            &mut problems,
        );
        problems.into_result().err().map_or(Vec::new(), |error| error.problems().to_vec())
    }

    const SERVES_CASH: &str = "queues = [\"cash\"]";
    const SECOND_QUEUE: &str = "[sites.hall.queues.loan]\nname = \"贷款\"\n";

    fn planned(shifts: &str) -> String {
        format!("{SERVES_CASH}\nshifts = [\"{shifts}\"]")
    }

    #[test]
    fn each_contradiction_is_refused_by_its_code_where_it_stands_and_nothing_else_is() {
        assert_eq!(problems_with("", "", ""), []);
        let second = |lines: &str| format!("queues = [\"cash\", \"loan\"]\n{SECOND_QUEUE}{lines}");
        for (site, queue, counter, code, key) in [
            ("", "capacity = 2", "", "near_beyond_capacity", "queues.cash.near"),
            (
                "",
                "missed = \"hold_minutes\"\nmissed_minutes = 2",
                "",
                "grace_beyond_hold",
                "queues.cash.grace_seconds",
            ),
            (
                "",
                "auto_recall = true\ngrace_seconds = 14",
                "",
                "grace_without_recall",
                "queues.cash.grace_seconds",
            ),
            (
                "",
                "auto_recall = true\ncalls = 1",
                "",
                "recall_without_calls",
                "queues.cash.auto_recall",
            ),
            (
                "",
                "auto_miss = true\nstart_on_call = true",
                "",
                "missed_while_served",
                "queues.cash.auto_miss",
            ),
            (
                "",
                "policy = \"interleave\"\nclass = 8",
                "",
                "interleave_of_one_class",
                "queues.cash.policy",
            ),
            ("", "missed_lane = true", "", "lane_without_turns", "queues.cash.missed_lane"),
            (
                "",
                "policy = \"interleave\"\nmissed_lane = true\nmissed = \"void\"",
                "",
                "lane_for_nobody",
                "queues.cash.missed_lane",
            ),
            (
                "",
                "policy = \"interleave\"\nmissed_lane = true\nmissed_returns = 0",
                "",
                "lane_for_nobody",
                "queues.cash.missed_lane",
            ),
            ("", "capacity = 9\ndaily_cap = 8", "", "capacity_beyond_cap", "queues.cash.capacity"),
            ("", "", "queues = []", "unserved_queue", "queues.cash"),
            ("", "", "queues = [\"cash\", \"lone\"]", "unknown_queue", "counters.1.queues"),
            ("", "", "queues = [\"cash\", \"cash\"]", "queue_twice", "counters.1.queues"),
            (
                "",
                "open = false",
                "queues = []\nauto_next = true",
                "idle_counter",
                "counters.1.queues",
            ),
            ("", "", &second("prefix = \"A\""), "prefix_twice", "queues.loan.prefix"),
            (
                "",
                "hours = [\"mon 09:00-12:00 11:00-13:00\"]",
                "",
                "hours_overlap",
                "queues.cash.hours",
            ),
            // The one begins on the date, the other in the night after it.
            (
                "",
                "hours = [\"fri 18:00-02:00 01:00-03:00\"]",
                "",
                "hours_overlap",
                "queues.cash.hours",
            ),
            (
                "",
                "hours = [\"2027-02-06 closed\", \"2027-02-01..2027-02-08 closed\"]",
                "",
                "hours_overlap",
                "queues.cash.hours",
            ),
            ("dates = [\"2027-02-06 09:00-12:00 11:00-13:00\"]", "", "", "hours_overlap", "dates"),
            (
                "day_starts_at = 10",
                "hours = [\"09:00-12:00\"]",
                "",
                "cut_over_within_hours",
                "queues.cash.hours",
            ),
            ("dates = [\"2027-02-06 22:00-05:00\"]", "", "", "cut_over_within_hours", "dates"),
            ("", "hours = [\"noday 09:00-12:00\"]", "", "bad_hours", "queues.cash.hours"),
            ("", "", &planned("noday 09:00-12:00"), "bad_hours", "counters.1.shifts"),
            ("", "", &planned("09:00-12:00 11:00-13:00"), "hours_overlap", "counters.1.shifts"),
            ("", "", &planned("18:00-05:00"), "cut_over_within_hours", "counters.1.shifts"),
        ] {
            let problems = problems_with(site, queue, counter);
            let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
            assert_eq!(codes, [Some(code)], "{site} {queue} {counter}: {problems:?}");
            assert_eq!(problems[0].key, format!("sites.hall.{key}"));
            let kind = validation_error::ALL.iter().find(|kind| kind.code == code).unwrap();
            assert!(problems[0].message.starts_with(&kind.message()), "{:?}", problems[0]);
        }
    }

    #[test]
    fn what_only_looks_contradictory_is_taken() {
        for (site, queue, counter) in [
            ("", "capacity = 3", ""),
            ("", "missed = \"hold_minutes\"\nmissed_minutes = 3", ""),
            ("", "policy = \"interleave\"\nclass = 8\nmissed_lane = true", ""),
            ("", "policy = \"interleave\"\nmissed_lane = true", ""),
            ("", "open = false", "queues = []"),
            ("day_starts_at = 0", "hours = [\"18:00-24:00\"]", ""),
            ("", "hours = [\"18:00-04:00\", \"2027-02-06 04:00-03:00\"]", ""),
            ("", "hours = [\"09:00-12:00 12:00-17:00\"]", SERVES_CASH),
            ("", "hours = [\"09:00-12:00\"]", &planned("08:00-12:00 13:00-17:00")),
        ] {
            assert_eq!(problems_with(site, queue, counter), [], "{site} {queue} {counter}");
        }
    }

    #[test]
    fn the_documentation_has_every_code_and_no_other() {
        let page = include_str!("../../../../docs/guide/settings.md");
        let section = page.split("## What is refused").nth(1).expect("the section");
        let documented: BTreeSet<_> =
            section.lines().filter(|line| line.starts_with("| `")).collect();
        let rows = validation_error::ALL
            .iter()
            .map(|kind| format!("| `{}` | {} | {} |", kind.code, kind.message(), kind.advice));
        let rows: Vec<_> = rows.collect();
        assert_eq!(documented, rows.iter().map(String::as_str).collect::<BTreeSet<_>>());
    }
}
