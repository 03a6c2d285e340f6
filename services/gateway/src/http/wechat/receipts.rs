//! Delivery receipts of WeChat, queued for the notifier, which matches them to its notices.
//!
//! They come in thousands. While the ledger is away they are kept here and answered `success`:
//! WeChat counts every other answer against the account, and would soon push no scans either.

use super::dispatch::{PushHandler, Reply};
use crate::http::state::AppState;
use paihao_chassis::{Tasks, trace};
use paihao_contracts::notice::Channel;
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use paihao_contracts::streams::RECEIPTS;
use paihao_ledger::{Entry, Unavailable};
use paihao_wechat::callback::{SubscriptionDelivery, TemplateDeliveryResult};
use std::time::Duration;
use tokio::time::timeout_at;

/// Time between two attempts to queue receipts that wait.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

impl PushHandler<'_> {
    /// Records the delivery result of a template message.
    pub(super) async fn record_template_receipt(
        &self,
        message_id: Option<u64>,
        result: &TemplateDeliveryResult,
    ) -> Reply {
        let (status, text) = match result {
            TemplateDeliveryResult::Success => (ReceiptStatus::Delivered, "success"),
            TemplateDeliveryResult::Refused => (ReceiptStatus::Refused, "failed:user block"),
            TemplateDeliveryResult::RateLimited => (ReceiptStatus::TooOften, "failed:freq limit"),
            TemplateDeliveryResult::Failed(text) => (ReceiptStatus::Failed, text.as_str()),
        };
        let identity = self.tags.push_name(self.account_name, self.message);
        let receipt = Receipt {
            channel: Channel::Template,
            message_id,
            ..self.build_receipt(status, text, identity)
        };
        self.enqueue_or_keep(receipt).await;
        Reply::Empty
    }

    /// Records the delivery results of subscription notices.
    pub(super) async fn record_notice_receipts(&self, sent: &[SubscriptionDelivery]) -> Reply {
        let name = self.tags.push_name(self.account_name, self.message);
        for (index, delivery) in sent.iter().enumerate() {
            let status = match delivery.code {
                Some(0) => ReceiptStatus::Delivered,
                _ if delivery.status.contains("block") => ReceiptStatus::Refused,
                _ => ReceiptStatus::Failed,
            };
            // Several may come in one second, and only their lists tell them apart.
            let id = delivery.message.unwrap_or_default();
            let identity = format!("{name}-{index}-{id}");
            let receipt = Receipt {
                channel: Channel::Subscription,
                template: Some(delivery.template.clone()).filter(|template| !template.is_empty()),
                message_id: delivery.message.filter(|id| *id != 0),
                ..self.build_receipt(status, &delivery.status, identity)
            };
            self.enqueue_or_keep(receipt).await;
        }
        Reply::Empty
    }

    fn build_receipt(&self, status: ReceiptStatus, text: &str, identity: String) -> Receipt {
        Receipt {
            v: 1,
            account: self.account_name.to_owned(),
            person: self.tags.tag(self.account_name, &self.message.from_user),
            channel: Channel::Template,
            template: None,
            message_id: None,
            receipt: status,
            status_text: text.chars().filter(|c| !c.is_control()).take(100).collect(),
            created_s: self.message.create_time,
            received_at: self.state.clock.now_ms(),
            identity,
        }
    }

    /// Queues a receipt for the notifier, or keeps it until the ledger takes it.
    async fn enqueue_or_keep(&self, receipt: Receipt) {
        if self.note_test_receipt(&receipt).await {
            return;
        }
        let queued = timeout_at(self.deadline, enqueue(self.state, &receipt)).await;
        if !matches!(queued, Ok(Ok(()))) {
            self.state.late_receipts.keep(receipt);
        }
    }
}

async fn enqueue(state: &AppState, receipt: &Receipt) -> Result<(), Unavailable> {
    let key = format!("{}/{}", receipt.account, receipt.identity);
    let entry = Entry::new(serde_json::to_vec(receipt).expect("string keys only"))
        .in_trace(trace::current());
    state.ledger.enqueue(&RECEIPTS, &key, entry, Duration::ZERO).await.map(drop)
}

/// Queues what waits, in its order, until the ledger refuses one.
async fn flush(state: &AppState) {
    while let Some(receipt) = state.late_receipts.first() {
        if let Err(error) = enqueue(state, &receipt).await {
            tracing::debug!(%error, "receipts wait for the ledger");
            return;
        }
        state.late_receipts.remove_first();
    }
}

/// Starts the task that queues receipts which the ledger did not take at first.
pub(crate) fn start(state: AppState, tasks: &Tasks) {
    let stop = tasks.stop().clone();
    tasks.spawn("late-receipts", async move {
        let retrying = async {
            loop {
                tokio::time::sleep(RETRY_INTERVAL).await;
                flush(&state).await;
            }
        };
        stop.run_until_cancelled(retrying).await;
        flush(&state).await;
    });
}
