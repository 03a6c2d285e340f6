//! Receipt worker: matches WeChat's delivery receipts to their notices.
//!
//! A receipt may arrive before the response to its send call, or after that call was retried. It is
//! retried with growing delays until its message is known. After ten minutes it belongs to another
//! program's message, or to one that cannot be identified.

use crate::delivery::sent_index::{self, ReceiptMatch, SentMessage};
use crate::delivery::ticket_log;
use crate::ports::{Ports, StoreError};
use crate::stored_time;
use paihao_chassis::trace::{self, Span, SpanKind};
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::outcome::NoticeReceipt;
use paihao_contracts::receipt::Receipt;
use paihao_contracts::streams::RECEIPTS;
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Worker};
use std::time::Duration;

/// Most receipts handled at once.
const MAX_IN_FLIGHT: usize = 32;
/// Delay after the ledger or the cache did not answer.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(2);
/// Longest time that a receipt waits for its message.
const MATCH_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Creates the worker of the receipt queue.
pub(crate) fn worker(ports: Ports) -> Worker<impl Handler> {
    let ledger = ports.ledger.clone();
    Worker::new(ledger, Source::Queue(RECEIPTS), MAX_IN_FLIGHT, handler(ports))
}

/// Creates the handler of the receipt queue.
pub(crate) fn handler(ports: Ports) -> impl Handler<Message = Receipt> {
    ReceiptHandler { ports }
}

struct ReceiptHandler {
    ports: Ports,
}

impl Handler for ReceiptHandler {
    type Message = Receipt;

    async fn handle(
        &self,
        receipt: Receipt,
        delivery: &Delivery,
    ) -> Result<Disposition, NewerForm> {
        let age =
            stored_time::age(receipt.received_at, self.ports.clock.now_ms(), delivery.attempt);
        match match_to_notice(&self.ports, &receipt).await {
            Ok(true) => Ok(Disposition::Ack),
            Ok(false) if age >= MATCH_TIMEOUT => {
                count_receipt(&receipt, "unmatched");
                Ok(Disposition::Ack)
            }
            Ok(false) => Ok(Disposition::RetryAfter(retry_delay(age))),
            Err(StoreError::Newer(newer)) => Err(newer),
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(error, "cannot match a receipt, retrying");
                Ok(Disposition::RetryAfter(STORE_RETRY_DELAY))
            }
        }
    }
}

/// Returns the delay before the next match: the age of the receipt, from 1 s to 120 s.
fn retry_delay(age: Duration) -> Duration {
    age.clamp(Duration::from_secs(1), Duration::from_secs(120))
}

/// Matches a receipt and records it. Returns `false` if its message is not known yet.
async fn match_to_notice(ports: &Ports, receipt: &Receipt) -> Result<bool, StoreError> {
    let Receipt { account, person, .. } = receipt;
    let cache = &*ports.cache;
    let all = sent_index::load(cache, account, person).await?;
    let key = match sent_index::match_receipt(&all, receipt) {
        ReceiptMatch::Notice(key) => key,
        ReceiptMatch::Duplicate => return Ok(true),
        ReceiptMatch::NoMatch => return Ok(false),
    };
    let record = NoticeReceipt {
        v: 1,
        key: key.clone(),
        receipt: receipt.receipt,
        status_text: receipt.status_text.clone(),
        at: receipt.created_s.saturating_mul(1000),
    };
    let _span = span_of_notice(ports, account, &key, receipt).await;
    // A retry after a failure below records it twice, which does not change the result.
    ticket_log::record_receipt(&*ports.ledger, account, record)
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let name = receipt.receipt.name();
    tracing::info!(key, receipt = name, "matched a receipt to its notice");
    count_receipt(receipt, "matched");
    let match_receipt = |sent: &SentMessage| {
        let receipt = Some(receipt.identity.clone());
        Some(SentMessage { receipt, ..sent.clone() })
    };
    sent_index::update(cache, account, person, (&key, receipt.channel), match_receipt).await?;
    Ok(true)
}

/// Begins a span in the trace of the notice, which is not that of the push with the receipt.
async fn span_of_notice(
    ports: &Ports,
    account: &str,
    key: &str,
    receipt: &Receipt,
) -> Option<Span> {
    if !trace::is_recording() {
        return None;
    }
    // Without the ledger there is a span less; the record below needs it as well.
    let sent = ticket_log::trace_of_end(&*ports.ledger, account, key).await.ok().flatten()?;
    let mut span = Span::child_of(sent, SpanKind::Consumer, "match receipt");
    span.site(key.split('/').next().unwrap_or_default());
    span.label("paihao.channel", receipt.channel.name());
    span.label("paihao.receipt", receipt.receipt.name());
    trace::current().into_iter().for_each(|push| span.link(push));
    Some(span)
}

fn count_receipt(receipt: &Receipt, result: &'static str) {
    metrics::counter!(
        "paihao_notifier_receipts_total",
        "account" => receipt.account.clone(),
        "channel" => receipt.channel.name(),
        "receipt" => receipt.receipt.name(),
        "found" => result
    )
    .increment(1);
}
