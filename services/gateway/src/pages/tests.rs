//! What must hold of the pages' files as they lie there: nothing missing, nothing heavy, every word
//! in both languages.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes that a page may take to load, with all it refers to: on a customer's phone, and where somebody
/// works with it all day.
const LIGHT: usize = 60_000;
const WORKED_WITH: usize = 120_000;

const PAGES: [(&str, usize); 12] = [
    (INDEX, LIGHT),
    (KIOSK, LIGHT),
    (BOARD, LIGHT),
    (CONSOLE, WORKED_WITH),
    (MANAGE, WORKED_WITH),
    (SLIP, LIGHT),
    (TICKET, LIGHT),
    (LOGIN, LIGHT),
    (ME, LIGHT),
    (REFUSED, LIGHT),
    (poster::PAGE, LIGHT),
    (poster::SHEET, LIGHT),
];

fn asset_named(name: &str) -> &'static Asset {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.unwrap_or_else(|| panic!("{name} is not served"))
}

/// What stands between two marks, everywhere.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(after).next().unwrap())
}

#[test]
fn pages_refer_only_to_what_is_served_and_are_light() {
    for (page, light) in PAGES {
        let mut found = BTreeSet::new();
        let mut open: Vec<_> = between(page, "/assets/", '"').collect();
        while let Some(name) = open.pop() {
            if found.insert(name) {
                let body = asset_named(name).body;
                open.extend(between(body, "from './", '\'').chain(between(
                    body,
                    "import './",
                    '\'',
                )));
            }
        }
        let weight = found.iter().map(|name| asset_named(name).body.len()).sum::<usize>();
        assert!(page.len() + weight < light, "{weight} bytes: {found:?}");
        let loose = page.contains("<script>") || page.contains(" style=");
        assert!(!loose, "not for a strict policy");
    }
}

/// Whether a file is a table of words.
fn is_table(asset: &Asset) -> bool {
    asset.name.ends_with("words.js")
}

/// The tables of words: each key with its text in Chinese and in English.
fn words() -> BTreeMap<&'static str, [&'static str; 2]> {
    let lines = ASSETS.iter().filter(|asset| is_table(asset)).flat_map(|table| table.body.lines());
    let lines = lines.filter(|line| line.starts_with("  '"));
    let row = |line: &'static str| match line.split('\'').collect::<Vec<_>>()[..] {
        [_, key, ": [", zh, ", ", en, "],"] => (key, [zh, en]),
        _ => panic!("not a row of the table: {line}"),
    };
    let rows: Vec<_> = lines.map(row).collect();
    let table: BTreeMap<_, _> = rows.iter().copied().collect();
    assert_eq!(table.len(), rows.len(), "a key stands twice");
    table
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_word_is_there_in_both_languages_and_is_used() {
    let table = words();
    for (key, [zh, en]) in &table {
        assert!(is_chinese(zh), "{key} in Chinese: {zh}");
        assert!(!en.is_empty() && !is_chinese(en), "{key} in English: {en}");
        let [in_zh, in_en] = [zh, en].map(|text| between(text, "{", '}').collect::<BTreeSet<_>>());
        assert_eq!(in_zh, in_en, "{key} is filled in differently");
    }
    let scripts = ASSETS.iter().filter(|asset| asset.name.ends_with(".js"));
    let scripts: Vec<_> = scripts.filter(|asset| !is_table(asset)).collect();
    let mut texts = String::new();
    for asset in &scripts {
        texts.push_str(asset.body);
    }
    for (page, _) in PAGES {
        for attribute in ["data-word=\"", "data-label=\"", "data-alt=\""] {
            for key in between(page, attribute, '"') {
                assert!(table.contains_key(key), "a page wants {key}");
                texts.push_str(&format!("'{key}'"));
            }
        }
    }
    for key in between(&texts, "said('", '\'').chain(between(&texts, "pair('", '\'')) {
        assert!(table.contains_key(key), "a script wants {key}");
    }
    // Keys that scripts put together end in what varies.
    let put_together = ["(`", ", `"].into_iter().flat_map(|before| between(&texts, before, '`'));
    let together: Vec<_> = put_together.filter_map(|text| text.split("${").next()).collect();
    for key in table.keys() {
        let made = together.iter().any(|start| !start.is_empty() && key.starts_with(start));
        let varied = [".short", ".long"].iter().find_map(|end| key.strip_suffix(end));
        let used = |key: &str| texts.contains(&format!("'{key}'"));
        assert!(used(key) || made || varied.is_some_and(used), "{key} is never used");
    }
}

#[test]
fn what_a_poster_says_without_a_script_is_what_the_table_says() {
    let table = words();
    let mut said = 0;
    for page in [poster::PAGE, poster::SHEET] {
        for rest in page.split("data-word=\"").skip(1) {
            let (key, rest) = rest.split_once('"').unwrap();
            let text = rest.split_once('>').unwrap().1;
            let (zh, text) = text.split_once(" <small lang=\"en\">").unwrap();
            let (en, _) = text.split_once("</small>").unwrap();
            assert_eq!(table[key], [zh, en], "{key}");
            said += 1;
        }
    }
    assert!(said > 5, "{said}");
}

#[test]
fn scripts_have_no_words_of_their_own() {
    // Chinese digits are how a number sounds, 排号 is a name.
    let sounds = ["零一二三四五六七八九", "'幺'", "\"A零一二\"", "排号 paihao"];
    for asset in ASSETS.iter().filter(|a| a.name.ends_with(".js") && !is_table(a)) {
        for line in asset.body.lines() {
            let known = sounds.iter().any(|sound| line.contains(sound));
            assert!(known || !is_chinese(line), "{}: {line}", asset.name);
        }
    }
}
