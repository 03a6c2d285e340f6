//! Dispatch of a push to its handler, and the reply.
//!
//! A push without a handler gets the reply `success`, so that WeChat does not repeat it.

use crate::http::idempotency;
use crate::http::refusals::Problem;
use crate::http::state::AppState;
use crate::settings::AccountReplies;
use paihao_contracts::settings::KeywordAction;
use paihao_domain::{CommandId, Person};
use paihao_wechat::callback::{AuthorizationChange, Event, Message, MessageKind};
use std::sync::Arc;
use tokio::time::Instant;

/// Verified push of WeChat, with the context of its handling.
pub(super) struct PushHandler<'a> {
    pub(super) state: &'a AppState,
    /// Name of the account in the configuration.
    pub(super) account_name: &'a str,
    pub(super) account: Arc<AccountReplies>,
    pub(super) message: &'a Message,
    /// Time by which the reply has to be sent.
    pub(super) deadline: Instant,
}

/// Reply to a push.
pub(super) enum Reply {
    /// Reply that the person does not see.
    Empty,
    /// Text message.
    Text {
        text: String,
        /// Date of the reply in Unix seconds: the time of the decision, so that a repeated push
        /// gets an identical reply.
        at_s: i64,
    },
}

impl PushHandler<'_> {
    pub(super) async fn handle(&self) -> Result<Reply, Problem> {
        let (reply, ()) = futures::join!(self.dispatch(), self.open_send_window());
        reply
    }

    async fn dispatch(&self) -> Result<Reply, Problem> {
        match &self.message.kind {
            MessageKind::Event(
                Event::Scan { scene: Some(scene), .. }
                | Event::Subscribe { scene: Some(scene), .. },
            ) => Ok(self.handle_scan(scene).await),
            MessageKind::Event(Event::Subscribe { scene: None, .. }) => {
                Ok(self.text_reply(self.account.greeting.clone()))
            }
            MessageKind::Event(Event::Click { key }) => {
                Ok(self.run_action(self.account.menu.get(key)).await)
            }
            MessageKind::Text { content, .. } => {
                if let Some(reply) = self.handle_login_answer(content.trim()).await {
                    return Ok(reply);
                }
                Ok(self.run_action(self.account.keywords.get(content.trim())).await)
            }
            MessageKind::Event(Event::Unsubscribe) => self.forget_person(&self.person()).await,
            MessageKind::Event(Event::Authorization {
                change: AuthorizationChange::Cancelled,
                person: Some(person),
            }) => self.forget_person(&Person::new(person.expose())).await,
            MessageKind::Event(Event::TemplateSent { message, result }) => {
                self.record_template_receipt(*message, result).await
            }
            MessageKind::Event(Event::SubscriptionSent(sent)) => {
                self.record_notice_receipts(sent).await
            }
            _ => Ok(Reply::Empty),
        }
    }

    async fn run_action(&self, action: Option<&KeywordAction>) -> Reply {
        match action {
            Some(KeywordAction::MyTicket) => self.show_tickets().await,
            Some(KeywordAction::Leave) => self.leave_all().await,
            None => Reply::Empty,
        }
    }

    /// Text reply that depends on the push alone. WeChat rejects an empty text.
    pub(super) fn text_reply(&self, text: String) -> Reply {
        if text.is_empty() {
            Reply::Empty
        } else {
            Reply::Text { text, at_s: self.message.create_time }
        }
    }

    /// Reply when a command failed: the owner's text, or the default one.
    pub(super) fn failure_reply(&self, default: &str) -> Reply {
        self.text_reply(self.account.failure.clone().unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn person(&self) -> Person {
        Person::new(self.message.from_user.expose())
    }

    /// Command id of the push, equal for every delivery of one event at every replica.
    pub(super) fn command_id(&self) -> CommandId {
        let mut text = format!("callback\0{}\0", self.account_name).into_bytes();
        text.extend_from_slice(self.message.identity().as_ref());
        idempotency::derived_command_id(text)
    }
}
