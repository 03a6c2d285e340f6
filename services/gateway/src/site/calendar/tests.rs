//! Tests of business days and opening hours.

use super::lines::WEEKDAYS;
use super::*;
use proptest::prelude::*;

fn ms(instant: &str) -> i64 {
    instant.parse::<Instant>().unwrap().as_millisecond()
}

fn calendar(zone: &str, starts: i8, lines: &[&str]) -> Calendar {
    let week = WeekHours::parse(lines.iter().copied()).unwrap();
    let hours = BTreeMap::from([(QueueId::new("a"), week)]);
    Calendar::new(TimeZone::get(zone).unwrap(), starts).with_hours(hours)
}

fn day(zone: &str, instant: &str) -> i32 {
    calendar(zone, 4, &[]).at(ms(instant)).day().0
}

/// Opening hours of the business day of an instant.
fn open_hours(calendar: &Calendar, instant: &str) -> Vec<(String, String)> {
    let text = |at: Timestamp| Instant::from_millisecond(at.0).unwrap().to_string();
    let today = calendar.at(ms(instant)).today;
    today.hours[&QueueId::new("a")].iter().map(|i| (text(i.from), text(i.to))).collect()
}

#[test]
fn a_date_has_hours_of_its_own_and_a_queues_own_date_goes_before_the_sites() {
    let read = |lines: &[&str]| WeekHours::parse(lines.iter().copied()).unwrap();
    let hours = BTreeMap::from([
        (QueueId::new("a"), read(&["mon-fri 09:00-17:00", "2026-12-31 10:00-11:00"])),
        (QueueId::new("b"), read(&[])),
    ]);
    let dates = DateHours::parse(["2026-12-30..2027-01-02 closed"]).unwrap();
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let calendar = Calendar::new(zone, 4).with_hours(hours).with_dates(dates);
    let intervals = |date: &str, queue: &str| {
        let today = calendar.at(ms(&format!("{date}T04:00:00Z"))).today;
        today.hours.get(&QueueId::new(queue)).map(Vec::len)
    };
    // A Tuesday, and then a holiday.
    assert_eq!((intervals("2026-12-29", "a"), intervals("2026-12-29", "b")), (Some(1), None));
    assert_eq!((intervals("2026-12-30", "a"), intervals("2026-12-30", "b")), (Some(0), Some(0)));
    let long = open_hours(&calendar, "2026-12-31T04:00:00Z");
    assert_eq!(long, [("2026-12-31T02:00:00Z".to_owned(), "2026-12-31T03:00:00Z".to_owned())]);
    assert_eq!(
        (intervals("2027-01-03", "a"), intervals("2027-01-03", "b")),
        (Some(0), None),
        "a Sunday"
    );
    for bad in [
        "2027-02-30 closed",
        "2027-02-12..2027-02-06 closed",
        "2027-02-06",
        "2027-02-06 shut",
        "2027-02-06 09:00-12:00 11:00-13:00",
    ] {
        assert!(DateHours::parse([bad]).is_err(), "{bad}");
    }
    assert!(DateHours::parse(["2027-02-06 closed", "2027-02-01..2027-02-28 closed"]).is_err());
}

