//! Words that people write to an account, and the action of each.
//!
//! White space, punctuation, the width and the case of letters do not count.

use paihao_contracts::settings::{AccountSetup, CodeKind, KeywordAction};
use std::collections::BTreeMap;

/// Longest word in bytes, as it is compared.
pub const MAX_WORD_BYTES: usize = 60;

/// Usual words, as they are compared.
const USUAL_WORDS: [(&KeywordAction, &[&str]); 5] = [
    (
        &KeywordAction::MyTicket,
        &[
            "排队",
            "排队进度",
            "进度",
            "查进度",
            "查询",
            "查询进度",
            "我的号",
            "我的排队",
            "还要多久",
            "还有多久",
            "还要等多久",
            "还有多久到我",
            "多久",
            "要等多久",
            "几号了",
            "到几号了",
            "到几号",
            "现在几号",
            "现在几号了",
            "叫到几号了",
            "到哪了",
            "到我了吗",
            "前面几位",
            "前面几人",
            "前面还有几位",
            "前面还有几个人",
            "前面还有几个",
            "排到哪了",
            "排到几号了",
            "排隊",
            "進度",
            "查詢",
            "我的號",
            "還要多久",
            "還有多久",
            "幾號了",
            "到幾號了",
            "queue",
            "progress",
            "status",
            "myticket",
            "mynumber",
            "howlong",
        ],
    ),
    (
        &KeywordAction::Take,
        &[
            "取号",
            "拿号",
            "领号",
            "排号",
            "我要取号",
            "我要排队",
            "取個號",
            "取號",
            "拿號",
            "領號",
            "排號",
            "takeanumber",
            "takeaticket",
            "joinqueue",
        ],
    ),
    (
        &KeywordAction::Leave,
        &[
            "取消",
            "取消排队",
            "取消取号",
            "退号",
            "退出排队",
            "不排了",
            "不排队了",
            "不等了",
            "弃号",
            "取消排隊",
            "退號",
            "cancel",
            "leave",
        ],
    ),
    (
        &KeywordAction::LetPass,
        &[
            "暂离",
            "让号",
            "过会再来",
            "暂时离开",
            "让别人先",
            "先让别人",
            "暫離",
            "讓號",
            "letpass",
            "away",
        ],
    ),
    (
        &KeywordAction::Return,
        &[
            "回来了",
            "我回来了",
            "归队",
            "继续排队",
            "恢复排队",
            "重新排队",
            "回來了",
            "我回來了",
            "歸隊",
            "back",
            "imback",
            "iamback",
        ],
    ),
];

/// Reduces a text to its letters and digits, in half width and lower case.
pub fn normalise(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Returns the usual action of a word that is normalised.
pub fn usual_action(word: &str) -> Option<&'static KeywordAction> {
    let found = USUAL_WORDS.iter().find(|(_, words)| words.contains(&word));
    found.map(|(action, _)| *action)
}

/// Words of an account with their actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordTable(BTreeMap<String, KeywordAction>);

/// Action of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordMatch<'a> {
    /// The action.
    pub action: &'a KeywordAction,
    /// Rest of the text behind a word that takes a number, normalised: the name of a queue.
    pub rest: String,
}

impl WordTable {
    /// Builds the table of an account: the usual words, and the owner's own over them.
    pub fn new(setup: &AccountSetup) -> WordTable {
        let mut words = BTreeMap::new();
        if setup.usual_words {
            for (action, usual) in USUAL_WORDS {
                // Without codes of WeChat a word is the way to a number. With them a number is
                // taken on the spot, unless the owner says otherwise.
                let action = match action {
                    KeywordAction::Take if setup.codes == CodeKind::Wechat => {
                        &KeywordAction::MyTicket
                    }
                    action => action,
                };
                words.extend(usual.iter().map(|word| ((*word).to_owned(), action.clone())));
            }
        }
        let own = setup.keywords.iter();
        words.extend(own.map(|(word, action)| (normalise(word), action.clone())));
        WordTable(words)
    }

