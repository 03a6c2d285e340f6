//! Opening hours in the chat: today and tomorrow, at each site of an account.

use crate::http::hours::day_hours;
use crate::settings::SiteSettings;
use paihao_domain::QueueId;
use paihao_wechat::text::MAX_TEXT_BYTES;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reply with the hours in which numbers are given out.
pub(super) fn reply(sites: &[Arc<SiteSettings>], now_ms: i64) -> String {
    let ending = "\n\n今天 today · 明天 tomorrow · 全天 all day · 休息 closed";
    let rest = "\n\n其余门店请看现场公告。 See the door of the others.";
    let mut text = "取号时间 Hours".to_owned();
    for settings in sites {
        let hours = format!("\n\n{}", site_hours(settings, now_ms));
        if text.len() + hours.len() + rest.len() + ending.len() > MAX_TEXT_BYTES {
            text.push_str(rest);
            break;
        }
        text.push_str(&hours);
    }
    text + ending
}

/// Hours of a site: in one line if all queues have the same, and else in a line for each.
fn site_hours(settings: &SiteSettings, now_ms: i64) -> String {
    let today = settings.calendar.at(now_ms);
    let tomorrow = settings.calendar.next_day(&today);
    let hours = |queue: &QueueId| {
        let [today, tomorrow] = [&today, &tomorrow].map(|day| day_hours(settings, day, queue).0);
        format!("今天 {today}，明天 {tomorrow}")
    };
    let name = &settings.facts.name;
    let distinct: BTreeSet<_> = settings.queues.iter().map(hours).collect();
    if distinct.len() <= 1 {
        let hours = distinct.into_iter().next();
        return [Some(name.to_string()), hours]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n");
    }
    let lines = settings.queue_rules().map(|(id, rules)| format!("{}：{}", rules.name, hours(id)));
    [name.to_string()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::replies::refusal_reply;
    use crate::site::calendar::{Calendar, DateHours, WeekHours};
    use jiff::tz::TimeZone;
    use paihao_contracts::commit::SiteFacts;
    use paihao_domain::{QueueRules, Refusal, Rules};
    use paihao_ledger::Subject;
    use std::collections::BTreeMap;

    /// 10:00 in Shanghai on Friday, 20 November 2026.
    const FRIDAY_MS: i64 = 1_795_140_000_000;

    fn site(name: &str, queues: &[(&str, &str, &[&str])]) -> Arc<SiteSettings> {
        let facts = SiteFacts {
            account: "shop".into(),
            id: "hall".into(),
            name: name.into(),
            zone: "Asia/Shanghai".into(),
        };
        let mut rules = Rules::default();
        let mut hours = BTreeMap::new();
        for (id, name, lines) in queues {
            rules.queues.insert(QueueId::new(id), QueueRules::new(name, "A"));
            hours.insert(QueueId::new(id), WeekHours::parse(lines.iter().copied()).unwrap());
        }
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let dates = DateHours::parse(["2026-11-21 closed"]).unwrap();
        let calendar = Calendar::new(zone, 4).with_hours(hours).with_dates(dates);
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        Arc::new(SiteSettings::new(facts, subject, rules, calendar))
    }

    #[test]
    fn queues_of_the_same_hours_are_one_line_and_others_are_named() {
        let lines: &[&str] = &["mon-fri 09:00-12:00 13:30-24:00"];
        let same = site("大厅", &[("a", "存取款", lines), ("b", "开户", lines)]);
        let text = site_hours(&same, FRIDAY_MS);
        assert_eq!(text, "大厅\n今天 09:00–12:00 13:30–24:00，明天 休息");
        let apart = site("大厅", &[("a", "存取款", lines), ("b", "开户", &["22:00-02:00"])]);
        let text = site_hours(&apart, FRIDAY_MS);
        assert_eq!(
            text,
            "大厅\n存取款：今天 09:00–12:00 13:30–24:00，明天 休息\n开户：今天 22:00–02:00，明天 休息"
        );
    }

    #[test]
    fn a_queue_without_hours_is_always_open_and_a_site_without_queues_has_a_name() {
        let always = site("大厅", &[]);
        assert_eq!(site_hours(&always, FRIDAY_MS), "大厅");
        let mut rules = Rules::default();
        rules.queues.insert(QueueId::new("a"), QueueRules::new("存取款", "A"));
        let facts = always.facts.clone();
        let calendar = Calendar::new(TimeZone::UTC, 4);
        let settings = SiteSettings::new(facts, always.subject.clone(), rules, calendar);
        assert_eq!(site_hours(&settings, FRIDAY_MS), "大厅\n今天 全天，明天 全天");
    }

    #[test]
    fn whoever_reads_that_a_queue_is_closed_reads_when_it_is_open() {
        let lines: &[&str] = &["mon-fri 09:00-12:00 13:30-17:30"];
        let site = site("大厅", &[("a", "存取款", lines)]);
        let queue = || QueueId::new("a");
        for refusal in [
            Refusal::QueueClosed(queue()),
            Refusal::QueuePaused(queue()),
            Refusal::QueueClosing(queue()),
            Refusal::OutOfHours(queue()),
        ] {
            let text = refusal_reply(&site, &refusal, FRIDAY_MS);
            let zh = "开放时间：今天 09:00–12:00 13:30–17:30，明天 休息。";
            let en = "Hours: today 09:00–12:00 13:30–17:30, tomorrow closed.";
            assert!(text.contains(zh) && text.contains(en), "{text}");
        }
        let full = refusal_reply(&site, &Refusal::QueueFull(queue()), FRIDAY_MS);
        assert!(!full.contains("开放时间"), "{full}");
    }

    #[test]
    fn the_hours_of_many_sites_fit() {
        let lines: &[&str] = &["mon-fri 09:00-12:00 13:30-17:30"];
        let other: &[&str] = &["10:00-11:00"];
        let queues = [("a", "存取款", lines), ("b", "开户", other)];
        let sites = vec![site("城南便民服务大厅", &queues); 40];
        let text = reply(&sites, FRIDAY_MS);
        assert!(text.len() <= MAX_TEXT_BYTES, "{}", text.len());
        assert!(text.contains("其余门店请看现场公告") && text.ends_with("休息 closed"), "{text}");
    }
}
