//! Links of the documents lead to files.

use crate::repository::{list_files, read_file, repository_root};

/// Targets of links, `](…)`, and of pictures, `src="…"`.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let between = |open: &'static str, close: char| {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    };
    between("](", ')').chain(between("src=\"", '"'))
}

#[test]
fn every_link_of_a_document_leads_to_a_file_of_ours() {
    let mut followed = 0;
    for document in list_files(".", &[".md"]) {
        let text = read_file(&document);
        for target in link_targets(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let folder = repository_root().join(&document);
            let found = folder.parent().expect("a file is in a folder").join(path);
            assert!(found.exists(), "{document} points to {target}, which is not there");
            followed += 1;
        }
    }
    assert!(followed > 20, "the links were not found: {followed}");
}

/// Endings of files that texts name.
const NAMED_FILES: [&str; 9] =
    [".rs", ".md", ".toml", ".yaml", ".json", ".jsonl", ".html", ".css", ".js"];

/// Texts that tell of former times, with the names of then.
const HISTORY: [&str; 2] = ["CHANGELOG.md", "docs/decisions/"];

/// Paths of files, with at least one folder, that a text names between backticks.
fn named_files(text: &str) -> impl Iterator<Item = &str> {
    let is_path = |name: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        // What begins with a slash is an address.
        !name.starts_with('/')
            && name.contains('/')
            && name.chars().all(plain)
            && NAMED_FILES.iter().any(|ending| name.ends_with(ending))
    };
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_path)
}

/// Says if one of these files has the path, or ends in it.
fn is_there(files: &[String], path: &str) -> bool {
    files.iter().any(|file| file == path || file.ends_with(&format!("/{path}")))
}

#[test]
fn every_file_that_a_text_names_is_there() {
    let files = list_files(".", &NAMED_FILES);
    let texts = files.iter().filter(|file| file.ends_with(".rs") || file.ends_with(".md"));
    let (mut absent, mut found) = (Vec::new(), 0);
    for text in texts.filter(|file| !HISTORY.iter().any(|old| file.starts_with(old))) {
        for path in named_files(&read_file(text)).map(|path| path.trim_start_matches("./")) {
            found += 1;
            if !is_there(&files, path) {
                absent.push(format!("{text} names {path}"));
            }
        }
    }
    assert!(absent.is_empty(), "{}", absent.join("\n"));
    assert!(found > 100, "the names were not found: {found}");
}

#[test]
fn an_absent_file_is_found() {
    let files = ["services/gateway/src/http/mod.rs".to_owned()];
    let text = format!("as in `http/mod.rs` and `http/{}.rs`, not `a word` or `Vec<u8>`", "body");
    let named: Vec<_> = named_files(&text).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert_eq!([true, false], [is_there(&files, named[0]), is_there(&files, named[1])]);
    assert!(!is_there(&files, "p/mod.rs"), "a part of a name is no name");
}
