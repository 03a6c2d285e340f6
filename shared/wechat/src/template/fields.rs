//! Field types of templates: WeChat's rules for each type, and the fitting of a text to them.
//!
//! WeChat refuses some faults with 47003 and silently cuts or drops others. So every text is
//! checked against the published table before it is sent. If a text stays true when cut, it is cut
//! visibly, on a character; a number or a time that does not fit is not.

use std::fmt;

/// Type of a field; its key is the type and a number: `thing1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// At most 20 characters of any kind.
    Thing,
    /// At most 5 characters of any kind.
    ShortThing,
    /// At most 32 letters, digits and signs; no Chinese.
    CharacterString,
    /// At most 32 digits, with a decimal point.
    Number,
    /// At most 32 letters.
    Letter,
    /// At most 5 signs.
    Symbol,
    /// A time of day, with or without a date; two with `~` between them are a span.
    Time,
    /// A date, with or without a time; two with `~` between them are a span.
    Date,
    /// A currency sign, at most 10 digits, a decimal part, `元`.
    Amount,
    /// At most 17 digits and signs.
    PhoneNumber,
    /// At most 8 characters, as on a number plate.
    CarNumber,
    /// At most 10 characters if any is Chinese, else 20.
    Name,
    /// At most 5 Chinese characters and nothing else.
    Phrase,
    /// At most 20 characters, and only texts that were approved in WeChat's console.
    Const,
    /// A value from a list that only WeChat has.
    Enum,
}

/// Faults of a text for a field. The error never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldTextError {
    /// Empty.
    Empty,
    /// More characters than this.
    TooLong(usize),
    /// A line feed or another control character.
    ControlCharacter,
    /// A character that this type does not accept.
    ForbiddenCharacter,
    /// Not of the form of this type.
    InvalidFormat,
}

impl fmt::Display for FieldTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldTextError::Empty => f.write_str("it is empty"),
            FieldTextError::TooLong(max) => write!(f, "it has more than {max} characters"),
            FieldTextError::ControlCharacter => {
                f.write_str("it has a line feed or another control character")
            }
            FieldTextError::ForbiddenCharacter => {
                f.write_str("it has a character that this type does not accept")
            }
            FieldTextError::InvalidFormat => f.write_str("it is not of the form of this type"),
        }
    }
}

impl FieldType {
    /// Parses the type in a key; `None` for an unknown one (including `first`, `keyword1` and
    /// `remark` of old templates).
    pub fn from_key(key: &str) -> Option<FieldType> {
        let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
        if name.len() == key.len() {
            return None;
        }
        Some(match name {
            "thing" => FieldType::Thing,
            "short_thing" => FieldType::ShortThing,
            "character_string" => FieldType::CharacterString,
            "number" => FieldType::Number,
            "letter" => FieldType::Letter,
            "symbol" => FieldType::Symbol,
            "time" => FieldType::Time,
            "date" => FieldType::Date,
            "amount" => FieldType::Amount,
            "phone_number" => FieldType::PhoneNumber,
            "car_number" => FieldType::CarNumber,
            "name" => FieldType::Name,
            "phrase" => FieldType::Phrase,
            "const" => FieldType::Const,
            "enum" | "enum_string" => FieldType::Enum,
            _ => return None,
        })
    }

    /// Most characters (Unicode scalar values) for this text.
    fn max_chars(self, text: &str) -> usize {
        match self {
            FieldType::Thing | FieldType::Const => 20,
            FieldType::ShortThing | FieldType::Symbol | FieldType::Phrase => 5,
            FieldType::CharacterString | FieldType::Number | FieldType::Letter => 32,
            FieldType::PhoneNumber => 17,
            FieldType::CarNumber => 8,
            FieldType::Name if text.chars().any(is_cjk) => 10,
            FieldType::Name => 20,
            // No limit is published; the form bounds the length.
            FieldType::Time | FieldType::Date | FieldType::Amount | FieldType::Enum => 64,
        }
    }

