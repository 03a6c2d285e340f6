//! Statistics as CSV for spreadsheets. No name of a queue makes a cell a formula.

use super::view::{StatisticsRow, VisitStats};
use std::borrow::Cow;
use std::fmt::Display;

/// Columns in order, as docs/reference/statistics.md explains them.
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

/// Table with a header row. It begins with the byte-order mark by which spreadsheets recognise
/// UTF-8.
pub(super) fn table(rows: &[StatisticsRow]) -> String {
    let mut table = format!("\u{feff}{}\r\n", COLUMNS.join(","));
    for row in rows {
        table.push_str(&cells(row).join(","));
        table.push_str("\r\n");
    }
    table
}

fn cells(row: &StatisticsRow) -> [String; COLUMNS.len()] {
    let stats = &row.stats;
    let VisitStats { waiting, serving, estimate, overtaken, .. } = stats;
    let total = overtaken.priority
        + overtaken.returned
        + overtaken.transferred
        + overtaken.resumed
        + overtaken.taken_back
        + overtaken.out_of_order;
    [
        row.day.clone(),
        optional_cell(row.hour),
        text_cell(&row.queue),
        text_cell(&row.queue_name),
        stats.taken.to_string(),
        stats.served.to_string(),
        stats.missed.to_string(),
        stats.left.to_string(),
        stats.void.to_string(),
        stats.here.to_string(),
        stats.unanswered_calls.to_string(),
        waiting.count.to_string(),
        optional_cell(waiting.median_s),
        optional_cell(waiting.p90_s),
        serving.count.to_string(),
        optional_cell(serving.median_s),
        optional_cell(serving.p90_s),
        estimate.count.to_string(),
        optional_cell(estimate.kept),
        optional_cell(estimate.mean_error_minutes),
        optional_cell(estimate.median_error_minutes),
        optional_cell(estimate.bias_minutes),
        overtaken.people.to_string(),
        overtaken.priority.to_string(),
        overtaken.returned.to_string(),
        overtaken.transferred.to_string(),
        overtaken.resumed.to_string(),
        overtaken.taken_back.to_string(),
        overtaken.out_of_order.to_string(),
        total.to_string(),
    ]
}

fn optional_cell(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Text as a cell: quoted where CSV needs it, and behind an apostrophe where a spreadsheet would
/// take it for a formula.
fn text_cell(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
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
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(text_cell(name), cell);
        }
    }
}
