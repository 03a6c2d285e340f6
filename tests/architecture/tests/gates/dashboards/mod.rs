//! Dashboards: written from their content, and each metric of the program is on one.
//!
//! `PAIHAO_WRITE=1 cargo test -p architecture the_written_dashboards` writes them.

mod content;

use crate::metrics::{named_metrics, recorded_metrics};
use crate::repository::{list_files, read_file, repository_root};
use content::{Dashboard, Panel, dashboards};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FOLDER: &str = "deploy/dashboards";

/// Columns of Grafana's grid, and the size of a panel in them.
const COLUMNS: usize = 24;
const WIDTH: usize = 8;
const HEIGHT: usize = 8;

/// Source of the data, chosen at the top of the dashboard.
fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn render_panel(panel: &Panel, id: usize, (x, y): (usize, usize)) -> Value {
    let targets = panel.queries.iter().zip('A'..).map(|((expression, legend), id)| {
        json!({
            "datasource": datasource(),
            "expr": expression,
            "legendFormat": legend,
            "refId": id.to_string(),
        })
    });
    json!({
        "type": "timeseries",
        "id": id,
        "title": panel.title,
        "datasource": datasource(),
        "gridPos": { "x": x, "y": y, "w": WIDTH, "h": HEIGHT },
        "fieldConfig": { "defaults": { "unit": panel.unit }, "overrides": [] },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom" },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": targets.collect::<Vec<_>>(),
    })
}

fn variables(dashboard: &Dashboard) -> Value {
    let source = json!({
        "name": "datasource", "type": "datasource", "query": "prometheus", "label": "数据源 · Source",
    });
    let is_of_a_role = dashboard.rows.iter().any(|(_, panels)| {
        panels.iter().flat_map(|panel| panel.queries).any(|(query, _)| query.contains("$job"))
    });
    if !is_of_a_role {
        return json!({ "list": [source] });
    }
    let jobs = format!("paihao|paihao-{}", dashboard.name);
    let job = json!({
        "name": "job", "type": "constant", "query": jobs, "hide": 2,
        "current": { "text": jobs, "value": jobs },
    });
    json!({ "list": [source, job] })
}

fn render(dashboard: &Dashboard) -> String {
    let (mut panels, mut y) = (Vec::new(), 0);
    for (title, row) in dashboard.rows {
        let id = panels.len() + 1;
        panels.push(json!({
            "type": "row", "id": id, "title": title, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
        }));
        y += 1;
        for (at, panel) in row.iter().enumerate() {
            let place = (at * WIDTH % COLUMNS, y + at * WIDTH / COLUMNS * HEIGHT);
            panels.push(render_panel(panel, panels.len() + 1, place));
        }
        y += row.len().div_ceil(COLUMNS / WIDTH) * HEIGHT;
    }
    let rendered = json!({
        "uid": format!("paihao-{}", dashboard.name),
        "title": dashboard.title,
        "tags": ["paihao"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": { "from": "now-6h", "to": "now" },
        "templating": variables(dashboard),
        "links": [{
            "title": "排号 · paihao", "type": "dashboards", "tags": ["paihao"], "asDropdown": true,
        }],
        "panels": panels,
    });
    serde_json::to_string_pretty(&rendered).unwrap() + "\n"
}

/// What has Grafana's sidecar load the dashboards on Kubernetes.
fn render_kustomization() -> String {
    let mut text = "# Each dashboard as a ConfigMap, which Grafana's sidecar finds by its label.\n\
                    apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
                    generatorOptions:\n  disableNameSuffixHash: true\n  labels:\n    \
                    grafana_dashboard: \"1\"\nconfigMapGenerator:\n"
        .to_owned();
    for Dashboard { name, .. } in dashboards() {
        text += &format!("  - name: paihao-dashboard-{name}\n    files: [{name}.json]\n");
    }
    text
}

#[test]
fn the_written_dashboards_are_those_of_their_content() {
    let mut files: Vec<_> = dashboards().map(|d| (format!("{}.json", d.name), render(d))).collect();
    files.push(("kustomization.yaml".to_owned(), render_kustomization()));
    for (name, text) in &files {
        let path = format!("{FOLDER}/{name}");
        if std::env::var_os("PAIHAO_WRITE").is_some() {
            std::fs::write(repository_root().join(&path), text).unwrap();
        }
        assert_eq!(&read_file(&path), text, "{path}: write it with PAIHAO_WRITE=1");
    }
    let expected: BTreeSet<_> =
        files.into_iter().map(|(name, _)| format!("{FOLDER}/{name}")).collect();
    let found: BTreeSet<_> = list_files(FOLDER, &[""]).into_iter().collect();
    assert_eq!(found, expected, "a file of no dashboard");
}

#[test]
fn every_metric_is_on_a_dashboard_and_no_other() {
    let recorded = recorded_metrics();
    let mut shown = BTreeSet::new();
    for dashboard in dashboards() {
        for panel in dashboard.rows.iter().flat_map(|(_, panels)| *panels) {
            for (query, _) in panel.queries {
                let metrics = named_metrics(query);
                assert!(!metrics.is_empty(), "{}: {query}", panel.title);
                for metric in metrics {
                    assert!(recorded.contains_key(metric), "{}: {metric}", panel.title);
                    // A rate of a gauge, or a bare counter, is a mistake.
                    let is_rated = query.contains("rate(") || query.contains("increase(");
                    let is_counter = recorded[metric] == "counter";
                    let is_exempt = metric == "paihao_newer_forms_total";
                    assert!(!is_counter || is_rated || is_exempt, "{}: {query}", panel.title);
                    shown.insert(metric.to_owned());
                }
            }
        }
    }
    let hidden: Vec<_> = recorded.keys().filter(|metric| !shown.contains(*metric)).collect();
    assert!(hidden.is_empty(), "on no dashboard: {hidden:?}");
}

#[test]
fn promtool_reads_every_query() {
    let queries = dashboards().flat_map(|dashboard| {
        let panels = dashboard.rows.iter().flat_map(|(_, panels)| *panels);
        panels.flat_map(|panel| panel.queries.iter().map(|(query, _)| *query))
    });
    let mut rules = "groups: [{ name: panels, rules: [\n".to_owned();
    for (at, query) in queries.enumerate() {
        rules += &format!("  {{ record: panel:{at}, expr: {} }},\n", json!(query));
    }
    rules += "] }]\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("panels.yaml");
    std::fs::write(&file, rules).unwrap();
    crate::alerts::promtool(&["check", "rules", file.to_str().unwrap()]);
}
