//! Places for figures in the document, between two comments.

use anyhow::{Context, ensure};
use std::collections::BTreeSet;

const BEGIN: &str = "<!-- figures: ";
const END: &str = "<!-- end of figures -->";

/// Text of a place whose run is not kept yet.
const NO_RUN: &str = "*No run of this is kept yet.*";

/// Name of the place that begins in a line.
fn begun(line: &str) -> Option<&str> {
    line.strip_prefix(BEGIN)?.strip_suffix(" -->")
}

/// Names of all places. Each has an end, and none stands twice.
pub fn names(text: &str) -> anyhow::Result<Vec<&str>> {
    let mut names = Vec::new();
    let mut open = None;
    for line in text.lines() {
        if let Some(name) = begun(line) {
            ensure!(open.is_none(), "a place for figures within another: {name}");
            ensure!(!names.contains(&name), "two places for {name}");
            names.push(name);
            open = Some(name);
        } else if line == END {
            open.take().context("an end of figures that did not begin")?;
        }
    }
    ensure!(open.is_none(), "the place for {open:?} has no end");
    Ok(names)
}

/// Fills each place with what `made` returns for its name.
pub fn fill(
    text: &str,
    made: impl Fn(&str) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<String> {
    names(text)?;
    let mut filled = String::new();
    let mut within = false;
    for line in text.lines() {
        within &= line != END;
        if !within {
            filled += line;
            filled.push('\n');
        }
        if let Some(name) = begun(line) {
            within = true;
            let content = made(name).with_context(|| format!("the figures of {name}"))?;
            let content = content.as_deref().unwrap_or(NO_RUN).trim_end();
            filled += &format!("\n{content}\n\n");
        }
    }
    Ok(filled)
}

/// Lines of tables outside of places and of code.
pub fn loose_tables(text: &str) -> BTreeSet<usize> {
    let (mut figures, mut code) = (false, false);
    let mut lines = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        figures = (figures || begun(line).is_some()) && line != END;
        code ^= line.starts_with("```");
        if !figures && !code && line.trim_start().starts_with('|') {
            lines.insert(at + 1);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- figures: one -->\n\nold\n\n<!-- end of figures -->\nb\n\
                        <!-- figures: two -->\n<!-- end of figures -->\n";

    #[test]
    fn places_are_filled_by_name_and_again_the_same() {
        let made = |name: &str| Ok((name == "one").then(|| "| new |\n".to_owned()));
        let filled = fill(TEXT, made).unwrap();
        let expected = TEXT
            .replace("old", "| new |")
            .replace("two -->\n", &format!("two -->\n\n{NO_RUN}\n\n"));
        assert_eq!(filled, expected);
        assert_eq!(fill(&filled, made).unwrap(), filled);
    }

    #[test]
    fn a_place_without_its_end_and_one_that_stands_twice_are_found() {
        assert_eq!(names(TEXT).unwrap(), ["one", "two"]);
        for wrong in [TEXT.replace("two", "one"), TEXT.replacen(END, "", 1), format!("{END}\n")] {
            assert!(names(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_table_outside_of_a_place_is_found() {
        let text = "| a |\n```\n| code |\n```\n<!-- figures: one -->\n| b |\n<!-- end of figures -->\n| c |";
        assert_eq!(loose_tables(text), BTreeSet::from([1, 8]));
    }
}
