//! Words that name nothing: barred names, and comments that open with an interrogative.
//!
//! `cargo run -p architecture -- prose` prints the counts of each package.

use crate::repository::{list_files, read_file, repository_root};
use architecture::prose::{self, Prose, share};
use architecture::syntax::parse;
use architecture::vocabulary::barred;

/// Percentage of a package's doc comments that may open with an interrogative: where a sentence is
/// best begun so.
const TOLERATED_COMMENTS: f64 = 3.0;

fn counts(package: &str) -> (Vec<String>, Prose) {
    let mut names = Vec::new();
    let mut counted = Prose::default();
    for file in list_files(package, &[".rs"]) {
        let found = barred(&parse(&repository_root().join(&file)));
        names.extend(found.iter().map(|b| format!("{file}:{}: {} {}", b.line, b.kind, b.name)));
        counted = counted + prose::count(&read_file(&file));
    }
    (names, counted)
}

/// Words that no language has.
const COINED: [&str; 2] = ["how-manieth", "how manieth"];

#[test]
fn no_word_is_coined() {
    let mut found = Vec::new();
    for file in list_files(".", &[".rs", ".md", "openapi.json", ".js", ".html", ".toml"]) {
        let this = file.ends_with("gates/vocabulary.rs");
        for (at, line) in read_file(&file).lines().enumerate().filter(|_| !this) {
            if COINED.iter().any(|word| line.to_lowercase().contains(word)) {
                found.push(format!("{file}:{}", at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn names_and_comments_say_the_thing() {
    let mut wrong = Vec::new();
    for package in architecture::files::packages() {
        let package = package.strip_prefix(repository_root()).unwrap().to_str().unwrap();
        let (names, counted) = counts(package);
        if !names.is_empty() {
            wrong.push(format!("{package} has barred names:\n  {}", names.join("\n  ")));
        }
        let is_tolerated = counted.docs_opening == 0
            || share(counted.docs_opening, counted.docs) < TOLERATED_COMMENTS;
        if counted.files_opening > 0 || !is_tolerated {
            let openers = openers(package);
            wrong.push(format!("{package} opens comments with an interrogative: {openers}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files of a package with the line numbers of their opening interrogatives.
fn openers(package: &str) -> String {
    let mut found = String::new();
    for file in list_files(package, &[".rs"]) {
        let text = read_file(&file);
        let lines = prose::doc_lines(&text)
            .filter(|line| line.first && prose::interrogative(line.text).is_some());
        for line in lines {
            found += &format!("\n  {file}:{}: {}", line.number, line.text);
        }
    }
    found
}
