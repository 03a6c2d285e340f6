//! Takes in reports of refused tokens and hands those that still matter to the account's keeper.
//!
//! A report is settled when the stored token is another one. Until then it goes back to the queue
//! and is looked at again a little later: nothing is lost with a keeper that dies, and a replica
//! that does not hold the account's lease leaves it to the one that does.

use crate::roster::Roster;
use paihao_chassis::CancellationToken;
use paihao_contracts::streams;
use paihao_contracts::token::RefusedToken;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Ledger, Worker};
use paihao_wechat::fingerprint;
use std::sync::Arc;
use std::time::Duration;

/// Reports looked at at once.
const IN_FLIGHT: usize = 16;

/// How long a report of an account that no replica here knows is passed on before it is put aside.
const ATTEMPTS_UNKNOWN: u64 = 60;

/// Takes in reports until the stop, as long as this replica holds a lease: without one it could
/// only pass them on.
pub(crate) async fn run(ledger: Arc<dyn Ledger>, roster: Arc<Roster>, stop: CancellationToken) {
    let reports = Reports { roster: roster.clone() };
    let worker = Worker::new(ledger, Source::Queue(streams::REFUSED_TOKENS), IN_FLIGHT, reports);
    while stop.run_until_cancelled(roster.desk.holds_any()).await.is_some() {
        let leave = stop.child_token();
        let leaving = async {
            roster.desk.holds_none().await;
            leave.cancel();
            std::future::pending().await
        };
        tokio::select! {
            () = worker.run(&leave) => {}
            () = leaving => {}
        }
    }
}

struct Reports {
    roster: Arc<Roster>,
}

impl Handler for Reports {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        match RefusedToken::decode(&delivery.message.entry.payload) {
            Ok(report) => self.weigh(&report, delivery.attempt).await,
            Err(undecodable) => Disposition::DeadLetter(undecodable.to_string()),
        }
    }
}

impl Reports {
    async fn weigh(&self, report: &RefusedToken, attempt: u64) -> Disposition {
        let account = report.account.as_str();
        let Some(store) = self.roster.store(account) else {
            return match attempt {
                ATTEMPTS_UNKNOWN.. => {
                    Disposition::DeadLetter(format!("no account is named {account}"))
                }
                _ => again(attempt),
            };
        };
        let Ok(stored) = store.read().await else { return again(attempt) };
        match stored.record {
            Some(record) if fingerprint(&record.token) == report.fingerprint => {
                if self.roster.desk.refused(account, &report.fingerprint) {
                    tracing::info!(
                        account,
                        fingerprint = report.fingerprint,
                        "the stored token was refused"
                    );
                    metrics::counter!("paihao_tokens_refused_total", "account" => account.to_owned())
                        .increment(1);
                }
                again(attempt)
            }
            _ => Disposition::Ack,
        }
    }
}

/// The next look at a report that is not settled: later each time, 10 seconds at most.
fn again(attempt: u64) -> Disposition {
    Disposition::RetryAfter(Duration::from_millis(250) * attempt.clamp(1, 40) as u32)
}
