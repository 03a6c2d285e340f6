//! Opening hours as people write them, in Chinese too: `周一至周五 9:00-17:30`, `周末 休息`,
//! `每天 上午9点到下午5点半`. They are translated to the lines that are stored.

use super::lines::{WEEKDAYS, WHOLE_DAY as WHOLE_DAY_INTERVAL};

/// Line of a week as a person wrote it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WeekWords {
    /// The same as lines that are stored, one for each run of days.
    pub(super) lines: Vec<String>,
    /// Days that it says are closed, from Monday on.
    pub(super) closed: Vec<usize>,
}

/// Part of a line that has a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Days(Vec<usize>),
    /// Minutes since midnight.
    Time(u32),
    To,
    Closed,
    WholeDay,
}

/// Half of the day that a time without one is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Morning,
    Noon,
    Afternoon,
    Night,
}

/// Words for a closed day.
pub(super) const CLOSED: [&str; 13] = [
    "不营业",
    "不上班",
    "放假",
    "休息",
    "休假",
    "休诊",
    "停诊",
    "休市",
    "关门",
    "停业",
    "歇业",
    "闭店",
    "closed",
];

const WHOLE_DAY: [&str; 3] = ["24小时", "全天", "通宵"];

const PERIODS: [(&str, Period); 9] = [
    ("凌晨", Period::Morning),
    ("早上", Period::Morning),
    ("早晨", Period::Morning),
    ("上午", Period::Morning),
    ("中午", Period::Noon),
    ("下午", Period::Afternoon),
    ("傍晚", Period::Afternoon),
    ("晚上", Period::Night),
    ("晚", Period::Night),
];

const DAY_SETS: [(&str, &[usize]); 8] = [
    ("周末", &[5, 6]),
    ("工作日", &[0, 1, 2, 3, 4]),
    ("平日", &[0, 1, 2, 3, 4]),
    ("双休日", &[5, 6]),
    ("每天", &[0, 1, 2, 3, 4, 5, 6]),
    ("每日", &[0, 1, 2, 3, 4, 5, 6]),
    ("天天", &[0, 1, 2, 3, 4, 5, 6]),
    ("全周", &[0, 1, 2, 3, 4, 5, 6]),
];

/// Words that add nothing, the longest first.
const NOISE: [&str; 9] =
    ["营业时间", "开放时间", "次日", "第二天", "营业", "开放", "开门", "上班", "每"];

/// Text with half-width characters and one kind of dash, as characters.
pub(super) fn half_width(text: &str) -> Vec<char> {
    let half = |c: char| match c {
        '\u{3000}' => ' ',
        '~' | '～' | '〜' | '—' | '–' | '−' | '﹣' | '至' | '到' => '-',
        '、' | '；' | '，' | '。' => ',',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    let mut chars: Vec<char> = text.trim().chars().map(half).collect();
    // A dash may be written as two.
    chars.dedup_by(|next, before| *next == '-' && *before == '-');
    chars
}

/// Returns the characters behind a word, if the text begins with it.
pub(super) fn after_word<'a>(text: &'a [char], word: &str) -> Option<&'a [char]> {
    let mut rest = text;
    for c in word.chars() {
        let (first, behind) = rest.split_first()?;
        if !first.eq_ignore_ascii_case(&c) {
            return None;
        }
        rest = behind;
    }
    Some(rest)
}

/// Returns what the text begins with, of a table, and the characters behind it.
pub(super) fn find_word<T: Copy>(
    text: &[char],
    table: impl IntoIterator<Item = (&'static str, T)>,
) -> Option<(T, &[char])> {
    table.into_iter().find_map(|(word, value)| Some((value, after_word(text, word)?)))
}

/// Day of the week by its numeral, from Monday on.
fn numeral_day(c: char) -> Option<usize> {
    match c {
        '日' | '天' => Some(6),
        c => "一二三四五六".chars().position(|numeral| numeral == c),
    }
}

/// Reads a day of the week: `周三`, `星期三`, `礼拜三`.
pub(super) fn weekday(text: &[char]) -> Option<(usize, &[char])> {
    let (_, rest) = find_word(text, ["周", "星期", "礼拜"].map(|word| (word, ())))?;
    let (numeral, rest) = rest.split_first()?;
    Some((numeral_day(*numeral)?, rest))
}

/// Reads a whole number of up to four digits.
pub(super) fn number(text: &[char]) -> Option<(u32, &[char])> {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    if !(1..=4).contains(&digits) {
        return None;
    }
    let number = text[..digits].iter().collect::<String>().parse().ok()?;
    Some((number, &text[digits..]))
}

/// Reads a half of the day, which counts for the times behind it.
pub(super) fn period(text: &[char]) -> Option<(Period, &[char])> {
    find_word(text, PERIODS)
}

/// Reads a time in minutes since midnight: `9:00`, `9点`, `9点半`, `9时30分`.
pub(super) fn time(text: &[char], period: Option<Period>) -> Option<(u32, &[char])> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = match rest.split_first()? {
        (':', rest) if rest.iter().take_while(|c| c.is_ascii_digit()).count() == 2 => number(rest)?,
        ('点' | '时', rest) => match after_word(rest, "半") {
            Some(rest) => (30, rest),
            None => match number(rest) {
                Some((minute, rest)) => (minute, after_word(rest, "分").unwrap_or(rest)),
                None => (0, after_word(rest, "整").unwrap_or(rest)),
            },
        },
        _ => return None,
    };
    let hour = match (period, hour) {
        (Some(Period::Afternoon), 1..12) | (Some(Period::Night), 5..12) => hour + 12,
        (Some(Period::Noon), 1..3) => hour + 12,
        (Some(Period::Night), 12) => 24,
        _ => hour,
    };
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= 24 * 60).then_some((minutes, rest))
}

