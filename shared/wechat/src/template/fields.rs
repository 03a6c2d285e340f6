//! The types of a template's fields: what WeChat takes in each, and how a text is made to fit.
//!
//! WeChat refuses what is wrong with 47003 and, worse, cuts or drops some of it without a word. So
//! everything is held against the published table before it is sent. Where cutting leaves a text
//! true, it is cut, on a character and visibly; a number or a time that does not fit is not.

use std::fmt;

/// The type of a field; its key is the type and a number: `thing1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
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
    /// One of a list that only WeChat knows.
    Enum,
}

/// Why a text does not go into a field. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// There is nothing in it.
    Empty,
    /// More characters than this.
    TooLong(usize),
    /// A line feed or another control character.
    Control,
    /// A character that this type does not take.
    Character,
    /// Not of the form that this type has.
    Form,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Empty => f.write_str("it is empty"),
            Misfit::TooLong(most) => write!(f, "it has more than {most} characters"),
            Misfit::Control => f.write_str("it has a line feed or another control character"),
            Misfit::Character => f.write_str("it has a character that this type does not take"),
            Misfit::Form => f.write_str("it is not of the form that this type has"),
        }
    }
}

impl Kind {
    /// The type that a key names; `None` for one we do not know (`first`, `keyword1` and `remark`
    /// of old templates among them).
    pub fn of(key: &str) -> Option<Kind> {
        let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
        if name.len() == key.len() {
            return None;
        }
        Some(match name {
            "thing" => Kind::Thing,
            "short_thing" => Kind::ShortThing,
            "character_string" => Kind::CharacterString,
            "number" => Kind::Number,
            "letter" => Kind::Letter,
            "symbol" => Kind::Symbol,
            "time" => Kind::Time,
            "date" => Kind::Date,
            "amount" => Kind::Amount,
            "phone_number" => Kind::PhoneNumber,
            "car_number" => Kind::CarNumber,
            "name" => Kind::Name,
            "phrase" => Kind::Phrase,
            "const" => Kind::Const,
            "enum" | "enum_string" => Kind::Enum,
            _ => return None,
        })
    }

    /// The most characters (Unicode scalar values) that this text may have.
    fn most(self, text: &str) -> usize {
        match self {
            Kind::Thing | Kind::Const => 20,
            Kind::ShortThing | Kind::Symbol | Kind::Phrase => 5,
            Kind::CharacterString | Kind::Number | Kind::Letter => 32,
            Kind::PhoneNumber => 17,
            Kind::CarNumber => 8,
            Kind::Name if text.chars().any(is_cjk) => 10,
            Kind::Name => 20,
            // Nothing is published; their form bounds them.
            Kind::Time | Kind::Date | Kind::Amount | Kind::Enum => 64,
        }
    }

    fn takes(self, c: char) -> bool {
        match self {
            Kind::CharacterString => !is_cjk(c),
            Kind::Number => c.is_ascii_digit() || c == '.' || c == '-',
            Kind::Letter => c.is_ascii_alphabetic(),
            Kind::Symbol => is_symbol(c),
            Kind::PhoneNumber => c.is_ascii_digit() || is_symbol(c),
            Kind::Phrase => is_cjk(c),
            _ => true,
        }
    }

