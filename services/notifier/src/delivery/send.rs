//! Says a notice through one channel, and remembers what a receipt will be about.

use crate::allowance::OpenWindow;
use crate::sent::{self, SentMessage};
use paihao_cache::{Cache, Unavailable};
use paihao_contracts::notice::{Channel, Notice};
use paihao_wechat::{
    AccountClient, AccountClientError, MessageId, OpenId, SubscriptionNotice, TemplateMessage,
};

/// What is said, in the form of its channel.
pub(crate) enum OutboundMessage {
    /// It has been said.
    AlreadySent,
    /// A customer-service text, in this window.
    Text(String, OpenWindow),
    Template(TemplateMessage),
    Subscription(SubscriptionNotice),
}

/// What stands for the person of a notice in keys.
pub(crate) fn person_key(notice: &Notice) -> String {
    OpenId::new(&*notice.person).pseudonym(&notice.account)
}

/// Asks WeChat to take it.
pub(crate) async fn send(
    wechat: &AccountClient,
    notice: &Notice,
    message: &OutboundMessage,
) -> Result<MessageId, AccountClientError> {
    let account = &notice.account;
    let unnumbered = |()| MessageId(0);
    match message {
        OutboundMessage::AlreadySent => Ok(MessageId(0)),
        OutboundMessage::Text(text, _) => {
            let to = OpenId::new(&*notice.person);
            wechat.send_text(account, &to, text).await.map(unnumbered)
        }
        OutboundMessage::Template(message) => wechat.send_template(account, message).await,
        OutboundMessage::Subscription(notice) => {
            wechat.send_subscription(account, notice).await.map(unnumbered)
        }
    }
}

/// Remembers that a message is about to be sent whose receipt will come.
pub(crate) async fn register_message(
    cache: &dyn Cache,
    notice: &Notice,
    person: &str,
    message: &OutboundMessage,
    now: i64,
) -> Result<(), Unavailable> {
    let (channel, template) = match message {
        OutboundMessage::Template(message) => (Channel::Template, &message.template_id),
        OutboundMessage::Subscription(notice) => (Channel::Subscription, &notice.template_id),
        OutboundMessage::AlreadySent | OutboundMessage::Text(..) => return Ok(()),
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
    sent::insert(cache, &notice.account, person, new).await
}

/// WeChat took it, and that is recorded: its receipt may be matched from now on. Should this be
/// lost, the receipt is matched to nothing.
pub(crate) async fn mark_accepted(
    cache: &dyn Cache,
    notice: &Notice,
    person: &str,
    channel: Channel,
    message_id: u64,
) {
    if channel == Channel::CustomerService {
        return;
    }
    let to = |sent: &SentMessage| Some(SentMessage { accepted: true, message_id, ..sent.clone() });
    let at = (&*notice.key, channel);
    if let Err(error) = sent::update(cache, &notice.account, person, at, to).await {
        tracing::debug!(key = notice.key, %error, "a message's id was lost; so is its receipt");
    }
}

/// The channel did not take it: no receipt will come.
pub(crate) async fn forget_message(
    cache: &dyn Cache,
    notice: &Notice,
    person: &str,
    channel: Channel,
) -> Result<(), Unavailable> {
    if channel == Channel::CustomerService {
        return Ok(());
    }
    sent::update(cache, &notice.account, person, (&notice.key, channel), |_| None).await
}
