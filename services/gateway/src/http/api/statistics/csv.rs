//! Statistics as CSV for spreadsheets. No cell can be taken for a formula, whatever the name of
//! a queue is.

use super::view::StatisticsRow;
use std::borrow::Cow;
use std::fmt::Display;

/// The columns, in order; docs/reference/statistics.md says what each holds.
const COLUMNS: [&str; 30] = [
    "day",
    "hour",
    "queue",
    "queue_name",
    "taken",
    "served",
    "missed",
    "left",
    "void",
    "here",
    "unanswered_calls",
    "waiting_count",
    "waiting_median_s",
    "waiting_p90_s",
    "serving_count",
    "serving_median_s",
    "serving_p90_s",
    "estimate_count",
    "estimate_kept",
    "estimate_mean_error_minutes",
    "estimate_median_error_minutes",
    "estimate_bias_minutes",
    "overtaken_people",
    "overtaken_priority",
    "overtaken_returned",
    "overtaken_transferred",
    "overtaken_resumed",
    "overtaken_taken_back",
    "overtaken_out_of_order",
    "overtaken_total",
];

/// The table. It begins with the mark by which spreadsheets know UTF-8.
pub(super) fn table(rows: &[StatisticsRow]) -> String {
    let mut table = format!("\u{feff}{}\r\n", COLUMNS.join(","));
    for row in rows {
        table.push_str(&cells(row).join(","));
        table.push_str("\r\n");
    }
    table
}

fn cells(row: &StatisticsRow) -> [String; COLUMNS.len()] {
    let of = &row.stats;
    let (waiting, serving, told, over) = (&of.waiting, &of.serving, &of.estimate, &of.overtaken);
    let total = over.priority
        + over.returned
        + over.transferred
        + over.resumed
        + over.taken_back
        + over.out_of_order;
    [
        row.day.clone(),
        optional_cell(row.hour),
        text_cell(&row.queue),
        text_cell(&row.queue_name),
        of.taken.to_string(),
        of.served.to_string(),
        of.missed.to_string(),
        of.left.to_string(),
        of.void.to_string(),
        of.here.to_string(),
        of.unanswered_calls.to_string(),
        waiting.count.to_string(),
        optional_cell(waiting.median_s),
        optional_cell(waiting.p90_s),
        serving.count.to_string(),
        optional_cell(serving.median_s),
        optional_cell(serving.p90_s),
        told.count.to_string(),
        optional_cell(told.kept),
        optional_cell(told.mean_error_minutes),
        optional_cell(told.median_error_minutes),
        optional_cell(told.bias_minutes),
        over.people.to_string(),
        over.priority.to_string(),
        over.returned.to_string(),
        over.transferred.to_string(),
        over.resumed.to_string(),
        over.taken_back.to_string(),
        over.out_of_order.to_string(),
        total.to_string(),
    ]
}

fn optional_cell(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Somebody's words as a cell: in quotes where they need them, and behind an apostrophe where a
/// spreadsheet would reckon with them.
fn text_cell(words: &str) -> String {
    let reckoned =
        words.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let words = if reckoned { Cow::from(format!("'{words}")) } else { Cow::from(words) };
    if words.contains(['"', ',', ';', '\r', '\n', '\t', '\'']) {
        format!("\"{}\"", words.replace('"', "\"\""))
    } else {
        words.into_owned()
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
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(text_cell(name), cell);
        }
    }
}
