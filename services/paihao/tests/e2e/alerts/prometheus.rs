//! Prometheus beside a deployment: it scrapes the processes and evaluates the rules that are
//! shipped, with the times that they wait shortened.

use crate::support::http::send_json;
use harness::{Program, free_port, prometheus, wait_until};
use paihao_chassis::clock::{Clock, SystemClock};
use reqwest::Client;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Windows of rates, as they are shipped and as the tests have them.
const WINDOWS: [(&str, &str); 4] =
    [("[5m]", "[20s]"), ("[10m]", "[20s]"), ("[15m]", "[20s]"), ("[1h]", "[60s]")];

/// Time for which a condition has to last, in the tests.
const FOR: &str = "1s";

/// Timeout for an alert to fire, or for all to end.
const ALERT_TIMEOUT: Duration = Duration::from_secs(180);

/// Time for which no alert fires, and every process answers, before a fault counts as over. A
/// process that was just killed has no metrics by which an alert could fire.
const CALM_TIME: Duration = Duration::from_secs(3);

/// Expression without a value while every process answers.
const ABSENT_PROCESSES: &str = "up == 0";

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// An alert, and the value of one of its labels if it matters.
pub type ExpectedAlert = (&'static str, &'static str);

/// A running Prometheus, and the times that it took to see each fault.
pub struct Prometheus {
    _program: Program,
    url: String,
    http: Client,
    started: Instant,
    /// Alerts that may fire all the time.
    ignored: &'static [&'static str],
    /// Fault, alert, time from the fault until the alert fired, time from the end until none did.
    seen: Vec<(&'static str, String, Duration, Duration)>,
}

impl Prometheus {
    /// Starts Prometheus for these processes, by job and address of their admin port, and waits
    /// until it has reached each.
    pub async fn start(http: &Client, processes: &[(&str, &str)]) -> Prometheus {
        Prometheus::start_beside(http, processes, "", &[]).await
    }

