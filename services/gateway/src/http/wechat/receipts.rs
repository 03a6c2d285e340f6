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
    /// A template message was delivered, or not.
    pub(super) async fn record_template_receipt(
        &self,
        message_id: Option<u64>,
        fate: &TemplateDeliveryResult,
    ) -> Result<Reply, Problem> {
        let (receipt, said) = match fate {
            TemplateDeliveryResult::Success => (ReceiptStatus::Delivered, "success"),
            TemplateDeliveryResult::Refused => (ReceiptStatus::Refused, "failed:user block"),
            TemplateDeliveryResult::RateLimited => (ReceiptStatus::TooOften, "failed:freq limit"),
            TemplateDeliveryResult::Failed(said) => (ReceiptStatus::Failed, said.as_str()),
        };
        let identity = hex::encode(self.message.identity());
        let receipt = Receipt {
            channel: Channel::Template,
            message_id,
            ..self.build_receipt(receipt, said, identity)
        };
        self.enqueue_receipt(receipt).await?;
        Ok(Reply::Empty)
    }

    /// Subscription notices were delivered, or not.
    pub(super) async fn record_notice_receipts(
        &self,
        sent: &[SubscriptionDelivery],
    ) -> Result<Reply, Problem> {
        for (i, sent) in sent.iter().enumerate() {
            let receipt = match sent.code {
                Some(0) => ReceiptStatus::Delivered,
                _ if sent.status.contains("block") => ReceiptStatus::Refused,
                _ => ReceiptStatus::Failed,
            };
            // Several may come in one second, and only what is in their lists tells them apart.
            let id = sent.message.unwrap_or_default();
            let identity = format!("{}-{i}-{id}", hex::encode(self.message.identity()));
            let receipt = Receipt {
                channel: Channel::Subscription,
                template: Some(sent.template.clone()).filter(|template| !template.is_empty()),
                message_id: sent.message.filter(|id| *id != 0),
                ..self.build_receipt(receipt, &sent.status, identity)
            };
            self.enqueue_receipt(receipt).await?;
        }
        Ok(Reply::Empty)
    }

    fn build_receipt(&self, receipt: ReceiptStatus, said: &str, identity: String) -> Receipt {
        Receipt {
            v: 1,
            account: self.account_name.to_owned(),
            person: self.message.from_user.pseudonym(self.account_name),
            channel: Channel::Template,
            template: None,
            message_id: None,
            receipt,
            status_text: said.chars().filter(|c| !c.is_control()).take(100).collect(),
            created_s: self.message.create_time,
            received_at: self.state.clock.now_ms(),
            identity,
        }
    }

    /// WeChat says it again if it cannot be kept.
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
