//! Message templates and the limits of their typed fields.

use std::collections::BTreeMap;

use serde::Serialize;

/// Template of the account's category library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimTemplate {
    /// Id by which a message names the template.
    pub template_id: String,
    /// Title of the card.
    pub title: String,
    /// Keys and labels in the order of the card. A key is a type and a number, such as `thing1`.
    pub fields: Vec<(String, String)>,
}

impl SimTemplate {
    /// Creates a template from borrowed parts.
    pub fn new(template_id: &str, title: &str, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(key, label)| (key.to_string(), label.to_string()));
        Self { template_id: template_id.into(), title: title.into(), fields: fields.collect() }
    }

    /// Id of the first of [`demo`](Self::demo): progress of the line.
    pub const DEMO_PROGRESS: &str = "SIM43521_progress_of_the_line_0000000000001";
    /// Id of the second of [`demo`](Self::demo): the number is called.
    pub const DEMO_CALLED: &str = "SIM43522_the_number_is_called_0000000000002";

    /// Id of the third: the place in the line has changed.
    pub const DEMO_CHANGED: &str = "SIM43523_the_place_has_changed_000000000003";
    /// Id of the fourth: the number was missed.
    pub const DEMO_MISSED: &str = "SIM43524_the_number_was_missed_000000000004";

    /// Returns templates like 43521 and 43522 of the public library, and two for other news.
    pub fn demo() -> Vec<Self> {
        vec![
            Self::new(
                Self::DEMO_PROGRESS,
                "排队进度提醒",
                &[
                    ("thing1", "门店名称"),
                    ("character_string2", "排队号码"),
                    ("short_thing3", "前面人数"),
                    ("thing4", "预计等待"),
                ],
            ),
            Self::new(
                Self::DEMO_CALLED,
                "叫号通知",
                &[
                    ("thing1", "门店名称"),
                    ("character_string2", "排队号码"),
                    ("thing3", "办理窗口"),
                    ("time4", "叫号时间"),
                ],
            ),
            Self::new(
                Self::DEMO_CHANGED,
                "排队状态提醒",
                &[
                    ("thing1", "门店名称"),
                    ("character_string2", "排队号码"),
                    ("thing3", "当前状态"),
                    ("short_thing4", "前面人数"),
                    ("short_thing5", "预计等待"),
                ],
            ),
            Self::new(
                Self::DEMO_MISSED,
                "过号提醒",
                &[
                    ("thing1", "门店名称"),
                    ("character_string2", "排队号码"),
                    ("thing3", "温馨提示"),
                ],
            ),
        ]
    }

    /// Id of the first of [`demo_subscriptions`](Self::demo_subscriptions): the number is called.
    pub const DEMO_SUBSCRIPTION_CALLED: &str = "SIMsub01_the_number_is_called_0000000000001";

    /// Returns templates of subscription notices, whose ids are none of template messages.
    pub fn demo_subscriptions() -> Vec<Self> {
        vec![Self::new(
            Self::DEMO_SUBSCRIPTION_CALLED,
            "叫号提醒",
            &[
                ("thing1", "门店名称"),
                ("character_string2", "排队号码"),
                ("thing3", "办理窗口"),
                ("time4", "叫号时间"),
            ],
        )]
    }

    /// Content of the card with its keys, as WeChat lists it.
    pub(crate) fn content(&self, colon: &str) -> String {
        let line = |(key, label): &(String, String)| format!("{label}{colon}{{{{{key}.DATA}}}}\n");
        self.fields.iter().map(line).collect()
    }

    /// Returns the first key that is missing or unknown, or whose value does not fit its type.
    pub(crate) fn invalid_field<'a>(
        &'a self,
        data: &'a BTreeMap<String, String>,
    ) -> Option<&'a str> {
        let unknown = data.keys().find(|key| !self.fields.iter().any(|(known, _)| known == *key));
        let broken = self.fields.iter().map(|(key, _)| key).find(|key| {
            !data
                .get(*key)
                .is_some_and(|value| is_valid_value(key.trim_end_matches(is_digit), value))
        });
        broken.or(unknown).map(String::as_str)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_symbol(c: char) -> bool {
    !is_cjk(c) && !c.is_alphanumeric()
}

/// True if WeChat accepts the value for a field of this type.
fn is_valid_value(kind: &str, value: &str) -> bool {
    let len = value.chars().count();
    let all = |allowed: fn(char) -> bool| value.chars().all(allowed);
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return false;
    }
    match kind {
        "thing" | "const" => len <= 20,
        "short_thing" => len <= 5,
        "character_string" => len <= 32 && !value.chars().any(is_cjk),
        "number" => len <= 32 && value.parse::<f64>().is_ok() && all(|c| is_digit(c) || c == '.'),
        "letter" => len <= 32 && all(|c| c.is_ascii_alphabetic()),
        "symbol" => len <= 5 && all(is_symbol),
        "time" => value.split('~').all(|part| is_time(part.trim())),
        "date" => value.split('~').all(|part| is_date(part.trim())),
        "amount" => is_amount(value),
        "phone_number" => len <= 17 && all(|c| is_digit(c) || is_symbol(c)),
        "car_number" => len <= 8,
        "name" => len <= if value.chars().any(is_cjk) { 10 } else { 20 },
        "phrase" => len <= 5 && all(is_cjk),
        _ => true,
    }
}

