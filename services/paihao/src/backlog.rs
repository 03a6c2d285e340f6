//! Backlog of the notifier's work queues: gauges, and a report at the admin port.
//!
//! The report is read from the ledger, so that any notifier answers for all of them.

use futures::FutureExt;
use futures::future::try_join_all;
use paihao_chassis::CancellationToken;
use paihao_chassis::admin::Report;
use paihao_chassis::clock::Clock;
use paihao_contracts::streams::{NOTICES, RECEIPTS, WEBHOOKS, WorkQueue};
use paihao_ledger::{Ledger, QueueBacklog, Unavailable};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Interval between two looks for the gauges.
const INTERVAL: Duration = Duration::from_secs(5);

/// Queues that notifiers empty.
const QUEUES: [WorkQueue; 3] = [NOTICES, RECEIPTS, WEBHOOKS];

/// Reads the backlogs now and then until the stop.
pub(crate) async fn watch(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let watching = async {
        loop {
            match read(&*ledger).await {
                Ok(backlogs) => record(&backlogs, clock.now_ms()),
                Err(error) => tracing::debug!(%error, "cannot read the backlog"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(watching).await;
}

/// Creates the report of all backlogs, by queue.
pub(crate) fn report(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Report {
    Arc::new(move || {
        let (ledger, clock) = (ledger.clone(), clock.clone());
        let answer = async move {
            let backlogs = read(&*ledger).await.map_err(|error| error.to_string())?;
            Ok(render(&backlogs, clock.now_ms()))
        };
        answer.boxed()
    })
}

type Backlogs = Vec<(&'static str, QueueBacklog)>;

async fn read(ledger: &dyn Ledger) -> Result<Backlogs, Unavailable> {
    let read = async |queue: &'static WorkQueue| Ok((queue.name, ledger.backlog(queue).await?));
    try_join_all(QUEUES.iter().map(read)).await
}

fn record(backlogs: &Backlogs, now_ms: i64) {
    for (queue, backlog) in backlogs {
        let (messages, age) = (backlog.messages as f64, oldest_seconds(backlog, now_ms));
        metrics::gauge!("paihao_queue_messages", "queue" => *queue).set(messages);
        metrics::gauge!("paihao_queue_oldest_seconds", "queue" => *queue).set(age);
    }
}

fn render(backlogs: &Backlogs, now_ms: i64) -> Value {
    let rows = backlogs.iter().map(|(queue, backlog)| {
        let age = oldest_seconds(backlog, now_ms);
        let row = json!({ "messages": backlog.messages, "oldest_seconds": age });
        ((*queue).to_owned(), row)
    });
    Value::Object(rows.collect())
}

/// Age of the oldest message; 0 without one, or if its store's clock is ahead.
fn oldest_seconds(backlog: &QueueBacklog, now_ms: i64) -> f64 {
    let age_ms = backlog.oldest_at_ms.map_or(0, |at_ms| now_ms.saturating_sub(at_ms).max(0));
    age_ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_queue_has_its_number_of_messages_and_the_age_of_the_oldest() {
        let backlog = |messages, oldest_at_ms| QueueBacklog { messages, oldest_at_ms };
        let backlogs = vec![
            ("notices", backlog(3, Some(7_500))),
            ("receipts", backlog(0, None)),
            ("webhooks", backlog(1, Some(10_200))),
        ];
        let expected = json!({
            "notices": { "messages": 3, "oldest_seconds": 2.5 },
            "receipts": { "messages": 0, "oldest_seconds": 0.0 },
            "webhooks": { "messages": 1, "oldest_seconds": 0.0 },
        });
        assert_eq!(render(&backlogs, 10_000), expected);
    }
}