/// End of an interval as it is meant: `上午9点到5点` ends in the afternoon, since the end has no half
/// of the day of its own.
pub(super) fn end_after(from: u32, to: u32, has_own_period: bool) -> u32 {
    const HALF_A_DAY: u32 = 12 * 60;
    if !has_own_period && to <= from && to + HALF_A_DAY > from && to + HALF_A_DAY <= 24 * 60 {
        to + HALF_A_DAY
    } else {
        to
    }
}

/// Interval as it is stored.
pub(super) fn interval_text(from: u32, to: u32) -> String {
    let time = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("{}-{}", time(from), time(to))
}

/// Reads the parts of a line; an error is the part that has no meaning.
fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let chars = half_width(line);
    let mut text = &chars[..];
    let mut found: Vec<Token> = Vec::new();
    let mut current_period = None;
    let mut end_has_own_period = true;
    while let Some((first, behind)) = text.split_first() {
        // A numeral by itself is a day where days are listed: 周一、三、五.
        let lists_days =
            matches!(found[..], [.., Token::Days(_)] | [.., Token::Days(_), Token::To]);
        let english = || {
            WEEKDAYS.iter().enumerate().find_map(|(day, name)| {
                let rest = after_word(text, name)?;
                let ends = !rest.first().is_some_and(char::is_ascii_alphabetic);
                ends.then_some((day, rest))
            })
        };
        (found, text) = if first.is_whitespace() || ",:|/".contains(*first) {
            (found, behind)
        } else if *first == '-' {
            end_has_own_period = current_period.is_none();
            (with(found, Token::To), behind)
        } else if let Some(((), rest)) = find_word(text, CLOSED.map(|word| (word, ()))) {
            (with(found, Token::Closed), rest)
        } else if let Some(((), rest)) = find_word(text, WHOLE_DAY.map(|word| (word, ()))) {
            (with(found, Token::WholeDay), rest)
        } else if let Some((days, rest)) = find_word(text, DAY_SETS) {
            (with(found, Token::Days(days.to_vec())), rest)
        } else if let Some((day, rest)) = weekday(text).or_else(english) {
            current_period = None;
            (with(found, Token::Days(vec![day])), rest)
        } else if let Some((found_period, rest)) = period(text) {
            current_period = Some(found_period);
            end_has_own_period = true;
            (found, rest)
        } else if let Some((minutes, rest)) = time(text, current_period) {
            let minutes = match &found[..] {
                [.., Token::Time(from), Token::To] => end_after(*from, minutes, end_has_own_period),
                _ => minutes,
            };
            (with(found, Token::Time(minutes)), rest)
        } else if let Some(day) = numeral_day(*first).filter(|_| lists_days) {
            (with(found, Token::Days(vec![day])), behind)
        } else if let Some(((), rest)) = find_word(text, NOISE.map(|word| (word, ()))) {
            (found, rest)
        } else {
            return Err(text.iter().take(12).collect());
        };
    }
    Ok(found)
}

fn with(mut tokens: Vec<Token>, token: Token) -> Vec<Token> {
    tokens.push(token);
    tokens
}

