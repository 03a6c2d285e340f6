//! What WeChat says became of messages: put on a queue, for the notifier to match to its notices.

use super::hear::{Hearing, Reply};
use crate::http::refusals::{self, Problem};
use paihao_contracts::names::RECEIPTS;
use paihao_contracts::notice::Channel;
use paihao_contracts::receipt::{Receipt, Received};
use paihao_ledger::Entry;
use paihao_wechat::callback::{Delivered, NoticeSent};
use std::time::Duration;
use tokio::time::timeout_at;

impl Hearing<'_> {
    /// A template message was delivered, or not.
    pub(super) async fn template_sent(
        &self,
        message_id: Option<u64>,
        fate: &Delivered,
    ) -> Result<Reply, Problem> {
        let (receipt, said) = match fate {
            Delivered::Success => (Received::Delivered, "success"),
            Delivered::Refused => (Received::Refused, "failed:user block"),
            Delivered::TooOften => (Received::TooOften, "failed:freq limit"),
            Delivered::Failed(said) => (Received::Failed, said.as_str()),
        };
        let identity = hex::encode(self.message.identity());
        let receipt = Receipt {
            channel: Channel::Template,
            message_id,
            ..self.receipt(receipt, said, identity)
        };
        self.hand_on(receipt).await?;
        Ok(Reply::Nothing)
    }

    /// Subscription notices were delivered, or not.
    pub(super) async fn notices_sent(&self, sent: &[NoticeSent]) -> Result<Reply, Problem> {
        for (i, sent) in sent.iter().enumerate() {
            let receipt = match sent.code {
                Some(0) => Received::Delivered,
                _ if sent.status.contains("block") => Received::Refused,
                _ => Received::Failed,
            };
            // Several may come in one second, and only what is in their lists tells them apart.
            let id = sent.message.unwrap_or_default();
            let identity = format!("{}-{i}-{id}", hex::encode(self.message.identity()));
            let receipt = Receipt {
                channel: Channel::Subscription,
                template: Some(sent.template.clone()).filter(|template| !template.is_empty()),
                message_id: sent.message.filter(|id| *id != 0),
                ..self.receipt(receipt, &sent.status, identity)
            };
            self.hand_on(receipt).await?;
        }
        Ok(Reply::Nothing)
    }

    fn receipt(&self, receipt: Received, said: &str, identity: String) -> Receipt {
        Receipt {
            v: 1,
            account: self.name.to_owned(),
            person: self.message.from_user.tag(self.name),
            channel: Channel::Template,
            template: None,
            message_id: None,
            receipt,
            said: said.chars().filter(|c| !c.is_control()).take(100).collect(),
            created_s: self.message.create_time,
            heard_at: self.door.clock.now_ms(),
            identity,
        }
    }

    /// WeChat says it again if it cannot be kept.
    async fn hand_on(&self, receipt: Receipt) -> Result<(), Problem> {
        let key = format!("{}/{}", receipt.account, receipt.identity);
        let entry = Entry::new(serde_json::to_vec(&receipt).expect("string keys only"));
        let queued = self.door.ledger.enqueue(&RECEIPTS, &key, entry, Duration::ZERO);
        match timeout_at(self.deadline, queued).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a receipt could not be queued");
                Err(Problem::new(&refusals::LEDGER_UNAVAILABLE))
            }
            Err(_) => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }
}
