//! Tables as CSV for spreadsheets. No text makes a cell a formula.

use std::borrow::Cow;

/// Table with a header row. It begins with the byte-order mark by which spreadsheets recognise
/// UTF-8. The cells are those of [`text_cell`], or numbers.
pub(crate) fn table<const N: usize>(
    columns: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut table = format!("\u{feff}{}\r\n", columns.join(","));
    for row in rows {
        table.push_str(&row.join(","));
        table.push_str("\r\n");
    }
    table
}

/// Text as a cell: quoted where CSV needs it, and behind an apostrophe where a spreadsheet would
/// take it for a formula.
pub(crate) fn text_cell(text: &str) -> String {
    let is_ignored = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let is_formula = text.starts_with(['\t', '\r', '\n'])
        || text
            .trim_start_matches(is_ignored)
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let text = if is_formula { Cow::from(format!("'{text}")) } else { Cow::from(text) };
    if text.contains(['"', ',', ';', '\r', '\n', '\t', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_formula_and_none_breaks_the_row() {
        for (name, cell) in [
            ("存取款", "存取款"),
            ("a, b", "\"a, b\""),
            ("the \"fast\" one", "\"the \"\"fast\"\" one\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
            ("\t=1", "\"'\t=1\""),
            (" =1", "\"' =1\""),
            ("\u{a0}\u{3000}@x", "\"'\u{a0}\u{3000}@x\""),
            ("\u{feff}=1", "\"'\u{feff}=1\""),
            ("＝1", "\"'＝1\""),
            ("a=1", "a=1"),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(text_cell(name), cell);
        }
    }
}