    fn allows(self, c: char) -> bool {
        match self {
            FieldType::CharacterString => !is_cjk(c),
            FieldType::Number => c.is_ascii_digit() || c == '.' || c == '-',
            FieldType::Letter => c.is_ascii_alphabetic(),
            FieldType::Symbol => is_symbol(c),
            FieldType::PhoneNumber => c.is_ascii_digit() || is_symbol(c),
            FieldType::Phrase => is_cjk(c),
            _ => true,
        }
    }

    /// Checks a text for a field of this type.
    pub fn check(self, text: &str) -> Result<(), FieldTextError> {
        if text.trim().is_empty() {
            return Err(FieldTextError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(FieldTextError::ControlCharacter);
        }
        if !text.chars().all(|c| self.allows(c) && !is_emoji(c)) {
            return Err(FieldTextError::ForbiddenCharacter);
        }
        let max = self.max_chars(text);
        if text.chars().count() > max {
            return Err(FieldTextError::TooLong(max));
        }
        let has_form = match self {
            FieldType::Number => text.parse::<f64>().is_ok(),
            FieldType::Time => text.split(['~', '～']).all(|part| is_time(part.trim())),
            FieldType::Date => text.split(['~', '～']).all(|part| is_date(part.trim())),
            FieldType::Amount => is_amount(text),
            _ => true,
        };
        if has_form { Ok(()) } else { Err(FieldTextError::InvalidFormat) }
    }

    /// Removes characters that this type does not accept and cuts the text to its length, as long
    /// as it stays true. [`FieldType::check`] then tells whether the text fits.
    pub fn fit(self, text: &str) -> String {
        let is_accepted = |c: &char| self.allows(*c) && !is_emoji(*c);
        let can_be_cut = matches!(
            self,
            FieldType::Thing
                | FieldType::ShortThing
                | FieldType::CharacterString
                | FieldType::Letter
                | FieldType::Symbol
                | FieldType::Name
                | FieldType::Phrase
        );
        let spaced_text = normalize_spaces(text);
        if !can_be_cut {
            return spaced_text;
        }
        let clean: String = spaced_text.chars().filter(is_accepted).collect();
        let clean = clean.trim();
        if clean.is_empty() {
            return self.empty_placeholder().to_owned();
        }
        let max = self.max_chars(clean);
        if clean.chars().count() <= max {
            return clean.to_owned();
        }
        match self {
            FieldType::Phrase | FieldType::Letter | FieldType::Symbol => {
                clean.chars().take(max).collect()
            }
            FieldType::CharacterString => clean.chars().take(max - 2).chain("..".chars()).collect(),
            _ => clean.chars().take(max - 1).chain(['…']).collect(),
        }
    }

    /// Placeholder for an empty text, which WeChat refuses.
    fn empty_placeholder(self) -> &'static str {
        match self {
            FieldType::Phrase => "无",
            FieldType::Letter => "",
            _ => "-",
        }
    }
}

/// Fits a text to the field with this key, as long as it stays true. For an unknown type only
/// characters that no type accepts are removed, and 20 characters are kept.
pub fn fit(key: &str, text: &str) -> String {
    FieldType::from_key(key).unwrap_or(FieldType::Thing).fit(text)
}