#[test]
fn shifts_are_of_their_counter_and_know_no_holidays_of_the_queues() {
    let lines = ["mon-fri 09:00-11:30 13:00-17:00", "2026-12-31 closed"];
    let shifts = BTreeMap::from([(CounterId::new("1"), WeekHours::parse(lines).unwrap())]);
    let holiday = DateHours::parse(["2026-12-30 closed"]).unwrap();
    let calendar = calendar("Asia/Shanghai", 4, &[]).with_dates(holiday).with_shifts(shifts);
    let count = |date: &str, counter: &str| {
        let today = calendar.at(ms(&format!("{date}T04:00:00Z"))).today;
        today.shifts.get(&CounterId::new(counter)).map(Vec::len)
    };
    assert_eq!((count("2026-12-30", "1"), count("2026-12-30", "2")), (Some(2), None));
    assert_eq!(count("2026-12-31", "1"), Some(0));
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
fn the_next_day_begins_where_this_one_ends() {
    let calendar = calendar("Europe/Berlin", 4, &["sat 09:00-12:00"]);
    // The night from Saturday to Sunday is an hour short.
    for instant in ["2026-03-27T10:00:00Z", "2026-03-28T10:00:00Z", "2026-03-29T01:59:00Z"] {
        let today = calendar.at(ms(instant));
        let next = calendar.next_day(&today);
        assert_eq!(next.today, calendar.at(today.today.interval.to.0).today, "{instant}");
        assert_eq!(next.today.interval.from, today.today.interval.to, "{instant}");
    }
}

#[test]
fn days_of_twenty_three_and_twenty_five_hours_are_one_day_each() {
    // Clocks in Berlin went forward on 29 March 2026 and go back on 25 October.
    for (before, on, hours) in [("2026-03-28", "2026-03-29", 23), ("2026-10-24", "2026-10-25", 25)]
    {
        let noon = |date: &str| format!("{date}T10:00:00Z");
        assert_eq!(day("Europe/Berlin", &noon(on)) - day("Europe/Berlin", &noon(before)), 1);
        // The night before the change belongs to the day before.
        let lasts = calendar("Europe/Berlin", 4, &[]).at(ms(&noon(before))).today.interval;
        assert_eq!(lasts.to.since_ms(lasts.from), hours * 3_600_000);
    }
}

#[test]
fn a_cut_over_in_the_hour_that_is_left_out_is_an_hour_later() {
    let calendar = calendar("Europe/Berlin", 2, &[]);
    let lasts = calendar.at(ms("2026-03-29T10:00:00Z")).today.interval;
    assert_eq!(lasts.from.0, ms("2026-03-29T01:00:00Z"), "03:00 summer time");
    assert_eq!(calendar.at(ms("2026-03-29T00:59:59Z")).today.interval.to, lasts.from);
}

#[test]
fn hours_are_local_before_and_after_the_clocks_change() {
    let calendar = calendar("Europe/Berlin", 4, &["09:00-17:30"]);
    assert_eq!(
        open_hours(&calendar, "2026-03-28T10:00:00Z"),
        [("2026-03-28T08:00:00Z".to_owned(), "2026-03-28T16:30:00Z".to_owned())]
    );
    assert_eq!(
        open_hours(&calendar, "2026-03-30T10:00:00Z"),
        [("2026-03-30T07:00:00Z".to_owned(), "2026-03-30T15:30:00Z".to_owned())]
    );
}

#[test]
fn hours_over_midnight_are_of_the_evening_they_begin_in() {
    let lines = ["fri 18:00-02:00", "sat 20:00-24:00"];
    let calendar = calendar("Asia/Shanghai", 4, &lines);
    let friday = [("2026-11-20T10:00:00Z".to_owned(), "2026-11-20T18:00:00Z".to_owned())];
    // Friday noon, and Saturday at one in the night.
    assert_eq!(open_hours(&calendar, "2026-11-20T04:00:00Z"), friday);
    assert_eq!(open_hours(&calendar, "2026-11-20T17:00:00Z"), friday);
    assert_eq!(
        open_hours(&calendar, "2026-11-21T04:00:00Z"),
        [("2026-11-21T12:00:00Z".to_owned(), "2026-11-21T16:00:00Z".to_owned())]
    );
    assert_eq!(open_hours(&calendar, "2026-11-22T04:00:00Z"), []);
}

#[test]
fn what_begins_before_the_cut_over_hour_is_of_the_night_after() {
    let calendar = calendar("Asia/Shanghai", 4, &["fri 01:00-05:00"]);
    // It ends with the day.
    assert_eq!(
        open_hours(&calendar, "2026-11-20T04:00:00Z"),
        [("2026-11-20T17:00:00Z".to_owned(), "2026-11-20T20:00:00Z".to_owned())]
    );
}

#[test]
fn the_whole_day_is_the_business_day_whenever_it_begins() {
    for day_starts_at in 0..24 {
        let calendar = calendar("Asia/Shanghai", day_starts_at, &["mon-fri 00:00-24:00"]);
        let friday = calendar.at(ms("2026-11-20T15:30:00Z")).today;
        assert_eq!(friday.hours[&QueueId::new("a")], [friday.interval], "{day_starts_at}");
        let sunday = calendar.at(ms("2026-11-22T15:30:00Z")).today;
        assert_eq!(sunday.hours[&QueueId::new("a")], [], "{day_starts_at}");
        let week = WeekHours::parse(["mon-fri 00:00-24:00"]).unwrap();
        assert_eq!(week.check_within_days(day_starts_at), Ok(()));
        let dates = DateHours::parse(["2026-11-21 00:00-24:00"]).unwrap();
        assert_eq!(dates.check_within_days(day_starts_at), Ok(()));
    }
}

#[test]
fn what_cannot_be_read_is_said_so() {
    let lines = [
        "mon",
        "mon 9-17",
        "noday 09:00-17:00",
        "09:00-09:00",
        "24:00-00:00",
        "24:00-24:00",
        "mon 09:00-12:00 11:00-13:00",
        "mon 00:00-24:00 11:00-13:00",
        "mon 11:00-13:00 00:00-24:00",
    ];
    for line in lines {
        assert!(WeekHours::parse([line]).is_err(), "{line}");
    }
    assert!(WeekHours::parse(["sat-mon 10:00-12:00", "tue 22:00-02:00"]).is_ok());
}

/// Lines of a week in the form that is stored, with the days and hours that they mean.
fn stored_week() -> impl Strategy<Value = (Vec<String>, [Vec<[String; 2]>; 7])> {
    // Two intervals at most for a line, apart from each other, and the last one may pass midnight.
    let intervals = prop_oneof![
        Just(vec![(0, 24 * 60)]),
        (0u32..600, 600u32..700, 700u32..1000, 1000u32..=1440, any::<bool>()).prop_map(
            |(from, to, again, end, is_one)| {
                let first = (from, to);
                if is_one { vec![first] } else { vec![first, (again, end)] }
            }
        ),
        (700u32..1440, 1u32..240).prop_map(|(from, to)| vec![(from, to)]),
    ];
    let line = (0usize..7, 0usize..7, intervals, any::<bool>());
    let text = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    proptest::collection::vec(line, 1..4).prop_map(move |lines| {
        let mut week: [Vec<[String; 2]>; 7] = Default::default();
        let mut written = Vec::new();
        for (first, last, intervals, is_loud) in lines {
            let days: Vec<_> =
                (0..=(last + 7 - first) % 7).map(|step| (first + step) % 7).collect();
            // A day that has hours already would get those that overlap.
            if days.iter().any(|day| !week[*day].is_empty()) {
                continue;
            }
            let name = |day: usize| {
                if is_loud { WEEKDAYS[day].to_uppercase() } else { WEEKDAYS[day].to_owned() }
            };
            let days_text =
                if first == last { name(first) } else { format!("{}-{}", name(first), name(last)) };
            let pairs: Vec<[String; 2]> =
                intervals.iter().map(|(from, to)| [text(*from), text(*to)]).collect();
            let hours: Vec<_> = pairs.iter().map(|[from, to]| format!("{from}-{to}")).collect();
            written.push(format!("{days_text} {}", hours.join(" ")));
            for day in days {
                week[day] = pairs.clone();
            }
        }
        (written, week)
    })
}

/// The same lines as a person writes them.
fn in_chinese(line: &str) -> String {
    let mut text = line.to_lowercase().replace('-', "至").replace(':', "：");
    for (day, numeral) in WEEKDAYS.iter().zip("一二三四五六日".chars()) {
        text = text.replace(day, &format!("周{numeral}"));
    }
    text.replace("00：00至24：00", "全天")
}

fn date_lines() -> impl Strategy<Value = Vec<String>> {
    let hours = prop_oneof![
        Just("closed".to_owned()),
        Just("00:00-24:00".to_owned()),
        (0u32..12, 12u32..24).prop_map(|(from, to)| format!("{from:02}:00-{to:02}:30")),
    ];
    let dates = (1i64..700, 0i64..9, hours).prop_map(|(start, length, hours)| {
        let first = date_from_days(20_000 + start as i32);
        let last = date_from_days(20_000 + (start + length) as i32);
        if first == last { format!("{first} {hours}") } else { format!("{first}..{last} {hours}") }
    });
    proptest::collection::vec(dates, 0..6)
}

proptest! {
    #[test]
    fn every_stored_line_means_what_it_says((lines, week) in stored_week()) {
        let (hours, is_stored_form) = WeekHours::read(lines.iter().map(String::as_str)).unwrap();
        prop_assert!(is_stored_form, "{lines:?}");
        prop_assert_eq!(hours.days(), Some(week));
    }

    #[test]
    fn lines_and_the_week_are_the_same_hours((lines, _) in stored_week(), dates in date_lines()) {
        let dates = dates.iter().map(|line| DateHours::parse([&**line]).unwrap());
        let dates = dates.fold(DateHours::default(), DateHours::overlaid);
        let hours = WeekHours::parse(lines.iter().map(String::as_str)).unwrap().with_dates(dates);
        let written = hours.lines();
        let (read, is_stored_form) = WeekHours::read(written.iter().map(String::as_str)).unwrap();
        prop_assert!(is_stored_form, "{written:?}");
        prop_assert_eq!(read.days(), hours.days());
        prop_assert_eq!(read.lines(), written);
    }

    #[test]
    fn chinese_lines_are_the_same_hours((lines, week) in stored_week()) {
        let chinese: Vec<_> = lines.iter().map(|line| in_chinese(line)).collect();
        let (hours, is_stored_form) = WeekHours::read(chinese.iter().map(String::as_str)).unwrap();
        prop_assert!(!is_stored_form, "{chinese:?}");
        prop_assert_eq!(hours.days(), Some(week), "{:?}", chinese);
    }

    #[test]
    fn whatever_is_read_is_stored_in_a_form_that_means_the_same(
        text in "((周[一二三四五六日末]|mon|sat|每天|至|、|-| |休息|全天|[0-9]{1,2}(:[0-9]{2}|点半?)|\\.\\.|2027-0[1-3]-0[1-9]|[1-3]月[1-9]日|closed){1,9}\n?){1,3}",
    ) {
        if let Ok((hours, _)) = WeekHours::read(text.lines()) {
            let lines = hours.lines();
            let (again, is_stored_form) = WeekHours::read(lines.iter().map(String::as_str)).unwrap();
            prop_assert!(is_stored_form, "{lines:?}");
            prop_assert_eq!(again.days(), hours.days());
            prop_assert_eq!(again.lines(), lines);
        }
        let _ = read_notice(&text, Some(2027));
    }

    #[test]
    fn dates_that_are_laid_over_others_leave_the_rest_as_they_were(
        below in date_lines(), above in date_lines(), day in 20_000i32..20_720,
    ) {
        let overlaid = |lines: &[String]| {
            let dates = lines.iter().map(|line| DateHours::parse([&**line]).unwrap());
            dates.fold(DateHours::default(), DateHours::overlaid)
        };
        let (below, above) = (overlaid(&below), overlaid(&above));
        let both = below.clone().overlaid(above.clone());
        let date = date_from_days(day);
        prop_assert_eq!(both.hours_on(date), above.hours_on(date).or(below.hours_on(date)));
        let lines = both.lines();
        let read = DateHours::parse(lines.iter().map(String::as_str)).unwrap();
        prop_assert_eq!(read.hours_on(date), both.hours_on(date));
    }
}
