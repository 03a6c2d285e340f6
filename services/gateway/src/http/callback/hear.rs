//! What a push means to this system, and what is answered to it.
//!
//! Everything this system does not act on is answered `success`, so that WeChat does not say it
//! again.

use crate::book::AccountWords;
use crate::http::refusals::Problem;
use crate::http::state::Door;
use paihao_contracts::setup::Action;
use paihao_domain::{CommandId, Person};
use paihao_wechat::callback::{AuthorizationChange, Event, Kind, Message};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::time::Instant;

/// A push that is WeChat's, and all that is needed to answer it.
pub(super) struct Hearing<'a> {
    pub(super) door: &'a Door,
    /// The account's name.
    pub(super) name: &'a str,
    pub(super) account: Arc<AccountWords>,
    pub(super) message: &'a Message,
    /// When the answer has to be there.
    pub(super) deadline: Instant,
}

/// What is answered to a push.
pub(super) enum Reply {
    /// Nothing that a person would see.
    Nothing,
    /// A text.
    Text {
        text: String,
        /// Unix seconds that it is dated with: those of the decision, so that a repeat gets the
        /// same reply to the byte.
        at_s: i64,
    },
}

impl Hearing<'_> {
    pub(super) async fn answer(&self) -> Result<Reply, Problem> {
        let (reply, ()) = futures::join!(self.reply(), self.allow());
        reply
    }

    async fn reply(&self) -> Result<Reply, Problem> {
        match &self.message.kind {
            Kind::Event(
                Event::Scan { scene: Some(scene), .. }
                | Event::Subscribe { scene: Some(scene), .. },
            ) => Ok(self.scan(scene).await),
            Kind::Event(Event::Subscribe { scene: None, .. }) => {
                Ok(self.say(self.account.greeting.clone()))
            }
            Kind::Event(Event::Click { key }) => Ok(self.act(self.account.menu.get(key)).await),
            Kind::Text { content, .. } => {
                if let Some(reply) = self.answered(content.trim()).await {
                    return Ok(reply);
                }
                Ok(self.act(self.account.keywords.get(content.trim())).await)
            }
            Kind::Event(Event::Unsubscribe) => self.forget(&self.person()).await,
            Kind::Event(Event::Authorization {
                change: AuthorizationChange::Cancelled,
                person: Some(person),
            }) => self.forget(&Person::new(person.expose())).await,
            Kind::Event(Event::TemplateSent { message, fate }) => {
                self.template_sent(*message, fate).await
            }
            Kind::Event(Event::NoticesSent(sent)) => self.notices_sent(sent).await,
            _ => Ok(Reply::Nothing),
        }
    }

    async fn act(&self, action: Option<&Action>) -> Reply {
        match action {
            Some(Action::MyTicket) => self.my_ticket().await,
            Some(Action::Leave) => self.leave().await,
            None => Reply::Nothing,
        }
    }

    /// A text that depends on nothing but the push. An empty one would be an error to WeChat.
    pub(super) fn say(&self, text: String) -> Reply {
        match text.is_empty() {
            true => Reply::Nothing,
            false => Reply::Text { text, at_s: self.message.create_time },
        }
    }

    /// What is said when something could not be done: the owner's words, or these.
    pub(super) fn fail(&self, ours: &str) -> Reply {
        self.say(self.account.failure.clone().unwrap_or_else(|| ours.to_owned()))
    }

    pub(super) fn person(&self) -> Person {
        Person::new(self.message.from_user.expose())
    }

    /// The same for every delivery of one event, whichever replica it reaches.
    pub(super) fn command_id(&self) -> CommandId {
        let mut hash = Sha256::new();
        hash.update(b"callback\0");
        hash.update(self.name.as_bytes());
        hash.update([0]);
        hash.update(self.message.identity());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        CommandId(id)
    }
}
