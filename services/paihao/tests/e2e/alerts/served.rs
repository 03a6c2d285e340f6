//! Comparison of the metrics that processes serve with the reference.

use crate::support::cluster::ProgramProcess;
use reqwest::Client;
use std::collections::{BTreeMap, BTreeSet};

/// Labels that Prometheus' form of histograms and summaries adds.
const LABELS_OF_SERIES: [&str; 2] = ["le", "quantile"];

/// Type and labels of each metric, as the reference has them.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    let text = std::fs::read_to_string(path).expect("the reference");
    let rows = text.lines().filter(|line| line.starts_with("| `paihao_"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
    })
    .collect()
}

/// Checks type and labels of each metric that a process serves. Returns their names.
pub async fn check(http: &Client, process: &ProgramProcess) -> BTreeSet<String> {
    let documented = documented();
    let response = http.get(format!("{}/metrics", process.admin)).send().await.unwrap();
    let text = response.text().await.unwrap();
    let mut served = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            let known = documented.get(name).unwrap_or_else(|| panic!("{name} is not described"));
            assert_eq!(known.0, kind, "{name}");
            name.clone_into(&mut current);
            served.insert(name.to_owned());
        } else if let Some((series, labels)) = line.split_once('{')
            && series.starts_with(&*current)
        {
            assert_eq!(label_names(labels), documented[&current].1, "{line}");
        }
    }
    served
}

/// Names of the labels of a line, from behind its brace. No value of ours holds a quotation mark.
fn label_names(labels: &str) -> BTreeSet<String> {
    let names = labels.split('"').step_by(2).filter_map(|part| part.strip_suffix('='));
    let names = names.map(|name| name.trim_start_matches(',').to_owned());
    names.filter(|name| !LABELS_OF_SERIES.contains(&name.as_str())).collect()
}