    /// Whether a text goes into a field of this type.
    pub fn check(self, text: &str) -> Result<(), Misfit> {
        if text.trim().is_empty() {
            return Err(Misfit::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(Misfit::Control);
        }
        if !text.chars().all(|c| self.takes(c) && !is_emoji(c)) {
            return Err(Misfit::Character);
        }
        let most = self.most(text);
        if text.chars().count() > most {
            return Err(Misfit::TooLong(most));
        }
        let formed = match self {
            Kind::Number => text.parse::<f64>().is_ok(),
            Kind::Time => text.split(['~', '～']).all(|part| ends_in_clock(part.trim())),
            Kind::Date => text.split(['~', '～']).all(|part| begins_with_date(part.trim())),
            Kind::Amount => is_amount(text),
            _ => true,
        };
        if formed { Ok(()) } else { Err(Misfit::Form) }
    }

    /// The text without what this type does not take, and no longer than it takes. Only where that
    /// leaves it true: [`Kind::check`] tells whether it fits now.
    pub fn fit(self, text: &str) -> String {
        let kept = |c: &char| self.takes(*c) && !is_emoji(*c);
        let truthful = matches!(
            self,
            Kind::Thing
                | Kind::ShortThing
                | Kind::CharacterString
                | Kind::Letter
                | Kind::Symbol
                | Kind::Name
                | Kind::Phrase
        );
        let calm = calm(text);
        if !truthful {
            return calm;
        }
        let clean: String = calm.chars().filter(kept).collect();
        let clean = clean.trim();
        if clean.is_empty() {
            return self.nothing().to_owned();
        }
        let most = self.most(clean);
        if clean.chars().count() <= most {
            return clean.to_owned();
        }
        match self {
            Kind::Phrase | Kind::Letter | Kind::Symbol => clean.chars().take(most).collect(),
            Kind::CharacterString => clean.chars().take(most - 2).chain("..".chars()).collect(),
            _ => clean.chars().take(most - 1).chain(['…']).collect(),
        }
    }

    /// What stands for an empty text, which WeChat refuses.
    fn nothing(self) -> &'static str {
        match self {
            Kind::Phrase => "无",
            Kind::Letter => "",
            _ => "-",
        }
    }
}

/// The text made to fit into the field with this key, as far as that leaves it true. Of a type that
/// we do not know, only what none takes is left out, and 20 characters are kept.
pub fn fit(key: &str, text: &str) -> String {
    Kind::of(key).unwrap_or(Kind::Thing).fit(text)
}

