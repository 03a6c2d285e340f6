//! Rules for every source file and page: opening sentence, length, no skipped test, no foreign
//! host.

use crate::repository::{list_files, read_file};
use architecture::syntax::allows;

/// Files longer than the limit, each with the reason why it is not two.
const LENGTH_EXCEPTIONS: [(&str, &str); 0] = [];
/// Lines of a file.
const MAX_FILE_LINES: usize = 500;

/// Hosts that a page may name: the machine itself, and names that stand for a format and are never
/// fetched.
const KNOWN_HOSTS: [&str; 4] = ["127.0.0.1", "localhost", "www.w3.org", "example.com"];

/// Hosts to which a page links, for somebody who opens the link.
const LINKED_HOSTS: [(&str, &str); 1] =
    [("services/gateway/web/pages/manage/test-account.js", "mp.weixin.qq.com")];

fn rust_files() -> Vec<String> {
    let found = list_files(".", &[".rs"]);
    assert!(found.len() > 50, "the sources were not found: {found:?}");
    found
}

#[test]
fn every_source_file_opens_with_a_sentence() {
    for file in rust_files() {
        let text = read_file(&file);
        let first = text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("//! ").unwrap_or_default();
        assert!(sentence.len() > 8, "{file} does not open with a //! sentence: {first:?}");
        assert!(!sentence.starts_with("Being built"), "{file} is a placeholder");
    }
}

#[test]
fn no_source_file_is_long_without_a_reason() {
    for file in rust_files() {
        let lines = read_file(&file).lines().count();
        let listed = LENGTH_EXCEPTIONS.iter().any(|(name, _)| *name == file);
        assert!(lines <= MAX_FILE_LINES || listed, "{file} has {lines} lines: one idea, or two?");
        assert!(
            lines > MAX_FILE_LINES || !listed,
            "{file} is no longer long: take it off the list"
        );
    }
}

#[test]
fn no_test_is_skipped() {
    // Put together, so that this file does not find itself.
    let skipping = format!("#[{}", "ignore");
    for file in rust_files() {
        assert!(!read_file(&file).contains(&skipping), "{file} skips a test");
    }
}

/// Lints that `#[allow]` may name, since no expectation of them holds in every build: a test build
/// does not ask for comments, and an item of a macro is used by one crate and not by another.
const ALLOWED_LINTS: [&str; 2] = ["missing_docs", "dead_code"];

#[test]
fn an_allowed_lint_has_a_reason_and_is_expected_where_it_can_be() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        for (line, words) in allows(&read_file(&file)) {
            let lint = words.first().map_or("", String::as_str);
            if !ALLOWED_LINTS.contains(&lint) {
                wrong.push(format!("{file}:{line}: write #[expect({lint}…)]"));
            }
            if !words.iter().any(|word| word == "reason") {
                wrong.push(format!("{file}:{line}: say the reason"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Folders whose files read what another process stored.
const STORE_READERS: [&str; 5] = [
    "services/gateway/src",
    "services/notifier/src",
    "services/paihao/src",
    "services/token/src",
    "shared/access-token/src",
];

#[test]
fn stored_values_are_read_through_their_envelope() {
    let mut readers = 0;
    for file in STORE_READERS.iter().flat_map(|folder| list_files(folder, &[".rs"])) {
        let text = read_file(&file);
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        assert!(
            !code.contains("serde_json::from_slice"),
            "{file} parses bytes before their version: use paihao_contracts::envelope::decode"
        );
        readers += usize::from(code.contains("envelope::"));
    }
    assert!(readers > 10, "the readers were not found");
}

#[test]
fn no_page_asks_an_outside_host_for_anything() {
    let pages = list_files(".", &[".html", ".css", ".js", ".svg"]);
    assert!(!pages.is_empty(), "the pages were not found");
    for page in pages {
        for host in hosts(&read_file(&page)) {
            let is_linked = LINKED_HOSTS.contains(&(page.as_str(), host.as_str()));
            assert!(is_linked || KNOWN_HOSTS.contains(&host.as_str()), "{page} names {host}");
        }
    }
}

/// Hosts: names after `//` where an address can stand, after a scheme or at the start of a value.
fn hosts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("//") {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let host: String = text[at + 2..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c))
            .collect();
        if matches!(before, ':' | '"' | '\'' | '(' | '=') && host.contains(['.', 'l']) {
            found.push(host);
        }
    }
    found
}

#[test]
fn addresses_are_found_in_all_their_forms() {
    let page = "<a href='https://a.example/x'> <img src=\"//b.example\"> url(//c.example/) \
                // a comment. \n <script src=//d.example> http://localhost:80/ 1//2 'x' // y";
    assert_eq!(hosts(page), ["a.example", "b.example", "c.example", "d.example", "localhost"]);
}