    /// Finds the action of a text: of a word, or of a word that takes a number with more behind it.
    pub fn find(&self, text: &str) -> Option<WordMatch<'_>> {
        let text = normalise(text);
        if let Some(action) = self.0.get(&text) {
            return Some(WordMatch { action, rest: String::new() });
        }
        let takes = self.0.iter().filter(|(_, action)| **action == KeywordAction::Take);
        let prefixes =
            takes.filter_map(|(word, action)| Some((action, text.strip_prefix(&**word)?)));
        let (action, rest) = prefixes.min_by_key(|(_, rest)| rest.len())?;
        Some(WordMatch { action, rest: rest.to_owned() })
    }

    /// Returns a word of an action, to be named in replies: the owner's, or the usual one.
    pub fn word_for(&self, action: &KeywordAction) -> Option<&str> {
        let usual = USUAL_WORDS.iter().flat_map(|(_, words)| words.iter().copied());
        let has_action = |word: &&str| self.0.get(*word) == Some(action);
        let own = || self.0.iter().find(|(_, other)| *other == action).map(|(word, _)| &**word);
        usual.clone().find(has_action).or_else(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decorations_do_not_count() {
        for text in [
            "取消",
            " 取消 ",
            "取 消",
            "取消。",
            "取消！",
            "“取消”",
            "【取消】",
            "取消?",
            "\u{3000}取消\n",
            "取消~",
            "取消，",
            "取消👌",
        ] {
            assert_eq!(normalise(text), "取消", "{text}");
        }
        for text in ["Cancel", "CANCEL", "ｃａｎｃｅｌ", "Ｃ ａｎ ｃ ｅ ｌ．", "can-cel", "cancel!"]
        {
            assert_eq!(normalise(text), "cancel", "{text}");
        }
        for text in ["1", "１", "１。", " 1 ", "1!", "“1”", "1️"] {
            assert_eq!(normalise(text), "1", "{text}");
        }
        for text in ["", " ", "。", "👍", "\u{0}", "]]>"] {
            assert_eq!(normalise(text), "", "{text}");
        }
        assert_eq!(normalise("不取消"), "不取消");
    }

    #[test]
    fn usual_words_are_written_as_they_are_compared_and_have_one_action() {
        let mut seen = std::collections::BTreeSet::new();
        for word in USUAL_WORDS.iter().flat_map(|(_, words)| words.iter()) {
            assert_eq!(normalise(word), **word);
            assert!(word.len() <= MAX_WORD_BYTES && seen.insert(word), "{word}");
        }
    }

    #[test]
    fn each_usual_word_is_found_in_each_decoration() {
        let wide = |word: &str| -> String {
            let wide = |c| match c {
                '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap(),
                c => c,
            };
            word.chars().map(wide).collect()
        };
        let spaced = |word: &str| word.chars().flat_map(|c| [c, ' ']).collect::<String>();
        let decorations: [&dyn Fn(&str) -> String; 10] = [
            &|word| word.to_owned(),
            &|word| format!(" {word}\n"),
            &|word| format!("\u{3000}{word}\u{a0}"),
            &|word| format!("{word}。"),
            &|word| format!("{word}？！"),
            &|word| format!("“{word}”"),
            &|word| format!("{word}👍~"),
            &|word| word.to_uppercase(),
            &wide,
            &spaced,
        ];
        let setup = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
        let table = WordTable::new(&setup);
        for (action, words) in USUAL_WORDS {
            for (word, decorate) in words.iter().flat_map(|w| decorations.map(|d| (w, d))) {
                let text = decorate(word);
                let found = table.find(&text).map(|found| (found.action, found.rest));
                assert_eq!(found, Some((action, String::new())), "{text}");
            }
        }
    }

    #[test]
    fn the_owners_words_come_over_the_usual_ones() {
        let mut setup = AccountSetup {
            keywords: [
                ("取 消".to_owned(), KeywordAction::MyTicket),
                ("ＷＩＦＩ".to_owned(), KeywordAction::Text("12345678".into())),
            ]
            .into(),
            ..AccountSetup::default()
        };
        let action = |setup: &AccountSetup, text: &str| {
            WordTable::new(setup).find(text).map(|found| found.action.clone())
        };
        assert_eq!(action(&setup, "取消！"), Some(KeywordAction::MyTicket));
        assert_eq!(action(&setup, "wifi?"), Some(KeywordAction::Text("12345678".into())));
        assert_eq!(action(&setup, "退号"), Some(KeywordAction::Leave));
        setup.usual_words = false;
        assert_eq!(action(&setup, "退号"), None);
        assert_eq!(action(&setup, "取消"), Some(KeywordAction::MyTicket));
        assert_eq!(action(&setup, "不取消"), None);
        assert_eq!(action(&setup, ""), None);
    }

    #[test]
    fn a_word_takes_a_number_where_a_code_cannot() {
        let mut setup = AccountSetup::default();
        let found = |setup: &AccountSetup, text: &str| {
            let table = WordTable::new(setup);
            table.find(text).map(|found| (found.action.clone(), found.rest))
        };
        assert_eq!(found(&setup, "取号"), Some((KeywordAction::MyTicket, String::new())));
        assert_eq!(found(&setup, "取号存钱"), None);
        assert_eq!(WordTable::new(&setup).word_for(&KeywordAction::Take), None);
        setup.codes = CodeKind::Page;
        assert_eq!(found(&setup, "取号。"), Some((KeywordAction::Take, String::new())));
        assert_eq!(found(&setup, "取号 存钱"), Some((KeywordAction::Take, "存钱".into())));
        assert_eq!(found(&setup, "我要取号：A"), Some((KeywordAction::Take, "a".into())));
        assert_eq!(WordTable::new(&setup).word_for(&KeywordAction::Take), Some("取号"));
        assert_eq!(WordTable::new(&setup).word_for(&KeywordAction::Return), Some("回来了"));
    }
}
