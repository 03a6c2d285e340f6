//! Statistics as CSV for spreadsheets.

use super::view::{StatisticsRow, VisitStats};
use crate::http::csv::{self, text_cell};
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

/// Table with a header row.
pub(super) fn table(rows: &[StatisticsRow]) -> String {
    csv::table(&COLUMNS, rows.iter().map(cells))
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
