//! Delivery receipts of WeChat, queued for the notifier, which matches them to its notices.

use super::dispatch::{PushHandler, Reply};
use crate::http::refusals::{self, Problem};
use paihao_contracts::notice::Channel;
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use paihao_contracts::streams::RECEIPTS;
use paihao_ledger::Entry;
use paihao_wechat::callback::{SubscriptionDelivery, TemplateDeliveryResult};
use std::time::Duration;
use tokio::time::timeout_at;

impl PushHandler<'_> {
    /// Records the delivery result of a template message.
    pub(super) async fn record_template_receipt(
        &self,
        message_id: Option<u64>,
        result: &TemplateDeliveryResult,
    ) -> Result<Reply, Problem> {
        let (status, text) = match result {
            TemplateDeliveryResult::Success => (ReceiptStatus::Delivered, "success"),
            TemplateDeliveryResult::Refused => (ReceiptStatus::Refused, "failed:user block"),
            TemplateDeliveryResult::RateLimited => (ReceiptStatus::TooOften, "failed:freq limit"),
            TemplateDeliveryResult::Failed(text) => (ReceiptStatus::Failed, text.as_str()),
        };
        let identity = hex::encode(self.message.identity());
        let receipt = Receipt {
            channel: Channel::Template,
            message_id,
            ..self.build_receipt(status, text, identity)
        };
        self.enqueue_receipt(receipt).await?;
        Ok(Reply::Empty)
    }

    /// Records the delivery results of subscription notices.
    pub(super) async fn record_notice_receipts(
        &self,
        sent: &[SubscriptionDelivery],
    ) -> Result<Reply, Problem> {
        for (index, delivery) in sent.iter().enumerate() {
            let status = match delivery.code {
                Some(0) => ReceiptStatus::Delivered,
                _ if delivery.status.contains("block") => ReceiptStatus::Refused,
                _ => ReceiptStatus::Failed,
            };
            // Several may come in one second, and only their lists tell them apart.
            let id = delivery.message.unwrap_or_default();
            let identity = format!("{}-{index}-{id}", hex::encode(self.message.identity()));
            let receipt = Receipt {
                channel: Channel::Subscription,
                template: Some(delivery.template.clone()).filter(|template| !template.is_empty()),
                message_id: delivery.message.filter(|id| *id != 0),
                ..self.build_receipt(status, &delivery.status, identity)
            };
            self.enqueue_receipt(receipt).await?;
        }
        Ok(Reply::Empty)
    }

    fn build_receipt(&self, status: ReceiptStatus, text: &str, identity: String) -> Receipt {
        Receipt {
            v: 1,
            account: self.account_name.to_owned(),
            person: self.message.from_user.pseudonym(self.account_name),
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

    /// Queues a receipt for the notifier. On failure the push is refused, so that WeChat repeats
    /// it.
    async fn enqueue_receipt(&self, receipt: Receipt) -> Result<(), Problem> {
        let key = format!("{}/{}", receipt.account, receipt.identity);
        let entry = Entry::new(serde_json::to_vec(&receipt).expect("string keys only"));
        let queued = self.state.ledger.enqueue(&RECEIPTS, &key, entry, Duration::ZERO);
        match timeout_at(self.deadline, queued).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot queue the receipt");
                Err(Problem::new(&refusals::LEDGER_UNAVAILABLE))
            }
            Err(_) => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }
}