/// True for `15:01`, `15:01:02`, or either after a date.
fn is_time(text: &str) -> bool {
    let (date, clock) = text.rsplit_once(' ').map_or(("", text), |(date, clock)| (date, clock));
    let parts: Vec<_> = clock.split(':').collect();
    let below = |part: &str, limit| {
        part.len() <= 2 && part.chars().all(is_digit) && part.parse().is_ok_and(|n: u32| n < limit)
    };
    let clock_holds = matches!(parts.len(), 2 | 3)
        && below(parts[0], 24)
        && parts[1..].iter().all(|part| part.len() == 2 && below(part, 60));
    clock_holds && (date.is_empty() || is_date(date.trim()))
}

/// True for `2019年10月1日`, `2018-01-01`, `2018/01/01`, `2018.01.01`, `2018-01` and `01-01`, each
/// with or without a time after it.
fn is_date(text: &str) -> bool {
    let date = text.split(' ').next().unwrap_or_default();
    let numbers: Vec<_> = date.split(|c| !is_digit(c)).filter(|part| !part.is_empty()).collect();
    let signs = date.chars().filter(|c| !is_digit(*c)).all(|c| "年月日-/.".contains(c));
    signs
        && matches!(numbers.len(), 2 | 3)
        && numbers.iter().all(|number| matches!(number.len(), 1 | 2 | 4))
        && text.split_once(' ').is_none_or(|(_, clock)| is_time(clock.trim()))
}

fn is_amount(text: &str) -> bool {
    let bare = text.strip_suffix('元').unwrap_or(text);
    let bare = bare.strip_prefix(|c: char| !is_digit(c) && !is_cjk(c)).unwrap_or(bare);
    let digits = bare.split('.').next().unwrap_or_default();
    (1..=10).contains(&digits.len()) && is_valid_value("number", bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_limits() {
        let twenty = "号".repeat(20);
        let long = "9".repeat(33);
        for (kind, valid, bad) in [
            ("thing", twenty.as_str(), "一行\n又一行"),
            ("thing", "3号窗口 (1/2)", &format!("{twenty}号")),
            ("short_thing", "5人", "六个字以上的"),
            ("character_string", "A012", "测试单号"),
            ("number", "12.5", &long),
            ("number", "0", "A1"),
            ("letter", "abc", "a1"),
            ("symbol", "→!", "a"),
            ("time", "15:01", "25:01"),
            ("time", "2019年10月1日 15:01", "今天下午"),
            ("time", "10:00~11:00", "10:00~"),
            ("time", "2026-01-05 10:20:30", "15:1"),
            ("date", "2019年10月1日", "明天"),
            ("date", "2018/01/01", "2018"),
            ("date", "01-01", "01-01 99:00"),
            ("amount", "¥100.50", "¥12345678901"),
            ("amount", "100元", "很多"),
            ("phone_number", "+86-0766-66888866", "电话"),
            ("car_number", "粤A8Z888挂", "粤A8Z888挂挂挂"),
            ("name", "张三", "张三张三张三张三张三张"),
            ("name", "Zhang San Zhang San", "Zhang San Zhang San Z"),
            ("phrase", "配送中", "配送中1"),
        ] {
            assert!(is_valid_value(kind, valid), "{kind}: {valid}");
            assert!(!is_valid_value(kind, bad), "{kind}: {bad}");
            assert!(!is_valid_value(kind, "") && !is_valid_value(kind, " "), "{kind}: empty");
        }
    }

    #[test]
    fn the_refused_key_is_named() {
        let template = &SimTemplate::demo()[1];
        let valid = [
            ("thing1", "和平门诊"),
            ("character_string2", "A012"),
            ("thing3", "3号窗口"),
            ("time4", "10:20"),
        ];
        let data = |changed: (&str, Option<&str>)| {
            let mut all: BTreeMap<String, String> =
                valid.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            all.remove(changed.0);
            all.extend(changed.1.map(|value| (changed.0.to_owned(), value.to_owned())));
            all
        };
        let refused = |changed| template.invalid_field(&data(changed)).map(str::to_owned);
        assert_eq!(refused(("thing1", Some("和平门诊"))), None);
        assert_eq!(
            refused(("character_string2", Some("号A012"))).as_deref(),
            Some("character_string2")
        );
        assert_eq!(refused(("time4", None)).as_deref(), Some("time4"));
        assert_eq!(refused(("thing9", Some("多余"))).as_deref(), Some("thing9"));
    }
}
