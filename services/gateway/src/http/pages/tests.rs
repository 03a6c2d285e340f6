//! Checks of the pages' files: nothing missing, nothing heavy, every text in both languages.

use super::asset_links::imports;
use super::asset_response::compress;
use super::assets::{ASSETS, Asset};
use super::render::Refused;
use super::*;
use crate::http::brand_view::LogoLink;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Bytes that a page may take to load, with all it refers to: on a customer's phone, and where
/// somebody works with it all day.
const LIGHT: usize = 74_000;
const WORKED_WITH: usize = 150_000;

/// The same as it comes over the network.
const LIGHT_COMPRESSED: usize = 30_000;
const WORKED_WITH_COMPRESSED: usize = 56_000;

/// Calls that take a key first.
const CALLS: [&str; 3] = ["textElement('", "translation('", "translations('"];

/// Look of a site that has one.
fn brand() -> BrandView {
    let url = "/brand/hall/0011223344556677.png".to_owned();
    let style = Some("/brand/hall/0011223344556677.css".to_owned());
    BrandView { style, logo: Some(LogoLink { url, width: 320, height: 96 }) }
}

/// Every page as it is served, with its limit of weight.
fn pages() -> Vec<(String, usize)> {
    let refused = Refused { zh: "没有", en: "No", brand: BrandView::default() };
    let sheet = poster::Sheet {
        site: "大厅".to_owned(),
        site_en: String::new(),
        queue: "综合业务".to_owned(),
        queue_en: "General".to_owned(),
        code: "<svg/>".to_owned(),
        path: "hall/general".to_owned(),
        is_page: false,
    };
    let page_sheet = poster::Sheet { is_page: true, ..sheet.clone() };
    let sheets = vec![sheet, page_sheet];
    let poster = |paper| {
        let sheets = sheets.clone();
        poster::Poster { sheets, paper, brand: brand(), is_rehearsal: true }
    };
    let [tents, poster] = [poster::Paper::Tent, poster::Paper::A4].map(poster);
    let clerk = poster::Clerk {
        site: "大厅".to_owned(),
        language: "zh-CN",
        url: "https://example.com/console/hall".to_owned(),
        code: "<svg/>".to_owned(),
        brand: brand(),
    };
    let take = take::Take { queue_name: Some("综合业务".to_owned()), ..take::Take::default() };
    vec![
        (Index { brand: brand() }.render().unwrap(), LIGHT),
        (Kiosk { brand: brand() }.render().unwrap(), LIGHT),
        (Board { brand: brand() }.render().unwrap(), LIGHT),
        (Console { brand: brand() }.render().unwrap(), WORKED_WITH),
        (Manage { brand: brand() }.render().unwrap(), WORKED_WITH),
        (Slip { brand: brand() }.render().unwrap(), LIGHT),
        (Ticket { brand: brand() }.render().unwrap(), LIGHT),
        (Login { brand: brand() }.render().unwrap(), LIGHT),
        (Me { brand: brand() }.render().unwrap(), LIGHT),
        (refused.render().unwrap(), LIGHT),
        (take.render().unwrap(), LIGHT),
        (take::Take::default().render().unwrap(), LIGHT),
        (clerk.render().unwrap(), LIGHT),
        (tents.render().unwrap(), LIGHT),
        (poster.render().unwrap(), LIGHT),
    ]
}

fn asset_at(path: &str) -> &'static Asset {
    let found = ASSETS.iter().find(|asset| asset.path == path);
    found.unwrap_or_else(|| panic!("{path} is not served"))
}

/// The texts between two marks.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(after).next().unwrap())
}

#[test]
fn pages_refer_only_to_what_is_served_and_are_light() {
    for (page, light) in pages() {
        let mut found = BTreeSet::new();
        let mut open: Vec<_> = between(&page, "/assets/", '"').map(str::to_owned).collect();
        while let Some(path) = open.pop() {
            if found.insert(path.clone()) {
                open.extend(imports(asset_at(&path)));
            }
        }
        let weight = found.iter().map(|path| asset_at(path).body.len()).sum::<usize>();
        assert!(page.len() + weight < light, "{weight} bytes: {found:?}");
        let sent = found.iter().map(|path| compress(asset_at(path).body).len()).sum::<usize>();
        let most = if light == LIGHT { LIGHT_COMPRESSED } else { WORKED_WITH_COMPRESSED };
        assert!(page.len() + sent < most, "{sent} bytes compressed: {found:?}");
        let loose = page.contains("<script>") || page.contains(" style=");
        assert!(!loose, "not for a strict policy");
    }
}

