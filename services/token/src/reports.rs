//! Takes in reports of refused tokens and hands those that still matter to the account's keeper.
//!
//! A report is settled when the stored token is another one. Until then it goes back to the queue
//! and is looked at again a little later: nothing is lost with a keeper that dies, and a replica
//! that does not hold the account's lease leaves it to the one that does.

use crate::roster::Roster;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::streams;
use paihao_contracts::token::RefusedToken;
use paihao_ledger::{Delivery, Ledger};
use paihao_wechat::fingerprint;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const IN_FLIGHT: usize = 16;

/// How long a report of an account that no replica here knows is passed on before it is put aside.
const ATTEMPTS_UNKNOWN: u64 = 60;

pub(crate) struct Reports {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) stop: CancellationToken,
}

impl Reports {
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        while !self.stop.is_cancelled() {
            // A replica that holds no lease could only pass reports on.
            if self.stop.run_until_cancelled(self.roster.desk.holds_any()).await.is_none() {
                return;
            }
            match self.ledger.work(&streams::REFUSED_TOKENS, IN_FLIGHT).await {
                Ok(mut deliveries) => {
                    backoff.reset();
                    loop {
                        let delivery = tokio::select! {
                            delivery = deliveries.next() => delivery,
                            () = self.roster.desk.holds_none() => break,
                            () = self.stop.cancelled() => return,
                        };
                        match delivery {
                            Some(delivery) => self.take(delivery).await,
                            None => break,
                        }
                    }
                }
                Err(unavailable) => {
                    tracing::warn!(%unavailable, "reports of refused tokens cannot be received");
                }
            }
            backoff.wait_unless(&self.stop).await;
        }
    }

    async fn take(&self, delivery: Delivery) {
        let verdict = match RefusedToken::decode(&delivery.recorded.entry.payload) {
            Ok(report) => self.weigh(&report, delivery.attempt).await,
            Err(undecodable) => Verdict::Never(undecodable.to_string()),
        };
        // Unsaid, the queue hands it out again: the safe side.
        let said = match verdict {
            Verdict::Settled => delivery.done().await,
            Verdict::Again => {
                let delay = Duration::from_millis(250) * delivery.attempt.clamp(1, 40) as u32;
                delivery.again(delay).await
            }
            Verdict::Never(reason) => delivery.never(&reason).await,
        };
        if let Err(unavailable) = said {
            tracing::debug!(%unavailable, "a report could not be acknowledged: it comes again");
        }
    }

    async fn weigh(&self, report: &RefusedToken, attempt: u64) -> Verdict {
        let account = report.account.as_str();
        let Some(store) = self.roster.store(account) else {
            return match attempt {
                ATTEMPTS_UNKNOWN.. => Verdict::Never(format!("no account is named {account}")),
                _ => Verdict::Again,
            };
        };
        let Ok(stored) = store.read().await else { return Verdict::Again };
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
                Verdict::Again
            }
            _ => Verdict::Settled,
        }
    }
}

enum Verdict {
    Settled,
    Again,
    Never(String),
}
