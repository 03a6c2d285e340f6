//! Ids of sites, queues and counters from their names: `xianjinyewu` of 现金业务, `3` of 3号窗口.
//! They stand in addresses, so an owner who looks there finds the name again.

use pinyin::ToPinyin;
use std::collections::BTreeSet;

/// Longest id, in bytes.
const MAX_ID_BYTES: usize = 24;

/// Makes an id of a name that none of the others has. A name without a letter or digit that an
/// address can hold becomes the fallback with a number.
pub fn id_of_name(name: &str, fallback: &str, taken: &BTreeSet<String>) -> String {
    let spelled = spell(name);
    let base = if spelled.is_empty() { fallback.to_owned() } else { spelled };
    if !taken.contains(&base) && base != fallback {
        return base;
    }
    let numbered = (if base == fallback { 1u32.. } else { 2u32.. }).map(|number| {
        let ending = format!("-{number}");
        let kept = base[..base.len().min(MAX_ID_BYTES - ending.len())].trim_end_matches('-');
        format!("{kept}{ending}")
    });
    numbered.into_iter().find(|id| !taken.contains(id)).expect("there are enough numbers")
}

/// Makes the id of a counter: counters are known by their numbers.
pub fn id_of_counter(name: &str, taken: &BTreeSet<String>) -> String {
    let is_digit = |c: &char| c.is_ascii_digit();
    let digits: String = name.chars().skip_while(|c| !is_digit(c)).take_while(is_digit).collect();
    let number = digits.trim_start_matches('0');
    if !number.is_empty() && number.len() <= 4 && !taken.contains(number) {
        return number.to_owned();
    }
    id_of_name(name, "counter", taken)
}

/// Spells a name in a-z, 0-9 and dashes, cut behind a whole syllable.
fn spell(name: &str) -> String {
    let mut id = String::new();
    let mut wants_dash = false;
    for c in name.chars() {
        let half_width = match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            c => c,
        };
        let syllable = match half_width.to_pinyin() {
            Some(syllable) => syllable.plain().replace('ü', "v"),
            None if half_width.is_ascii_alphanumeric() => {
                half_width.to_ascii_lowercase().to_string()
            }
            None => {
                wants_dash = !id.is_empty();
                continue;
            }
        };
        let dash = if wants_dash { "-" } else { "" };
        if id.len() + dash.len() + syllable.len() > MAX_ID_BYTES {
            break;
        }
        id.push_str(dash);
        id.push_str(&syllable);
        wants_dash = false;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::validate::check_id;
    use paihao_chassis::config::ConfigProblems;
    use proptest::prelude::*;

    #[test]
    fn an_id_spells_the_name() {
        let none = BTreeSet::new();
        for (name, id) in [
            ("现金业务", "xianjinyewu"),
            ("Table for 1–2", "table-for-1-2"),
            ("小桌 1–2 人", "xiaozhuo-1-2-ren"),
            ("女装", "nvzhuang"),
            ("ＶＩＰ 窗口", "vip-chuangkou"),
            ("  对公（预约）  ", "duigong-yuyue"),
            ("市民服务中心综合业务受理窗口", "shiminfuwuzhongxinzonghe"),
            ("🍜", "queue-1"),
            ("", "queue-1"),
        ] {
            assert_eq!(id_of_name(name, "queue", &none), id, "{name}");
        }
    }

    #[test]
    fn a_taken_id_gets_a_number() {
        let taken: BTreeSet<_> =
            ["xianjin", "xianjin-2", "queue-1", "shiminfuwuzhongxinzonghe", "3"]
                .map(str::to_owned)
                .into();
        assert_eq!(id_of_name("现金", "queue", &taken), "xianjin-3");
        assert_eq!(id_of_name("？", "queue", &taken), "queue-2");
        assert_eq!(id_of_name("市民服务中心综合", "queue", &taken), "shiminfuwuzhongxinzong-2");
        assert_eq!(id_of_counter("2号窗口", &taken), "2");
        assert_eq!(id_of_counter("3号窗口", &taken), "3haochuangkou");
        assert_eq!(id_of_counter("012 Room", &taken), "12");
        assert_eq!(id_of_counter("导诊台", &taken), "daozhentai");
    }

    proptest! {
        #[test]
        fn every_name_has_an_id_that_is_allowed_and_free(
            names in proptest::collection::vec(any::<String>(), 1..6),
            chinese in proptest::collection::vec("[一-龥a-zA-Z0-9 ]{0,40}", 1..6),
        ) {
            let mut taken = BTreeSet::new();
            for name in names.iter().chain(&chinese) {
                for id in [id_of_name(name, "queue", &taken), id_of_counter(name, &taken)] {
                    let mut problems = ConfigProblems::new();
                    check_id("id", &id, &mut problems);
                    prop_assert_eq!(problems.into_result(), Ok(()));
                    taken.insert(id);
                }
                prop_assert!(!taken.contains(&id_of_name(name, "queue", &taken)));
            }
        }
    }
}
