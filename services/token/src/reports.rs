//! Worker for reports of refused tokens, which notifies the account's keeper.
//!
//! A report is done when the stored token is another one. Until then it returns to the queue and is
//! retried a little later: nothing is lost with a keeper that dies, and a replica that does not
//! hold the account's lease leaves the report to the one that does.

use crate::registry::KeeperRegistry;
use paihao_chassis::CancellationToken;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::streams;
use paihao_contracts::token::RefusedToken;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Ledger, Worker};
use paihao_wechat::fingerprint;
use std::sync::Arc;
use std::time::Duration;

/// Limit of the reports that are handled at the same time.
const MAX_IN_FLIGHT: usize = 16;

/// Attempts after which a report of an account that no replica knows becomes a dead letter.
const MAX_UNKNOWN_ACCOUNT_ATTEMPTS: u64 = 60;

/// Handles reports until the stop while this replica holds a lease. Without one it could only
/// return them to the queue.
pub(crate) async fn run(
    ledger: Arc<dyn Ledger>,
    registry: Arc<KeeperRegistry>,
    stop: CancellationToken,
) {
    let handler = ReportHandler { registry: registry.clone() };
    let worker =
        Worker::new(ledger, Source::Queue(streams::REFUSED_TOKENS), MAX_IN_FLIGHT, handler);
    while stop.run_until_cancelled(registry.signals.wait_until_any_held()).await.is_some() {
        let pause = stop.child_token();
        let lost_leases = async {
            registry.signals.wait_until_none_held().await;
            pause.cancel();
            std::future::pending().await
        };
        tokio::select! {
            () = worker.run(&pause) => {}
            () = lost_leases => {}
        }
    }
}

struct ReportHandler {
    registry: Arc<KeeperRegistry>,
}

impl Handler for ReportHandler {
    type Message = RefusedToken;

    async fn handle(
        &self,
        report: RefusedToken,
        delivery: &Delivery,
    ) -> Result<Disposition, NewerForm> {
        self.assess(&report, delivery.attempt).await
    }
}

impl ReportHandler {
    async fn assess(&self, report: &RefusedToken, attempt: u64) -> Result<Disposition, NewerForm> {
        let account = report.account.as_str();
        let Some(store) = self.registry.store(account) else {
            return Ok(match attempt {
                MAX_UNKNOWN_ACCOUNT_ATTEMPTS.. => {
                    Disposition::DeadLetter(format!("no account is named {account}"))
                }
                _ => retry_later(attempt),
            });
        };
        let stored = match store.read().await {
            Ok(stored) => stored,
            Err(error) => return error.newer().map_or(Ok(retry_later(attempt)), Err),
        };
        match stored.record {
            Some(record) if fingerprint(&record.token) == report.fingerprint => {
                if self.registry.signals.report_refused(account, &report.fingerprint) {
                    tracing::info!(
                        account,
                        fingerprint = report.fingerprint,
                        "the stored token was refused"
                    );
                    metrics::counter!("paihao_tokens_refused_total", "account" => account.to_owned())
                        .increment(1);
                }
                Ok(retry_later(attempt))
            }
            _ => Ok(Disposition::Ack),
        }
    }
}

/// Retry of a report that is not done, after 250 ms times the attempt, at most 10 s.
fn retry_later(attempt: u64) -> Disposition {
    Disposition::RetryAfter(Duration::from_millis(250) * attempt.clamp(1, 40) as u32)
}
