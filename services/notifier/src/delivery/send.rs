//! Sends a notice through one channel and keeps the sent index up to date.

use crate::delivery::send_window::OpenWindow;
use crate::delivery::sent_index::{self, SentMessage};
use crate::ports::StoreError;
use bytes::Bytes;
use paihao_cache::Cache;
use paihao_contracts::notice::{Channel, Notice};
use paihao_wechat::{
    AccountClient, AccountClientError, MessageId, OpenId, SubscriptionNotice, TemplateMessage,
};

/// Message in the form of its channel.
pub(crate) enum OutboundMessage {
    /// The passive reply contained the notice.
    AlreadySent,
    /// Customer-service text within this send window.
    Text(String, OpenWindow),
    Template(TemplateMessage),
    Subscription(SubscriptionNotice),
}

/// Sends the message to WeChat. The id is 0 for channels without message ids.
pub(crate) async fn send(
    wechat: &AccountClient,
    notice: &Notice,
    message: &OutboundMessage,
) -> Result<MessageId, AccountClientError> {
    let account = &notice.account;
    let without_id = |()| MessageId(0);
    match message {
        OutboundMessage::AlreadySent => Ok(MessageId(0)),
        OutboundMessage::Text(text, _) => {
            let to = OpenId::new(&*notice.person);
            wechat.send_text(account, &to, text).await.map(without_id)
        }
        OutboundMessage::Template(message) => wechat.send_template(account, message).await,
        OutboundMessage::Subscription(notice) => {
            wechat.send_subscription(account, notice).await.map(without_id)
        }
    }
}

/// Adds a message that is about to be sent to the sent index, if WeChat sends receipts for it.
/// Returns the stored messages of the person.
pub(crate) async fn register_message(
    cache: &dyn Cache,
    notice: &Notice,
    person_key: &str,
    message: &OutboundMessage,
    now: i64,
) -> Result<Option<Bytes>, StoreError> {
    let (channel, template) = match message {
        OutboundMessage::Template(message) => (Channel::Template, &message.template_id),
        OutboundMessage::Subscription(notice) => (Channel::Subscription, &notice.template_id),
        OutboundMessage::AlreadySent | OutboundMessage::Text(..) => return Ok(None),
    };
    let new = SentMessage {
        key: notice.key.clone(),
        channel,
        template: template.clone(),
        at: now,
        accepted: false,
        message_id: 0,
        receipt: None,
    };
    sent_index::insert(cache, &notice.account, person_key, new).await
}

/// Marks a message as accepted after its outcome is recorded, so that its receipt can be matched.
/// If this update is lost, the receipt stays unmatched.
pub(crate) async fn mark_accepted(
    cache: &dyn Cache,
    notice: &Notice,
    (person_key, registered): (&str, Option<Bytes>),
    channel: Channel,
    message_id: u64,
) {
    if channel == Channel::CustomerService {
        return;
    }
    let accept =
        |sent: &SentMessage| Some(SentMessage { accepted: true, message_id, ..sent.clone() });
    let entry = (&*notice.key, channel);
    let account = &notice.account;
    let updated =
        sent_index::update_inserted(cache, account, person_key, registered, entry, accept).await;
    if let Err(error) = updated {
        tracing::debug!(
            key = notice.key,
            ?error,
            "cannot store a message id, its receipt stays unmatched"
        );
    }
}

/// Removes a refused message from the sent index, since no receipt will arrive. If this update is
/// lost, a receipt of another message may stay unmatched.
pub(crate) async fn forget_message(
    cache: &dyn Cache,
    notice: &Notice,
    person_key: &str,
    channel: Channel,
) {
    if channel == Channel::CustomerService {
        return;
    }
    let entry = (&*notice.key, channel);
    if let Err(error) =
        sent_index::update(cache, &notice.account, person_key, entry, |_| None).await
    {
        tracing::debug!(key = notice.key, ?error, "cannot remove a refused message from the index");
    }
}