/// Translates a line of a week. The error is the part that has no meaning.
pub(super) fn week_line(line: &str) -> Result<WeekWords, String> {
    let tokens = tokens(line)?;
    let unclear = || line.trim().to_owned();
    let mut words = WeekWords::default();
    let mut days: Vec<usize> = Vec::new();
    let mut rest = &tokens[..];
    // True while days are listed, before what is said of them.
    let mut lists_days = false;
    while !rest.is_empty() {
        let spoken_of = if days.is_empty() { (0..7).collect() } else { days.clone() };
        rest = match rest {
            [Token::Days(first), Token::To, Token::Days(last), rest @ ..] => {
                let (&first, &last) = first.first().zip(last.last()).ok_or_else(unclear)?;
                if !lists_days {
                    days.clear();
                }
                days.extend((0..(last + 7 - first) % 7 + 1).map(|step| (first + step) % 7));
                lists_days = true;
                rest
            }
            [Token::Days(named), rest @ ..] => {
                if !lists_days {
                    days.clear();
                }
                days.extend(named);
                lists_days = true;
                rest
            }
            [Token::Time(from), Token::To, Token::Time(to), rest @ ..] => {
                words.lines.extend(lines_of(&spoken_of, &interval_text(*from, *to)));
                lists_days = false;
                rest
            }
            [Token::WholeDay, rest @ ..] => {
                words.lines.extend(lines_of(&spoken_of, WHOLE_DAY_INTERVAL));
                lists_days = false;
                rest
            }
            [Token::Closed, rest @ ..] => {
                words.closed.extend(&spoken_of);
                lists_days = false;
                rest
            }
            _ => return Err(unclear()),
        };
    }
    if lists_days || words == WeekWords::default() { Err(unclear()) } else { Ok(words) }
}

fn lines_of(days: &[usize], interval: &str) -> Vec<String> {
    days.iter().map(|day| format!("{} {interval}", WEEKDAYS[*day])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::hours::WeekHours;

    #[test]
    fn hours_are_read_as_people_write_them() {
        for (written, meant) in [
            ("周一至周五 9:00-17:30", "mon-fri 09:00-17:30"),
            ("周一到周五：９：００－１７：３０", "mon-fri 09:00-17:30"),
            ("星期一~星期五 9点—17点半", "mon-fri 09:00-17:30"),
            ("周末 10:00-16:00", "sat-sun 10:00-16:00"),
            ("每天 8:30-12:00、13:30-18:00", "mon-sun 08:30-12:00 13:30-18:00"),
            ("每天 上午9点到下午5点半", "mon-sun 09:00-17:30"),
            ("工作日 上午9点-12点 下午1点半-5点", "mon-fri 09:00-12:00 13:30-17:00"),
            ("早上9点到5点", "mon-sun 09:00-17:00"),
            ("周五、周六 晚上6点至次日2:00", "fri-sat 18:00-02:00"),
            ("周六 18:00-24:00", "sat 18:00-24:00"),
            ("周日 24小时", "sun 00:00-24:00"),
            ("周六至周一 10:00-12:00", "mon 10:00-12:00\nsat-sun 10:00-12:00"),
            ("周一、三、五 9:00-12:00", "mon 09:00-12:00\nwed 09:00-12:00\nfri 09:00-12:00"),
            ("周一至五 9:00-17:00，周六 9:00-12:00", "mon-fri 09:00-17:00\nsat 09:00-12:00"),
            ("每天 9:00-17:00\n周日休息", "mon-sat 09:00-17:00"),
            ("周日休息\n每天 9:00-17:00", "mon-sat 09:00-17:00"),
            ("mon-fri 09:00-17:00\n周六 9:00-12:00", "mon-fri 09:00-17:00\nsat 09:00-12:00"),
            ("sat 9:00-12:00\nsun closed", "sat 09:00-12:00"),
            ("每天 上午11点到凌晨1点", "mon-sun 11:00-01:00"),
            ("每天 17:00-9:00", "mon-sun 17:00-09:00"),
            ("礼拜天 中午12点-晚上12点", "sun 12:00-24:00"),
        ] {
            let hours =
                WeekHours::parse(written.lines()).unwrap_or_else(|e| panic!("{written}: {e}"));
            assert_eq!(hours.lines().join("\n"), meant, "{written}");
        }
    }

    #[test]
    fn what_has_no_clear_meaning_is_refused_and_named() {
        for written in [
            "周一至周五",
            "周八 9:00-17:00",
            "周一 9-17",
            "随便什么时候",
            "周一 9:00",
            "周一 25:00-26:00",
            "周一 9:00-12:00-13:00",
            "至周五 9:00-17:00",
            "每天休息",
            "周一 9:75-12:00",
        ] {
            assert!(WeekHours::parse(written.lines()).is_err(), "{written}");
        }
        let error = WeekHours::parse(["周一 九点到五点"]).unwrap_err().to_string();
        assert!(error.contains("九点"), "{error}");
    }
}
