//! Form of comments and documents: width, tables, and names of documents.

use crate::repository::{list_files, read_file, repository_root};

/// Columns, as rustfmt keeps them for code.
const MAX_WIDTH: usize = 100;

/// Titles of texts that are not in this repository.
const ABSENT: [&str; 3] = ["the failure table", "the article's way", "the article’s way"];

fn fail(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Lines of a document outside of fenced blocks, with their numbers.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

#[test]
fn no_comment_is_wider_than_the_code() {
    let mut wrong = Vec::new();
    for (ending, mark) in [(".rs", "//"), (".toml", "#"), (".yaml", "#")] {
        for file in list_files(".", &[ending]) {
            for (at, line) in read_file(&file).lines().enumerate() {
                let columns = line.chars().count();
                if columns > MAX_WIDTH && line.trim_start().starts_with(mark) {
                    wrong.push(format!("{file}:{}: {columns} columns", at + 1));
                }
            }
        }
    }
    fail(&wrong);
}

#[test]
fn the_architecture_is_told_in_200_lines() {
    let lines = read_file("ARCHITECTURE.md").lines().count();
    assert!(lines <= 200, "ARCHITECTURE.md has {lines}");
}

/// Cells of a table's row.
fn cells(row: &str) -> usize {
    let row = row.trim().trim_start_matches('|');
    let row = row.strip_suffix('|').unwrap_or(row);
    1 + row.replace("\\|", "").matches('|').count()
}

/// Says what is wrong with the tables of a document.
fn broken_tables(text: &str) -> Vec<(usize, &'static str)> {
    let mut wrong = Vec::new();
    let mut rows: Vec<(usize, &str)> = Vec::new();
    let end = (usize::MAX, "");
    for (number, line) in prose_lines(text).chain([end]) {
        let row = line.trim_start().starts_with('|');
        let goes_on = row && rows.last().is_some_and(|(last, _)| last + 1 == number);
        if !rows.is_empty() && !goes_on {
            let ruled = rows.get(1).is_some_and(|(_, line)| {
                line.contains('-') && line.chars().all(|c| " |:-".contains(c))
            });
            if !ruled {
                wrong.push((rows[0].0, "rows without a head: a blank line broke the table"));
            }
            let expected = cells(rows[0].1);
            let uneven = rows.iter().filter(|(_, line)| cells(line) != expected);
            wrong.extend(uneven.map(|(at, _)| (*at, "another number of cells than the head")));
            rows.clear();
        }
        if row {
            rows.push((number, line));
        }
    }
    wrong
}

#[test]
fn tables_do_not_break() {
    let mut wrong = Vec::new();
    for file in list_files(".", &[".md"]) {
        let broken = broken_tables(&read_file(&file));
        wrong.extend(broken.iter().map(|(line, what)| format!("{file}:{line}: {what}")));
    }
    fail(&wrong);
}

#[test]
fn a_broken_table_is_found() {
    let text = "| a | b |\n| --- | --- |\n| 1 | `2\\|3` |\n\n| 4 | 5 |\n\n```\n| no table\n```\n";
    assert_eq!(broken_tables(text).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5]);
    let uneven = "| a | b |\n|---|---|\n| 1 |\n";
    assert_eq!(broken_tables(uneven), [(3, "another number of cells than the head")]);
}

/// Names of Markdown files in a text, addresses of other hosts left out.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_alphanumeric() || "/.-_{}*".contains(c);
    let words = text.split(move |c| !part(c)).map(|word| word.trim_end_matches('.'));
    words.filter(|word| {
        word.ends_with(".md")
            && word.len() > 3
            && !word.starts_with("//")
            && !word.contains(['{', '*'])
    })
}

#[test]
fn every_document_that_is_named_is_there() {
    let known = list_files(".", &[".md"]);
    let mut wrong = Vec::new();
    for file in
        list_files(".", &[".rs", ".toml", ".md", ".html", ".js", ".css", ".yaml", "run", ".conf"])
    {
        // This file names what is absent.
        if file == "tests/architecture/tests/gates/documents.rs" {
            continue;
        }
        let text = read_file(&file);
        let folder = repository_root().join(&file).parent().unwrap().to_owned();
        for (at, line) in text.lines().enumerate() {
            for name in documents(line) {
                let bare = !name.contains('/');
                let mut above =
                    folder.ancestors().take_while(|above| above.starts_with(repository_root()));
                let there = above.any(|f| f.join(name.trim_start_matches('/')).is_file())
                    || bare && known.iter().any(|path| path.ends_with(&format!("/{name}")));
                if !there {
                    wrong.push(format!("{file}:{}: {name}", at + 1));
                }
            }
            let absent = ABSENT.iter().filter(|title| line.to_lowercase().contains(**title));
            wrong.extend(absent.map(|title| format!("{file}:{}: {title}", at + 1)));
        }
    }
    fail(&wrong);
}
