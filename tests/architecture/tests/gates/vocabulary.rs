//! Words that name nothing: barred names, and comments that open with an interrogative.
//!
//! `cargo run -p architecture -- prose` prints the counts of each package.

use crate::repository::{list_files, read_file, repository_root};
use architecture::prose::{self, Prose, share};
use architecture::syntax::parse;
use architecture::vocabulary::barred;

/// Counts of one package that may not rise. What falls is lowered here, until all are 0.
struct Maximum {
    package: &'static str,
    /// Declarations with a barred name.
    names: usize,
    /// Files whose first sentence opens with an interrogative.
    files: usize,
    /// Doc comments that open with an interrogative.
    comments: usize,
}

const fn max(package: &'static str, names: usize, files: usize, comments: usize) -> Maximum {
    Maximum { package, names, files, comments }
}

const MAXIMA: &[Maximum] = &[max("services/gateway", 0, 1, 0)];

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

/// Lines with one of [`COINED`]. It can only fall.
const MAX_COINED: usize = 2;

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
    assert_eq!(found.len(), MAX_COINED, "{found:#?}");
}

#[test]
fn names_and_comments_say_the_thing() {
    let mut wrong = Vec::new();
    let mut table = Vec::new();
    for package in architecture::files::packages() {
        let package = package.strip_prefix(repository_root()).unwrap().to_str().unwrap();
        let maximum = MAXIMA.iter().find(|maximum| maximum.package == package);
        let (names, files, comments) =
            maximum.map_or((0, 0, 0), |m| (m.names, m.files, m.comments));
        let (found, counted) = counts(package);
        let tolerated = counted.docs_opening == 0
            || share(counted.docs_opening, counted.docs) < TOLERATED_COMMENTS;
        let opening = if tolerated { 0 } else { counted.docs_opening };
        if found.len() > names {
            wrong.push(format!("{package} has barred names:\n  {}", found.join("\n  ")));
        }
        if counted.files_opening > files || opening > comments {
            wrong.push(format!(
                "{package} opens comments with an interrogative: {}",
                openers(package)
            ));
        }
        if (found.len(), counted.files_opening, opening) != (names, files, comments) {
            wrong.push(format!("{package}: the table has {names}, {files}, {comments}"));
        }
        if found.len() + counted.files_opening + opening > 0 {
            let (names, files) = (found.len(), counted.files_opening);
            table.push(format!("    max(\"{package}\", {names}, {files}, {opening}),"));
        }
    }
    let gone = MAXIMA.iter().filter(|maximum| !repository_root().join(maximum.package).exists());
    wrong.extend(gone.map(|maximum| format!("there is no {} any more", maximum.package)));
    let now = table.join("\n");
    assert!(wrong.is_empty(), "{}\nIf counts fell, lower them; now:\n{now}", wrong.join("\n"));
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
