//! The table of trouble that others reported names tests that are there, and every kept push.

use crate::repository::{list_files, read_file, repository_root};
use std::collections::BTreeSet;
use std::path::Path;

const DOCUMENT: &str = "docs/reference/public-reports.md";
const PUSHES: &str = "services/paihao/tests/e2e/reported/pushes";

/// Fewest kinds of reports; so many cases were tried at first.
const MIN_KINDS: usize = 49;

/// Row of the table: its kind, and the names between backticks in the column of tests.
struct Row<'a> {
    kind: &'a str,
    names: Vec<&'a str>,
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = cells.filter_map(|cells| {
        let cells: Vec<_> = cells.split(" | ").collect();
        let [kind, _, tests] = cells[..] else { return None };
        let is_head = kind == "kind" || kind.starts_with("---");
        (!is_head).then(|| Row { kind, names: tests.split('`').skip(1).step_by(2).collect() })
    });
    rows.collect()
}

/// What is wrong with the tests that a row names.
fn problems(row: &Row<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut last_text = String::new();
    for name in &row.names {
        if name.ends_with(".push") {
            let path = format!("{PUSHES}/{name}");
            if !repository_root().join(&path).exists() {
                problems.push(format!("{}: {path} is not there", row.kind));
            }
        } else if name.contains('/') {
            let path = name.split('#').next().unwrap_or_default();
            match text_below(&repository_root().join(path)) {
                None => problems.push(format!("{}: {path} is not there", row.kind)),
                Some(text) => {
                    if path.ends_with(".rs") && !text.contains("test]") && !text.contains("test(") {
                        problems.push(format!("{}: {path} has no test", row.kind));
                    }
                    last_text = text;
                }
            }
        } else if !last_text.contains(name) {
            problems.push(format!("{}: the test named before it has no {name}", row.kind));
        }
    }
    if row.names.is_empty() {
        problems.push(format!("{}: no test is named", row.kind));
    }
    problems
}

/// Text of a file, or of all sources below a folder.
fn text_below(path: &Path) -> Option<String> {
    if path.is_dir() {
        let relative = path.strip_prefix(repository_root()).ok()?.to_str()?;
        let files = list_files(relative, &[".rs"]);
        return Some(files.iter().map(|file| read_file(file)).collect());
    }
    std::fs::read_to_string(path).ok()
}

#[test]
fn every_kind_of_report_names_tests_that_are_there() {
    let text = read_file(DOCUMENT);
    let rows = rows(&text);
    let problems: Vec<_> = rows.iter().flat_map(problems).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(rows.len() >= MIN_KINDS, "{} kinds", rows.len());
    let kinds: BTreeSet<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds.len(), rows.len(), "a kind has two rows");
}

#[test]
fn every_kept_push_stands_in_the_table() {
    let text = read_file(DOCUMENT);
    let named: BTreeSet<_> = rows(&text).into_iter().flat_map(|row| row.names).collect();
    let files = list_files(PUSHES, &[".push"]);
    let file_name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let unnamed: Vec<_> =
        files.iter().map(file_name).filter(|name| !named.contains(&**name)).collect();
    assert!(unnamed.is_empty(), "{DOCUMENT} does not name {unnamed:?}");
    assert!(files.len() > 30, "the pushes were not found: {}", files.len());
}

#[test]
fn a_row_that_names_no_test_is_found() {
    let table = "| kind | what was seen | held by |\n| --- | --- | --- |\n\
         | gone | x | `tests/fuzz/gone`, `gone.push` |\n\
         | testless | x | `tests/fuzz/src/lib.rs` |\n\
         | unnamed | x | somewhere |\n\
         | word | x | `tests/fuzz` (target `nonsense`) |\n\
         | good | x | `tests/fuzz` (target `seal`), `json_body.push` |\n";
    let found: Vec<_> = rows(table).iter().map(|row| problems(row).len()).collect();
    assert_eq!(found, [2, 1, 1, 1, 0]);
}