/// Removes emoji, which WeChat removes, and replaces line feeds and similar characters by spaces:
/// WeChat drops the text after them.
pub fn normalize_spaces(text: &str) -> String {
    let spaced: String = text
        .chars()
        .filter(|c| !is_emoji(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_symbol(c: char) -> bool {
    !is_cjk(c) && !c.is_alphanumeric() && !c.is_control()
}

/// True for emoji, which WeChat removes from a delivered message. ★ and ☆ are older than emoji and
/// stay.
fn is_emoji(c: char) -> bool {
    let in_emoji_block = matches!(c,
        '\u{200d}' | '\u{20e3}' | '\u{fe0e}' | '\u{fe0f}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b50}' | '\u{2b55}' | '\u{1f000}'..='\u{1faff}' | '\u{e0000}'..='\u{e007f}');
    in_emoji_block && !matches!(c, '\u{2605}' | '\u{2606}')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `15:01` or `15:01:02`, alone or after a date.
fn is_time(text: &str) -> bool {
    let (date, clock) = text.rsplit_once(' ').map_or(("", text), |(date, clock)| (date, clock));
    let mut parts = clock.split([':', '：']);
    let below = |part: &str, limit: u32| {
        part.len() <= 2 && is_digits(part) && part.parse().is_ok_and(|n: u32| n < limit)
    };
    let hours = parts.next().is_some_and(|part| below(part, 24));
    let other_parts: Vec<&str> = parts.collect();
    let minutes = matches!(other_parts.len(), 1 | 2)
        && other_parts.iter().all(|p| p.len() == 2 && below(p, 60));
    hours && minutes && (date.is_empty() || is_date(date.trim()))
}

/// `2019年10月1日`, `2018-01-01`, `2018/01/01`, `2018.01.01`, `2018-01`, `01-01`, with or without a
/// time after it.
fn is_date(text: &str) -> bool {
    let (date, clock) = text.split_once(' ').map_or((text, None), |(d, clock)| (d, Some(clock)));
    let numbers: Vec<&str> =
        date.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let signs = date.chars().filter(|c| !c.is_ascii_digit()).all(|c| "年月日-/.".contains(c));
    let sizes = numbers.iter().enumerate().all(|(index, number)| match number.len() {
        1 | 2 => number.parse().is_ok_and(|n: u32| (1..=31).contains(&n)),
        4 => index == 0,
        _ => false,
    });
    signs
        && matches!(numbers.len(), 2 | 3)
        && sizes
        && clock.is_none_or(|clock| is_time(clock.trim()))
}

/// One currency sign, up to ten digits, decimals, `元`.
fn is_amount(text: &str) -> bool {
    let bare = text.strip_suffix('元').unwrap_or(text);
    let bare = bare.strip_prefix(is_symbol).unwrap_or(bare);
    let (integer, decimals) = bare.split_once('.').map_or((bare, None), |(w, d)| (w, Some(d)));
    is_digits(integer) && integer.len() <= 10 && decimals.is_none_or(is_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_accepts_the_texts_of_the_published_table() {
        use FieldTextError::*;
        let twenty = "号".repeat(20);
        let digits = "9".repeat(33);
        let long = format!("{twenty}号");
        for (key, valid, invalid, expected) in [
            ("thing1", twenty.as_str(), long.as_str(), TooLong(20)),
            ("thing1", "3号窗口 (1/2)", "一行\n又一行", ControlCharacter),
            ("thing1", "★3号窗口", "3号窗口☺", ForbiddenCharacter),
            ("short_thing3", "前面5人", "六个字以上的", TooLong(5)),
            ("character_string2", "A012", "测试单号", ForbiddenCharacter),
            ("character_string2", "A-012/#3", digits.as_str(), TooLong(32)),
            ("number9", "12.5", "A1", ForbiddenCharacter),
            ("number9", "0", "1.2.3", InvalidFormat),
            ("number9", "0", digits.as_str(), TooLong(32)),
            ("letter1", "abc", "a1", ForbiddenCharacter),
            ("symbol1", "→!", "a", ForbiddenCharacter),
            ("time4", "15:01", "25:01", InvalidFormat),
            ("time4", "2019年10月1日 15:01", "今天下午", InvalidFormat),
            ("time4", "10:00~11:00", "10:00~", InvalidFormat),
            ("time4", "2026-01-05 10:20:30", "15:1", InvalidFormat),
            ("date3", "2019年10月1日", "明天", InvalidFormat),
            ("date3", "2018/01/01", "2018", InvalidFormat),
            ("date3", "2018.01.01 15:01", "01-32", InvalidFormat),
            ("date3", "01-01", "01-01 99:00", InvalidFormat),
            ("date3", "2018-01", "01-2018", InvalidFormat),
            ("amount5", "¥100.50", "¥12345678901", InvalidFormat),
            ("amount5", "100元", "很多", InvalidFormat),
            ("phone_number1", "+86-0766-66888866", "电话", ForbiddenCharacter),
            ("car_number1", "粤A8Z888挂", "粤A8Z888挂挂", TooLong(8)),
            ("name1", "张三", "张三张三张三张三张三张", TooLong(10)),
            ("name1", "Zhang San Zhang San", "Zhang San Zhang San Z", TooLong(20)),
            ("phrase1", "配送中", "配送中1", ForbiddenCharacter),
            ("phrase1", "正在为您办", "正在为您办理", TooLong(5)),
            ("const8", "10室测视力", long.as_str(), TooLong(20)),
            ("enum_string2", "ONE", "a\tb", ControlCharacter),
        ] {
            let kind = FieldType::from_key(key).unwrap();
            assert_eq!(kind.check(valid), Ok(()), "{key}: {valid}");
            assert_eq!(kind.check(invalid), Err(expected), "{key}: {invalid}");
            assert_eq!(kind.check(" "), Err(Empty), "{key}");
        }
    }

    #[test]
    fn a_text_is_cut_on_a_character_where_people_can_see_it() {
        for (key, text, fitted) in [
            (
                "thing1",
                "一二三四五六七八九十一二三四五六七八九十一",
                "一二三四五六七八九十一二三四五六七八九…",
            ),
            ("thing1", "第一行\r\n第二行\t完", "第一行 第二行 完"),
            ("thing1", "您好😀👨‍👩‍👧❤️！", "您好！"),
            ("thing1", "\u{1}", "-"),
            ("short_thing1", "前面还有12人", "前面还有…"),
            ("character_string1", "号A012", "A012"),
            (
                "character_string1",
                "A-234567890123456789012345678901234",
                "A-2345678901234567890123456789..",
            ),
            ("phrase1", "办理中（1）", "办理中"),
            ("phrase1", "OK", "无"),
            ("phrase1", "正在为您办理", "正在为您办"),
            ("name1", "欧阳欧阳欧阳欧阳欧阳欧", "欧阳欧阳欧阳欧阳欧…"),
            ("letter1", "a1b", "ab"),
            ("symbol1", "!!x!!!!", "!!!!!"),
            ("unheard1", "随\n便", "随 便"),
        ] {
            let result = fit(key, text);
            assert_eq!(result, fitted, "{key}");
            if let Some(kind) = FieldType::from_key(key) {
                assert_eq!(kind.check(&result), Ok(()), "{key}: {result}");
            }
        }
    }

    #[test]
    fn numbers_and_times_are_not_cut() {
        for (key, text) in [
            ("number1", "1234567890123456789012345678901234"),
            ("number1", "12人"),
            ("time1", "下午三点"),
            ("amount1", "12345678901元"),
            ("const1", "一二三四五六七八九十一二三四五六七八九十一"),
            ("car_number1", "粤A8Z888挂挂"),
            ("phone_number1", "123456789012345678"),
        ] {
            assert_eq!(fit(key, text), text, "{key}");
            assert!(FieldType::from_key(key).unwrap().check(text).is_err(), "{key}");
        }
    }

    #[test]
    fn old_keys_have_no_type() {
        for key in ["first", "remark", "keyword1", "thing", "something1", ""] {
            assert_eq!(FieldType::from_key(key), None, "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_made_to_fit_fits(text in "\\PC*|.*") {
            for key in ["thing1", "short_thing1", "character_string1", "name1", "phrase1"] {
                let fitted = fit(key, &text);
                proptest::prop_assert_eq!(FieldType::from_key(key).unwrap().check(&fitted), Ok(()), "{}: {:?}", key, fitted);
            }
        }
    }
}
