//! Brings what WeChat told of a message to the notice that it is about.
//!
//! A receipt may come before the answer to the call that it is about, or after that was lost and
//! asked for again. So it waits on its queue, longer each time, until its message is known; after
//! ten minutes it was another program's message, or one that cannot be told from others.

use crate::Ports;
use crate::record;
use crate::sent::{self, Found, Sent};
use paihao_contracts::outcome::NoticeReceipt;
use paihao_contracts::receipt::Receipt;
use paihao_contracts::streams::RECEIPTS;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Worker};
use std::time::Duration;

/// Receipts worked on at once.
const IN_FLIGHT: usize = 32;
/// When to look again after the ledger or the cache did not answer.
const STORE_AWAY: Duration = Duration::from_secs(2);
/// How long a receipt waits for its message.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Member of the receipts' queue.
pub(crate) fn worker(ports: Ports) -> Worker<impl Handler> {
    let ledger = ports.ledger.clone();
    Worker::new(ledger, Source::Queue(RECEIPTS), IN_FLIGHT, Receipts { ports })
}

struct Receipts {
    ports: Ports,
}

impl Handler for Receipts {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        let receipt: Receipt = match serde_json::from_slice(&delivery.message.entry.payload) {
            Ok(receipt) => receipt,
            Err(error) => {
                tracing::error!(%error, "a receipt cannot be read");
                return Disposition::DeadLetter(format!("not a receipt of a known form: {error}"));
            }
        };
        let age = self.ports.clock.now_ms().saturating_sub(receipt.heard_at);
        match bring_home(&self.ports, &receipt).await {
            Ok(true) => Disposition::Ack,
            Ok(false) if age >= PATIENCE.as_millis() as i64 => {
                count(&receipt, "unmatched");
                Disposition::Ack
            }
            Ok(false) => Disposition::RetryAfter(wait(age)),
            Err(error) => {
                tracing::warn!(error, "a receipt waits for its stores");
                Disposition::RetryAfter(STORE_AWAY)
            }
        }
    }
}

/// As long again as it has waited already.
fn wait(age_ms: i64) -> Duration {
    let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
    age.clamp(Duration::from_secs(1), Duration::from_secs(120))
}

/// Whether the receipt has found its notice.
async fn bring_home(ports: &Ports, receipt: &Receipt) -> Result<bool, String> {
    let Receipt { account, person, .. } = receipt;
    let cache = &*ports.cache;
    let all = sent::of(cache, account, person).await.map_err(|error| error.to_string())?;
    let key = match sent::find(&all, receipt) {
        Found::Key(key) => key,
        Found::Repeat => return Ok(true),
        Found::NotYet => return Ok(false),
    };
    let told = NoticeReceipt {
        v: 1,
        key: key.clone(),
        receipt: receipt.receipt,
        said: receipt.said.clone(),
        at: receipt.created_s.saturating_mul(1000),
    };
    // Twice at worst, if what follows fails: the records add up to the same.
    record::receipt(&*ports.ledger, account, told).await.map_err(|error| error.to_string())?;
    let name = receipt.receipt.name();
    tracing::info!(key, receipt = name, "WeChat told what became of a notice");
    count(receipt, "matched");
    let to = |sent: &Sent| {
        let receipt = Some(receipt.identity.clone());
        Some(Sent { receipt, ..sent.clone() })
    };
    let noted = sent::update(cache, account, person, (&key, receipt.channel), to).await;
    noted.map_err(|error| error.to_string())?;
    Ok(true)
}

fn count(receipt: &Receipt, found: &'static str) {
    metrics::counter!(
        "paihao_notifier_receipts_total",
        "account" => receipt.account.clone(),
        "channel" => receipt.channel.name(),
        "receipt" => receipt.receipt.name(),
        "found" => found
    )
    .increment(1);
}
