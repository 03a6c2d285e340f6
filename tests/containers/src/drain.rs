//! Backlog of notices, and notifiers that are scaled by it as KEDA does.

use crate::clients::{QUEUES, SITE, permanent_codes, scan};
use crate::compose::{Deployment, STAFF_KEY};
use crate::report::DrainRow;
use anyhow::{Context, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Notices of a backlog: one for each person in the line, when it is halted.
const NOTICES: u64 = 5_000;
/// Time that WeChat takes for an answer.
const WECHAT_LATENCY_MS: u64 = 200;
/// Template of compose.toml for notices of the line.
const PROGRESS_TEMPLATE: &str = "SIM43521_progress_of_the_line_0000000000001";
/// Stream and consumer of the notices, which KEDA's scaler names.
const STREAM: &str = "PAIHAO_NOTICES";
const CONSUMER: &str = "workers";

/// Notices for each of which there shall be a notifier: `lagThreshold`.
const LAG_THRESHOLD: u64 = 300;
/// Bounds of the number of notifiers: `minReplicaCount`, `maxReplicaCount`.
const NOTIFIERS: (usize, usize) = (1, 4);
/// Time between two looks: `pollingInterval`, which is 30 s unless set.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Time for which fewer would do, before there are fewer: the stabilization window of the
/// autoscaler, which is 300 s unless set.
const SCALE_DOWN_AFTER: Duration = Duration::from_secs(15);
/// Longest time for one backlog.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(300);

/// Drains the same backlog by one, two and four notifiers, and by as many as its length asks for.
pub async fn run(deployment: &Deployment) -> anyhow::Result<Vec<DrainRow>> {
    let waiting = fill_line(deployment).await?;
    deployment.control("behaviour", &json!({ "latency_ms": WECHAT_LATENCY_MS })).await?;
    let mut rows = Vec::new();
    for count in [1, 2, 4] {
        rows.push(drain_by(deployment, waiting, count).await?);
        eprintln!("   {} notifiers: {:?}", count, rows[rows.len() - 1].whole);
    }
    rows.push(drain_scaled(deployment, waiting).await?);
    deployment.control("behaviour", &json!({ "latency_ms": 0 })).await?;
    Ok(rows)
}

/// Has people scan until so many wait in the first queue.
async fn fill_line(deployment: &Deployment) -> anyhow::Result<u64> {
    eprintln!("== {NOTICES} people take a number");
    let code = &permanent_codes(deployment).await?[0];
    let take = async |person: u64| {
        let openid = format!("oBacklog{person:06}");
        for _ in 0..20 {
            if scan(deployment, &openid, code).await?.is_some() {
                return anyhow::Ok(());
            }
        }
        bail!("{openid} never got a number")
    };
    stream::iter((0..NOTICES).map(take)).buffer_unordered(48).try_collect::<Vec<()>>().await?;
    let url = format!("{}/api/v1/sites/{SITE}", deployment.url);
    let board = deployment.get_json(&url, Duration::from_secs(20)).await?;
    let queues = board["queues"].as_array().context("a board without queues")?;
    let line = queues.iter().find(|queue| queue["id"] == QUEUES[0]).context("no such queue")?;
    line["waiting_count"].as_u64().context("a line without a length")
}

async fn set_queue(deployment: &Deployment, state: &str, round: &str) -> anyhow::Result<()> {
    let url = format!("{}/api/v1/sites/{SITE}/queues/{}/{state}", deployment.url, QUEUES[0]);
    let request = deployment.http.post(url).bearer_auth(STAFF_KEY);
    let request = request.header("idempotency-key", format!("{state} {round}")).json(&json!({}));
    request.send().await?.error_for_status()?;
    Ok(())
}

/// Messages of the line that WeChat has accepted.
async fn accepted(deployment: &Deployment) -> anyhow::Result<u64> {
    let stats = deployment.control_get("stats").await?;
    Ok(stats["messages_by_template"][PROGRESS_TEMPLATE].as_u64().unwrap_or(0))
}

/// Times of a drain, from its start.
struct Drained {
    first: Duration,
    last: Duration,
}

/// Waits until so many more messages are accepted.
async fn until_drained(
    deployment: &Deployment,
    before: u64,
    notices: u64,
    started: Instant,
) -> anyhow::Result<Drained> {
    let mut first = None;
    loop {
        let sent = accepted(deployment).await? - before;
        if sent > 0 {
            first.get_or_insert(started.elapsed());
        }
        if sent >= notices {
            let last = started.elapsed();
            return Ok(Drained { first: first.unwrap_or(last), last });
        }
        if started.elapsed() > DRAIN_TIMEOUT {
            bail!("{sent} of {notices} notices after {DRAIN_TIMEOUT:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Builds a backlog while there is no notifier, and drains it by so many.
async fn drain_by(deployment: &Deployment, notices: u64, count: usize) -> anyhow::Result<DrainRow> {
    deployment.scale("notifier", 0).await?;
    let round = format!("by {count}");
    set_queue(deployment, "open", &round).await?;
    // Whoever has not been told that the line goes on is not told that it is halted again.
    until_quiet(deployment).await?;
    set_queue(deployment, "halt", &round).await?;
    until_quiet(deployment).await?;
    let before = accepted(deployment).await?;
    let started = Instant::now();
    let (scaled, drained) = tokio::join!(
        deployment.scale("notifier", count),
        until_drained(deployment, before, notices, started),
    );
    scaled?;
    let Drained { first, last } = drained?;
    let rate = notices as f64 / (last - first).as_secs_f64();
    Ok(DrainRow {
        notifiers: count.to_string(),
        notices,
        sending: last - first,
        whole: last,
        remark: format!("{rate:.0} a second"),
    })
}

/// Waits until nothing more is appended to the ledger: the notices are decided in batches.
async fn until_quiet(deployment: &Deployment) -> anyhow::Result<()> {
    let mut newest = Value::Null;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let stream = leader_view(deployment, "PAIHAO_LEDGER").await?;
        let last = stream["state"]["last_seq"].clone();
        if last == newest {
            return Ok(());
        }
        newest = last;
    }
}

/// State of a stream by its leader; followers know less of its consumers.
async fn leader_view(deployment: &Deployment, stream: &str) -> anyhow::Result<Value> {
    for server in ["nats-0", "nats-1", "nats-2"] {
        let Some(view) = deployment.nats_stream(server, stream).await else { continue };
        let consumers = view["consumer_detail"].as_array();
        let leads = |consumer: &Value| consumer["cluster"]["leader"] == server;
        if stream != STREAM && view["cluster"]["leader"] == server
            || consumers.is_some_and(|all| all.iter().any(leads))
        {
            return Ok(view);
        }
    }
    bail!("no server leads {stream}")
}

/// Lag as KEDA computes it: messages that wait and messages that are being worked on.
async fn lag(deployment: &Deployment) -> anyhow::Result<u64> {
    let view = leader_view(deployment, STREAM).await?;
    let consumers = view["consumer_detail"].as_array().context("a stream without consumers")?;
    let consumer = consumers.iter().find(|consumer| consumer["name"] == CONSUMER);
    let consumer = consumer.context("the notifiers' consumer is not there")?;
    let count = |name: &str| consumer[name].as_u64().unwrap_or(0);
    Ok(count("num_pending") + count("num_ack_pending"))
}

fn wanted_notifiers(lag: u64) -> usize {
    (lag.div_ceil(LAG_THRESHOLD) as usize).clamp(NOTIFIERS.0, NOTIFIERS.1)
}

/// Drains a backlog by as many notifiers as its length asks for, and goes back to one.
async fn drain_scaled(deployment: &Deployment, notices: u64) -> anyhow::Result<DrainRow> {
    deployment.scale("notifier", NOTIFIERS.0).await?;
    deployment.wait_until_ready().await?;
    set_queue(deployment, "open", "scaled").await?;
    until_quiet(deployment).await?;
    let before = accepted(deployment).await?;
    let started = Instant::now();
    set_queue(deployment, "halt", "scaled").await?;
    let (drained, steps) = tokio::join!(
        until_drained(deployment, before, notices, started),
        scale_by_lag(deployment, started),
    );
    let (Drained { first, last }, steps) = (drained?, steps?);
    Ok(DrainRow {
        notifiers: "by the lag, 1 to 4".to_owned(),
        notices,
        sending: last - first,
        whole: last,
        remark: steps.join(", "),
    })
}

/// Scales until the line is empty and one notifier is left. Returns the steps.
async fn scale_by_lag(deployment: &Deployment, started: Instant) -> anyhow::Result<Vec<String>> {
    let mut steps = Vec::new();
    let mut running = NOTIFIERS.0;
    let mut fewer_since: Option<Instant> = None;
    while started.elapsed() < DRAIN_TIMEOUT {
        tokio::time::sleep(POLL_INTERVAL).await;
        // While a leader is elected nobody knows; KEDA keeps the number then.
        let Ok(lag) = lag(deployment).await else { continue };
        let wanted = wanted_notifiers(lag);
        if wanted >= running {
            fewer_since = None;
        }
        let stable = wanted < running
            && fewer_since.get_or_insert_with(Instant::now).elapsed() >= SCALE_DOWN_AFTER;
        if wanted > running || stable {
            deployment.scale("notifier", wanted).await?;
            running = wanted;
            fewer_since = None;
            steps.push(format!("{running} at {:.0} s", started.elapsed().as_secs_f64()));
            eprintln!("   lag {lag}: {running} notifiers");
        }
        if running == NOTIFIERS.0 && !steps.is_empty() && lag == 0 {
            return Ok(steps);
        }
    }
    bail!("not back at {} notifier after {DRAIN_TIMEOUT:?}", NOTIFIERS.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_of_lag_asks_for_one_notifier_within_the_bounds() {
        let wanted = [0, 1, 300, 301, 900, 901, 5_000].map(wanted_notifiers);
        assert_eq!(wanted, [1, 1, 1, 2, 3, 4, 4]);
    }
}