    /// Starts Prometheus as [`Prometheus::start`] does, with further jobs, where some alerts may
    /// fire all the time.
    pub async fn start_beside(
        http: &Client,
        processes: &[(&str, &str)],
        further_jobs: &str,
        ignored: &'static [&'static str],
    ) -> Prometheus {
        let mut jobs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (job, admin) in processes {
            let address = admin.strip_prefix("http://").expect("a URL of an admin port");
            jobs.entry(job).or_default().push(format!("'{address}'"));
        }
        let mut config =
            "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n\
                          rule_files: [alerts.yaml]\nscrape_configs:\n"
                .to_owned();
        for (job, targets) in jobs {
            let targets = targets.join(",");
            writeln!(config, "- job_name: {job}\n  static_configs: [{{ targets: [{targets}] }}]")
                .expect("writing to memory");
        }
        config += further_jobs;
        let port = free_port();
        let program = Program::start(
            prometheus(),
            &[
                "--config.file={dir}/prometheus.yaml",
                "--storage.tsdb.path={dir}/data",
                &format!("--web.listen-address=127.0.0.1:{port}"),
                "--log.level=warn",
            ],
            &[("prometheus.yaml", &config), ("alerts.yaml", &hasty_rules())],
        );
        let url = format!("http://127.0.0.1:{port}");
        let this = Prometheus {
            _program: program,
            url,
            http: http.clone(),
            started: Instant::now(),
            ignored,
            seen: Vec::new(),
        };
        wait_until("Prometheus has reached every process", ALERT_TIMEOUT, async || {
            let reached = this.query(r#"sum(up{job!="paihao-public"}) or vector(0)"#).await;
            reached.and_then(|sum| sum.parse().ok()) == Some(processes.len())
        })
        .await;
        wait_until("nothing is wrong yet", ALERT_TIMEOUT, async || this.firing().await.is_empty())
            .await;
        this
    }

    /// Value of an expression that has one.
    pub async fn query(&self, expression: &str) -> Option<String> {
        let request = self.http.get(format!("{}/api/v1/query", self.url));
        let response = request.query(&[("query", expression)]).send().await.ok()?;
        let response: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
        Some(response["data"]["result"][0]["value"][1].as_str()?.to_owned())
    }

    /// Series of an expression since the start, by their labels: the values, by time from 0 to 1.
    /// Windows are shortened as in the rules.
    pub async fn query_range(&self, expression: &str) -> Vec<(Value, Vec<(f64, f64)>)> {
        let end = SystemClock.now_ms() as f64 / 1000.0;
        let start = end - self.started.elapsed().as_secs_f64();
        let bounds =
            [("start", start), ("end", end), ("step", 1.0)].map(|(k, v)| (k, v.to_string()));
        let request = self.http.get(format!("{}/api/v1/query_range", self.url));
        let request = request.query(&[("query", hasty(expression))]).query(&bounds);
        let (_, response) = send_json(request).await;
        let series = response["data"]["result"].as_array().cloned();
        let series = series.unwrap_or_else(|| panic!("{expression}: {response}")).into_iter();
        let point = |point: &Value| {
            let value = point[1].as_str()?.parse().ok()?;
            Some(((point[0].as_f64()? - start) / (end - start), value))
        };
        let values = |one: &Value| {
            one["values"].as_array().into_iter().flatten().filter_map(point).collect()
        };
        series.map(|one| (one["metric"].clone(), values(&one))).collect()
    }

    /// The labels of each alert that fires.
    async fn firing(&self) -> Vec<Value> {
        let url = format!("{}/api/v1/alerts", self.url);
        let (_, response) = send_json(self.http.get(url)).await;
        let alerts = response["data"]["alerts"].as_array().cloned().unwrap_or_default();
        for alert in &alerts {
            let summary = alert["annotations"]["summary"].as_str().unwrap_or_default();
            let is_good = !summary.contains("<error") && !summary.contains("<no value>");
            assert!(is_good && !summary.is_empty(), "{alert}");
        }
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let labels = firing.map(|alert| alert["labels"].clone());
        let is_ignored =
            |labels: &Value| self.ignored.iter().any(|name| labels["alertname"] == *name);
        labels.filter(|labels| !is_ignored(labels)).collect()
    }

    /// Causes a fault and waits until its alerts fire, then ends it and waits until none does. Both
    /// functions are called again and again with the number of the round, since some faults show
    /// themselves only when somebody comes.
    pub async fn see(
        &mut self,
        fault: &'static str,
        alerts: &[ExpectedAlert],
        mut cause: impl AsyncFnMut(u32),
        mut end: impl AsyncFnMut(u32),
    ) {
        let begun = Instant::now();
        let mut fired: BTreeMap<ExpectedAlert, Duration> = BTreeMap::new();
        for round in 0.. {
            cause(round).await;
            let firing = self.firing().await;
            let is_firing =
                |alert: &&ExpectedAlert| firing.iter().any(|labels| fits(labels, alert));
            for alert in alerts.iter().filter(is_firing) {
                fired.entry(*alert).or_insert_with(|| begun.elapsed());
            }
            if fired.len() == alerts.len() {
                break;
            }
            let waited = begun.elapsed() < ALERT_TIMEOUT;
            assert!(waited, "{fault}: of {alerts:?}, {fired:?} fired; now: {firing:#?}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let ended = Instant::now();
        let mut calm_since = None;
        for round in 0.. {
            end(round).await;
            let firing = self.firing().await;
            let is_calm = firing.is_empty() && self.query(ABSENT_PROCESSES).await.is_none();
            calm_since = if is_calm { calm_since.or_else(|| Some(Instant::now())) } else { None };
            if calm_since.is_some_and(|since| since.elapsed() > CALM_TIME) {
                break;
            }
            assert!(ended.elapsed() < ALERT_TIMEOUT, "after {fault}: {firing:#?}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let calm_after = calm_since.map_or(Duration::MAX, |since| since - ended);
        for ((name, label), after) in fired {
            let alert = format!("{name} {label}").trim().to_owned();
            println!("{fault}: {alert} after {after:?}, over after {calm_after:?}");
            self.seen.push((fault, alert, after, calm_after));
        }
    }

    /// The times so far, as rows of a table.
    pub fn table(&self) -> String {
        let row = |(fault, alert, fired, ended): &(_, _, Duration, Duration)| {
            let (fired, ended) = (fired.as_secs_f64(), ended.as_secs_f64());
            format!("| {fault} | {alert} | {fired:.1} s | {ended:.1} s |\n")
        };
        self.seen.iter().map(row).collect()
    }
}

fn fits(labels: &Value, (name, value): &ExpectedAlert) -> bool {
    let mut values = labels.as_object().expect("labels").values();
    labels["alertname"] == *name && (value.is_empty() || values.any(|label| label == value))
}

/// The rules as they are shipped, with short times.
fn hasty_rules() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/alerts.yaml");
    let mut text = String::new();
    for line in std::fs::read_to_string(path).expect("the rules").lines() {
        let waits = line.trim_start().starts_with("for: ");
        let indent = &line[..line.len() - line.trim_start().len()];
        let line = if waits { format!("{indent}for: {FOR}") } else { line.to_owned() };
        text += &hasty(&line);
        text.push('\n');
    }
    text
}

/// An expression with short windows.
fn hasty(expression: &str) -> String {
    let shorten = |text: String, (long, short): &(&str, &str)| text.replace(long, short);
    WINDOWS.iter().fold(expression.to_owned(), shorten)
}
