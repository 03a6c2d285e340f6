//! Reads commits, shared with the other replicas, and puts their notices on the work queue.

use crate::drain::drain;
use crate::ending::Away;
use crate::plan::plan;
use crate::thread;
use paihao_cache::Cache;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::commit::{COMMIT_VERSION, Commit};
use paihao_contracts::streams::{LEDGER, NOTICES, PLANNER};
use paihao_ledger::{Delivery, Entry, Ledger};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Commits planned at once.
const IN_FLIGHT: usize = 64;

/// When to look again at a commit that a newer program wrote: a newer replica may take it first.
const NEWER_LATER: Duration = Duration::from_secs(30);

pub(crate) async fn run(ledger: Arc<dyn Ledger>, cache: Arc<dyn Cache>, stop: CancellationToken) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.is_cancelled() {
        match ledger.consume(&LEDGER, &PLANNER, IN_FLIGHT).await {
            Ok(commits) => {
                backoff.reset();
                drain(commits, IN_FLIGHT, &stop, |commit| settle(&*ledger, &*cache, commit)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the planner cannot join its consumer yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

async fn settle(ledger: &dyn Ledger, cache: &dyn Cache, delivery: Delivery) {
    let settled = match serde_json::from_slice::<Commit>(&delivery.recorded.entry.payload) {
        Ok(commit) if commit.v <= COMMIT_VERSION => {
            match enqueue(ledger, cache, &delivery, &commit).await {
                Ok(()) => delivery.done().await,
                Err(Away(error)) => {
                    tracing::warn!(
                        error,
                        "notices could not be queued; the commit is planned again"
                    );
                    delivery.again(Duration::from_secs(1)).await
                }
            }
        }
        Ok(_) => delivery.again(NEWER_LATER).await,
        Err(error) => {
            let position = delivery.recorded.position.0;
            tracing::error!(position, %error, "a commit cannot be planned");
            delivery.never(&format!("not a commit of a known form: {error}")).await
        }
    };
    if let Err(error) = settled {
        tracing::debug!(%error, "a commit's acknowledgement was lost; it will be planned again");
    }
}

async fn enqueue(
    ledger: &dyn Ledger,
    cache: &dyn Cache,
    delivery: &Delivery,
    commit: &Commit,
) -> Result<(), Away> {
    let notices = plan(commit);
    for notice in notices.iter().filter(|notice| thread::ordered(notice)) {
        thread::note(cache, notice).await?;
    }
    for notice in notices {
        let mut entry = Entry::new(serde_json::to_vec(&notice).expect("string keys only"));
        entry.headers = delivery.recorded.entry.headers.clone();
        ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await?;
        metrics::counter!("paihao_notifier_planned_total").increment(1);
    }
    Ok(())
}
