//! Dispatch of a push to its handler, and the reply.
//!
//! A push without a handler gets the reply `success`, so that WeChat does not repeat it.

use crate::http::refusals::Problem;
use crate::http::state::AppState;
use crate::settings::AccountReplies;
use paihao_contracts::settings::KeywordAction;
use paihao_domain::{CommandId, Person};
use paihao_wechat::callback::{AuthorizationChange, Event, Message, MessageKind};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::time::Instant;

/// A push that is WeChat's, and all that is needed to answer it.
pub(super) struct PushHandler<'a> {
    pub(super) state: &'a AppState,
    /// The account's name.
    pub(super) account_name: &'a str,
    pub(super) account: Arc<AccountReplies>,
    pub(super) message: &'a Message,
    /// Time by which the reply has to be sent.
    pub(super) deadline: Instant,
}

/// Reply to a push.
pub(super) enum Reply {
    /// Nothing that a person would see.
    Empty,
    /// A text.
    Text {
        text: String,
        /// Unix seconds that it is dated with: those of the decision, so that a repeat gets the
        /// same reply to the byte.
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

    /// A text that depends on nothing but the push. An empty one would be an error to WeChat.
    pub(super) fn text_reply(&self, text: String) -> Reply {
        if text.is_empty() {
            Reply::Empty
        } else {
            Reply::Text { text, at_s: self.message.create_time }
        }
    }

    /// Reply when a command failed: the owner's text, or this one.
    pub(super) fn failure_reply(&self, ours: &str) -> Reply {
        self.text_reply(self.account.failure.clone().unwrap_or_else(|| ours.to_owned()))
    }

    pub(super) fn person(&self) -> Person {
        Person::new(self.message.from_user.expose())
    }

    /// The same for every delivery of one event, whichever replica it reaches.
    pub(super) fn command_id(&self) -> CommandId {
        let mut hash = Sha256::new();
        hash.update(b"callback\0");
        hash.update(self.account_name.as_bytes());
        hash.update([0]);
        hash.update(self.message.identity());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        CommandId(id)
    }
}