/// Line feeds and their like become spaces: what follows one is lost on delivery.
fn calm(text: &str) -> String {
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

/// WeChat takes these out of a delivered message. ★ and ☆ are older than emoji and stay.
fn is_emoji(c: char) -> bool {
    match c {
        '\u{2605}' | '\u{2606}' => false,
        _ => matches!(c,
            '\u{200d}' | '\u{20e3}' | '\u{fe0e}' | '\u{fe0f}' | '\u{2600}'..='\u{27bf}'
            | '\u{2b50}' | '\u{2b55}' | '\u{1f000}'..='\u{1faff}' | '\u{e0000}'..='\u{e007f}'),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `15:01` or `15:01:02`, alone or after a date.
fn ends_in_clock(text: &str) -> bool {
    let (date, clock) = text.rsplit_once(' ').map_or(("", text), |(date, clock)| (date, clock));
    let mut parts = clock.split([':', '：']);
    let below = |part: &str, limit: u32| {
        part.len() <= 2 && is_digits(part) && part.parse().is_ok_and(|n: u32| n < limit)
    };
    let hours = parts.next().is_some_and(|part| below(part, 24));
    let rest: Vec<&str> = parts.collect();
    let minutes = matches!(rest.len(), 1 | 2) && rest.iter().all(|p| p.len() == 2 && below(p, 60));
    hours && minutes && (date.is_empty() || begins_with_date(date.trim()))
}

/// `2019年10月1日`, `2018-01-01`, `2018/01/01`, `2018.01.01`, `2018-01`, `01-01`, with or without a
/// time after it.
fn begins_with_date(text: &str) -> bool {
    let (date, clock) = text.split_once(' ').map_or((text, None), |(d, clock)| (d, Some(clock)));
    let numbers: Vec<&str> =
        date.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let signs = date.chars().filter(|c| !c.is_ascii_digit()).all(|c| "年月日-/.".contains(c));
    let sizes = numbers.iter().enumerate().all(|(place, number)| match number.len() {
        1 | 2 => number.parse().is_ok_and(|n: u32| (1..=31).contains(&n)),
        4 => place == 0,
        _ => false,
    });
    signs
        && matches!(numbers.len(), 2 | 3)
        && sizes
        && clock.is_none_or(|clock| ends_in_clock(clock.trim()))
}

/// One currency sign, up to ten digits, decimals, `元`.
fn is_amount(text: &str) -> bool {
    let bare = text.strip_suffix('元').unwrap_or(text);
    let bare = bare.strip_prefix(is_symbol).unwrap_or(bare);
    let (whole, decimals) = bare.split_once('.').map_or((bare, None), |(w, d)| (w, Some(d)));
    is_digits(whole) && whole.len() <= 10 && decimals.is_none_or(is_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_takes_what_its_row_of_the_table_says() {
        use Misfit::*;
        let (twenty, digits) = ("号".repeat(20), "9".repeat(33));
        let long = format!("{twenty}号");
        for (key, good, bad, why) in [
            ("thing1", twenty.as_str(), long.as_str(), TooLong(20)),
            ("thing1", "3号窗口 (1/2)", "一行\n又一行", Control),
            ("thing1", "★3号窗口", "3号窗口☺", Character),
            ("short_thing3", "前面5人", "六个字以上的", TooLong(5)),
            ("character_string2", "A012", "测试单号", Character),
            ("character_string2", "A-012/#3", digits.as_str(), TooLong(32)),
            ("number9", "12.5", "A1", Character),
            ("number9", "0", "1.2.3", Form),
            ("number9", "0", digits.as_str(), TooLong(32)),
            ("letter1", "abc", "a1", Character),
            ("symbol1", "→!", "a", Character),
            ("time4", "15:01", "25:01", Form),
            ("time4", "2019年10月1日 15:01", "今天下午", Form),
            ("time4", "10:00~11:00", "10:00~", Form),
            ("time4", "2026-01-05 10:20:30", "15:1", Form),
            ("date3", "2019年10月1日", "明天", Form),
            ("date3", "2018/01/01", "2018", Form),
            ("date3", "2018.01.01 15:01", "01-32", Form),
            ("date3", "01-01", "01-01 99:00", Form),
            ("date3", "2018-01", "01-2018", Form),
            ("amount5", "¥100.50", "¥12345678901", Form),
            ("amount5", "100元", "很多", Form),
            ("phone_number1", "+86-0766-66888866", "电话", Character),
            ("car_number1", "粤A8Z888挂", "粤A8Z888挂挂", TooLong(8)),
            ("name1", "张三", "张三张三张三张三张三张", TooLong(10)),
            ("name1", "Zhang San Zhang San", "Zhang San Zhang San Z", TooLong(20)),
            ("phrase1", "配送中", "配送中1", Character),
            ("phrase1", "正在为您办", "正在为您办理", TooLong(5)),
            ("const8", "10室测视力", long.as_str(), TooLong(20)),
            ("enum_string2", "ONE", "a\tb", Control),
        ] {
            let kind = Kind::of(key).unwrap();
            assert_eq!(kind.check(good), Ok(()), "{key}: {good}");
            assert_eq!(kind.check(bad), Err(why), "{key}: {bad}");
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
            let said = fit(key, text);
            assert_eq!(said, fitted, "{key}");
            if let Some(kind) = Kind::of(key) {
                assert_eq!(kind.check(&said), Ok(()), "{key}: {said}");
            }
        }
    }

    #[test]
    fn what_would_become_untrue_is_not_cut() {
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
            assert!(Kind::of(key).unwrap().check(text).is_err(), "{key}");
        }
    }

    #[test]
    fn old_keys_have_no_type() {
        for key in ["first", "remark", "keyword1", "thing", "something1", ""] {
            assert_eq!(Kind::of(key), None, "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_made_to_fit_fits(text in "\\PC*|.*") {
            for key in ["thing1", "short_thing1", "character_string1", "name1", "phrase1"] {
                let said = fit(key, &text);
                proptest::prop_assert_eq!(Kind::of(key).unwrap().check(&said), Ok(()), "{}: {:?}", key, said);
            }
        }
    }
}
