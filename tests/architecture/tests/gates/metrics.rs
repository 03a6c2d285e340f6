//! Metrics: the reference describes each that the sources record, and no text names another.

use crate::repository::{list_files, read_file, workspace_packages};
use std::collections::{BTreeMap, BTreeSet};

const REFERENCE: &str = "docs/reference/metrics.md";

/// Endings of the series that one histogram or summary becomes.
const SERIES: [&str; 3] = ["_bucket", "_count", "_sum"];

/// Metrics that the sources record, with their types as Prometheus has them.
pub(crate) fn recorded_metrics() -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    let sources = ["services", "shared"].map(|folder| list_files(folder, &[".rs"])).concat();
    for file in sources.iter().filter(|file| file.contains("/src/")) {
        let text = read_file(file);
        // Tests stand at the end of a file, and have metrics of their own.
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (name, kind) in metrics_of(code) {
            let known = found.insert(name.clone(), kind);
            assert!(known.is_none_or(|known| known == kind), "{file}: {name} is two things");
        }
    }
    found
}

/// Metrics that a piece of code names. The macro or function in front of a name says its type.
fn metrics_of(code: &str) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    // The name of the doctor's probe is not one.
    let code = &code.replace("\"paihao_doctor\"", "");
    for (at, _) in code.match_indices("\"paihao_") {
        let name = code[at + 1..].split('"').next().unwrap_or_default();
        // A prefix by itself is a piece of another text.
        if !is_name(name) || name == "paihao_" {
            continue;
        }
        let before = &code[..at];
        let kinds = [("counter", "counter"), ("gauge", "gauge"), ("histogram", "histogram")];
        let nearest = kinds.iter().filter_map(|(word, kind)| Some((before.rfind(word)?, *kind)));
        let (_, kind) = nearest.max().unwrap_or_else(|| panic!("{name} is recorded by no macro"));
        // chassis/src/metrics.rs gives buckets to what is measured in seconds.
        let kind =
            if kind == "histogram" && !name.ends_with("_seconds") { "summary" } else { kind };
        found.push((name.to_owned(), kind));
    }
    found
}

fn is_name(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Metrics of ours that a text names. A crate has a name of the same form.
pub(crate) fn named_metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("paihao_")).map(metric_of_series).collect()
}

/// Name of the metric that a series belongs to.
fn metric_of_series(series: &str) -> &str {
    SERIES.iter().find_map(|ending| series.strip_suffix(ending)).unwrap_or(series)
}

/// One row of the reference.
#[derive(Debug)]
struct Row {
    name: String,
    kind: String,
    labels: Vec<String>,
    unit: String,
    meaning: String,
    of: String,
}

fn documented_metrics() -> Vec<Row> {
    let text = read_file(REFERENCE);
    let rows = text.lines().filter(|line| line.starts_with("| `paihao_"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, unit, meaning, of] = cells[..] else { panic!("{line}") };
        Row {
            name: name.trim_matches('`').to_owned(),
            kind: kind.to_owned(),
            labels: labels.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
            unit: unit.to_owned(),
            meaning: meaning.to_owned(),
            of: of.to_owned(),
        }
    })
    .collect()
}

#[test]
fn the_reference_describes_every_metric_and_no_other() {
    let recorded = recorded_metrics();
    assert!(recorded.len() > 50, "the metrics were not found: {recorded:#?}");
    let rows = documented_metrics();
    let documented: BTreeMap<_, _> =
        rows.iter().map(|row| (row.name.clone(), row.kind.as_str())).collect();
    assert_eq!(documented.len(), rows.len(), "a metric is described twice");
    let recorded: BTreeMap<_, _> = recorded.into_iter().collect();
    assert_eq!(documented, recorded, "left: {REFERENCE}, right: the sources");
}

/// Units that the ending of a name promises.
const UNITS: [(&str, &str); 4] =
    [("_seconds", "seconds"), ("_bytes", "bytes"), ("_minutes", "minutes"), ("_ratio", "ratio")];

#[test]
fn every_metric_has_a_unit_that_fits_its_name() {
    for row in documented_metrics() {
        assert!(!row.unit.is_empty() && row.meaning.len() > 10, "{row:?}");
        assert!(["", "replica", "shared"].contains(&row.of.as_str()), "{row:?}");
        assert_eq!(row.kind == "counter", row.name.ends_with("_total"), "{row:?}");
        let promised = UNITS.iter().find(|(ending, _)| row.name.ends_with(ending));
        if let Some((_, unit)) = promised {
            assert!(row.unit.starts_with(unit), "{row:?}");
        }
        for label in &row.labels {
            assert!(is_name(label), "{row:?}");
        }
    }
}

#[test]
fn every_metric_that_a_text_names_is_recorded() {
    let recorded = recorded_metrics();
    let crates: BTreeSet<_> =
        workspace_packages().iter().map(|package| package.name.replace('-', "_")).collect();
    let mut wrong = Vec::new();
    let files = ["docs", "deploy", "services", "shared"]
        .map(|folder| list_files(folder, &[".md", ".yaml", ".toml", ".json", ".conf"]));
    let tops = ["ARCHITECTURE.md", "CHANGELOG.md", "GLOSSARY.md", "README.md", "README.zh-CN.md"];
    let files = files.concat().into_iter().chain(tops.map(str::to_owned));
    // What WeChat answers in tests is not always text.
    for file in files.filter(|file| !file.contains("/tests/")) {
        let text = read_file(&file);
        let unknown = named_metrics(&text)
            .into_iter()
            .filter(|name| !recorded.contains_key(*name) && !crates.contains(*name));
        wrong.extend(unknown.map(|name| format!("{file}: {name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn metrics_are_found_as_they_are_recorded() {
    let code = "metrics::counter!(\n \"paihao_a_total\", \"x\" => y);\n self.set_gauge(\"paihao_b\", \
                0.0); histogram!(\"paihao_c_seconds\"); histogram!(\"paihao_d\"); \"paihao=debug\"";
    let found = metrics_of(code);
    let found: Vec<_> = found.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    let expected = [
        ("paihao_a_total", "counter"),
        ("paihao_b", "gauge"),
        ("paihao_c_seconds", "histogram"),
        ("paihao_d", "summary"),
    ];
    assert_eq!(found, expected);
    let named = named_metrics("rate(paihao_c_seconds_bucket{le=\"1\"}[5m]) / up + paihao_b");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["paihao_b", "paihao_c_seconds"]);
}