#[test]
fn every_file_beside_the_pages_is_served_and_what_a_script_imports_later_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let mut folders = vec![root.clone()];
    let mut files = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "js" || ending == "css") {
                files.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let served: BTreeSet<_> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
    assert_eq!(files, served);
    let manage = asset_at("pages/manage/manage.js");
    let modules: Vec<_> = between(manage.body, ": './", '\'').collect();
    assert!(modules.len() > 5, "{modules:?}");
    for module in modules {
        asset_at(&format!("pages/manage/{module}"));
    }
}

/// Tells whether a file is a table of texts.
fn is_table(asset: &Asset) -> bool {
    asset.path.ends_with("words.js")
}

/// The tables of texts: each key with its text in Chinese and in English.
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
        // `{count:one|many}` is a form of a word, and `{count}` the value.
        let values = |text| between(text, "{", '}').filter(|value| !value.contains(':'));
        let [in_zh, in_en] = [zh, en].map(|text| values(text).collect::<BTreeSet<_>>());
        assert_eq!(in_zh, in_en, "{key} is filled in differently");
        for form in between(en, "{", '}').filter(|value| value.contains(':')) {
            let (value, words) = form.split_once(':').unwrap();
            assert!(in_en.contains(value) && words.contains('|'), "{key}: {{{form}}}");
        }
    }
    let scripts = ASSETS.iter().filter(|asset| asset.path.ends_with(".js"));
    let scripts: Vec<_> = scripts.filter(|asset| !is_table(asset)).collect();
    let mut texts = String::new();
    for asset in &scripts {
        // A call's arguments may stand on lines of their own.
        let words: Vec<_> = asset.body.split_whitespace().collect();
        texts.push_str(&words.join(" ").replace("( ", "("));
    }
    for (page, _) in pages() {
        for attribute in ["data-word=\"", "data-label=\"", "data-alt=\"", "data-placeholder=\""] {
            for key in between(&page, attribute, '"') {
                assert!(table.contains_key(key), "a page wants {key}");
                texts.push_str(&format!("'{key}'"));
            }
        }
    }
    for key in CALLS.into_iter().flat_map(|call| between(&texts, call, '\'')) {
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

/// Values that are counts of things.
const COUNTS: [&str; 8] = ["count", "people", "times", "places", "minutes", "days", "more", "n"];

/// Words after a number that are the same for one and for many.
const UNCOUNTED: [&str; 9] =
    ["ahead", "fewer", "found", "h", "in", "min", "missed", "more", "waiting"];

#[test]
fn english_words_after_a_number_know_one_from_many() {
    for (key, [_, en]) in words() {
        for count in COUNTS {
            for after in en.split(&format!("{{{count}}}")).skip(1) {
                let after = after.trim_start();
                let word: String = after.chars().take_while(|c| c.is_alphabetic()).collect();
                let known = word.is_empty() || UNCOUNTED.contains(&&*word) || word == "s";
                // "let 3 pass" is the same for one.
                let known = known || word == "pass";
                assert!(known, "{key}: {en}: write {{{count}:one|many}} for {word:?}");
            }
        }
    }
}

#[test]
fn what_paper_says_without_a_script_is_what_the_table_says() {
    let table = words();
    let mut checked = 0;
    let paper: String = pages().into_iter().rev().take(3).map(|(page, _)| page).collect();
    for rest in paper.split("data-word=\"").skip(1) {
        let (key, rest) = rest.split_once('"').unwrap();
        let text = rest.split_once('>').unwrap().1;
        let (zh, text) = text.split_once(" <small lang=\"en\">").unwrap();
        let (en, _) = text.split_once("</small>").unwrap();
        assert_eq!(table[key], [zh, en], "{key}");
        checked += 1;
    }
    assert!(checked > 5, "{checked}");
}

#[test]
fn the_half_page_names_keys_of_the_console() {
    let (clerk, _) = pages().into_iter().rev().nth(2).expect("it is before the posters");
    let console = asset_at("pages/console/console.js").body;
    let mut commands = BTreeSet::new();
    for item in clerk.split("data-command=\"").skip(1) {
        let (command, rest) = item.split_once('"').unwrap();
        let key = between(rest, "<kbd translate=\"no\">", '<').next().unwrap().to_lowercase();
        let quoted = if key == "?" { "'?'".to_owned() } else { key };
        assert!(console.contains(&format!("\n  {quoted}: '{command}',")), "{quoted} {command}");
        commands.insert(command);
    }
    assert!(commands.contains("missed") && commands.len() == 10, "{commands:?}");
}

/// Names in scripts that came to browsers after the oldest ones (docs/guide/pages.md).
const NEWER_IN_SCRIPTS: [&str; 29] = [
    "AbortSignal.",
    ".at(",
    ".findLast",
    ".fromAsync",
    ".groupBy(",
    ".hasOwn(",
    ".isWellFormed",
    ".canParse(",
    ".toReversed",
    ".toSorted",
    ".toSpliced",
    ".union(",
    ".difference(",
    ".values().",
    ".keys().",
    ".entries().",
    ".withResolvers",
    ".randomUUID",
    ".checkVisibility",
    ".requestSubmit",
    ".showPopover",
    "structuredClone",
    "reportError",
    "requestIdleCallback",
    "setHTMLUnsafe",
    "URLPattern",
    "static {",
    "(?<=",
    "(?<!",
];

/// Names in style sheets that came to browsers after the oldest ones.
const NEWER_IN_STYLES: [&str; 11] = [
    "@layer",
    "@scope",
    "@starting-style",
    "light-dark(",
    "  translate:",
    "  rotate:",
    "  scale:",
    "subgrid",
    "  & ",
    "  &:",
    "overflow: clip",
];

/// Styles that are newer as well, and stand behind an older one or can be missed.
const NEWER_WITH_FALLBACK: [&str; 3] = ["dvh", "cqw", "color-mix("];

#[test]
fn nothing_in_the_pages_is_newer_than_the_oldest_browsers() {
    for asset in ASSETS {
        let lines: Vec<_> = asset.body.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let is_comment = line.trim_start().starts_with(['/', '*']);
            let is_style = asset.path.ends_with(".css");
            let names = if is_style { &NEWER_IN_STYLES[..] } else { &NEWER_IN_SCRIPTS[..] };
            let newer = names.iter().find(|newer| !is_comment && line.contains(**newer));
            assert_eq!(newer, None, "{}:{}: {line}", asset.path, i + 1);
            let awaits_at_top = !line.starts_with(' ') && line.contains(" await ");
            assert!(is_style || is_comment || !awaits_at_top, "{}:{}: {line}", asset.path, i + 1);
            // The paper for the door needs newer ones, and says so.
            let has_newer = NEWER_WITH_FALLBACK.iter().any(|newer| line.contains(newer));
            if is_style && has_newer && !asset.path.starts_with("pages/poster/") {
                let property = line.split(':').next().unwrap();
                let before = lines[i - 1].split(':').next().unwrap();
                assert_eq!(before, property, "{}:{}: no older value", asset.path, i + 1);
            }
        }
    }
}

#[test]
fn scripts_have_no_words_of_their_own() {
    // Chinese digits are how a number sounds, 排号 is a name.
    let sounds = ["零一二三四五六七八九", "'幺'", "\"A零一二\"", "排号 paihao"];
    for asset in ASSETS.iter().filter(|a| a.path.ends_with(".js") && !is_table(a)) {
        for line in asset.body.lines() {
            let known = sounds.iter().any(|sound| line.contains(sound));
            assert!(known || !is_chinese(line), "{}: {line}", asset.path);
        }
    }
}
