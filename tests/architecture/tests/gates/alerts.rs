//! Alerts: each names metrics that there are, is tested, and has its entry in the runbook.

use crate::metrics::{named_metrics, recorded_metrics};
use crate::repository::{read_file, repository_root};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

pub(crate) const ALERTS: &str = "deploy/alerts.yaml";

const RUNBOOK: &str = "docs/guide/runbook.md";

/// Rows of an entry of the runbook: what customers feel, what to look at and to do, whom to call.
const ROWS: [&str; 4] = ["顾客 customers", "先看 look at", "处理 do", "求助 call"];

/// The rules, in their order; an alert with several rules is there several times.
fn rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&read_file(ALERTS)).unwrap();
    let groups = file["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn name(rule: &Value) -> &str {
    rule["alert"].as_str().unwrap_or_else(|| panic!("{rule} is no alert"))
}

fn alert_names() -> BTreeSet<String> {
    rules().iter().map(|rule| name(rule).to_owned()).collect()
}

/// Metrics of Prometheus itself and of the exporters that alerts.yaml names.
const METRICS_OF_OTHERS: [&str; 3] = ["probe_", "node_", "kubelet_"];

#[test]
fn the_alerts_name_metrics_that_there_are() {
    let recorded = recorded_metrics();
    for rule in rules() {
        let expression = rule["expr"].as_str().unwrap();
        let ours = named_metrics(expression);
        let of_others = METRICS_OF_OTHERS.iter().any(|prefix| expression.contains(prefix))
            || expression.contains("up{");
        assert!(!ours.is_empty() || of_others, "{expression}");
        for metric in ours {
            assert!(recorded.contains_key(metric), "{}: {metric}", name(&rule));
        }
    }
}

#[test]
fn every_alert_says_what_it_is_and_leads_to_its_entry() {
    let mut found = BTreeSet::new();
    for rule in rules() {
        let name = name(&rule);
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity:?}");
        for part in ["summary", "description"] {
            assert!(rule["annotations"][part].is_string(), "{name} has no {part}");
        }
        let url = format!("{RUNBOOK}#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], url, "{name}");
        found.insert(name.to_owned());
    }
    assert!(found.len() > 20, "the alerts were not found: {found:?}");
}

#[test]
fn the_runbook_has_an_entry_for_each_alert_and_no_other() {
    let runbook = read_file(RUNBOOK);
    let entries: Vec<_> = runbook.split("\n### ").skip(1).collect();
    let titles: Vec<_> =
        entries.iter().map(|entry| entry.lines().next().unwrap().to_owned()).collect();
    let unique: BTreeSet<_> = titles.iter().cloned().collect();
    assert_eq!(unique.len(), titles.len(), "an alert has two entries");
    assert_eq!(unique, alert_names(), "left: {RUNBOOK}, right: {ALERTS}");
    for entry in entries {
        let title = entry.lines().next().unwrap();
        let rows = entry.lines().filter(|line| line.starts_with('|')).skip(2);
        let rows: Vec<Vec<_>> =
            rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
        assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ROWS, "{title}");
        for row in rows {
            let [_, chinese, english] = row[..] else { panic!("{title}: {row:?}") };
            assert!(chinese.chars().any(|c| c > '\u{3000}'), "{title}: {chinese}");
            assert!(english.chars().filter(|c| *c > '\u{3000}').count() < 9, "{title}: {english}");
            assert!(english.len() > 3, "{title}: {english}");
        }
        let severities: BTreeSet<_> = rules()
            .iter()
            .filter(|rule| name(rule) == title)
            .map(|rule| rule["labels"]["severity"].as_str().unwrap().to_owned())
            .collect();
        let said = entry.lines().nth(2).unwrap_or_default();
        let expected = severities.into_iter().collect::<Vec<_>>().join(", ");
        assert!(said.ends_with(&format!("· {expected}")), "{title}: {said}, not {expected}");
    }
}

pub(crate) fn promtool(arguments: &[&str]) {
    let output =
        Command::new(harness::promtool()).args(arguments).current_dir(repository_root()).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_accepts_the_rules_and_the_scraping() {
    promtool(&["check", "rules", ALERTS]);
    promtool(&["check", "config", "deploy/prometheus.yaml"]);
}

#[test]
fn promtool_sees_each_alert_fire_and_end() {
    const TESTS: &str = "deploy/alerts_test.yaml";
    promtool(&["test", "rules", TESTS]);
    let tests = read_file(TESTS);
    let untested: Vec<_> = alert_names()
        .into_iter()
        .filter(|alert| !tests.contains(&format!("{{alertname=\"{alert}\"}}")))
        .collect();
    assert!(untested.is_empty(), "{TESTS} has no test of {untested:?}");
}
