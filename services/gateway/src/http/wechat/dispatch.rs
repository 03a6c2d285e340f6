//! Dispatch of a push to its handler, and the reply.
//!
//! What is not of this system is passed on to the owner's other systems, or to human customer
//! service. A push without any handler gets the reply `success`, so that WeChat does not repeat it.

use crate::http::refusals::Problem;
use crate::http::state::AppState;
use crate::scan::scene::Scene;
use crate::settings::AccountReplies;
use paihao_domain::{CommandId, Person};
use paihao_wechat::PersonTags;
use paihao_wechat::callback::{AuthorizationChange, Event, Message, MessageKind};
use paihao_wechat::forward::{ForwardedReply, RawPush};
use std::sync::Arc;
use tokio::time::Instant;

/// Verified push of WeChat, with the context of its handling.
pub(super) struct PushHandler<'a> {
    pub(super) state: &'a AppState,
    /// Name of the account in the configuration.
    pub(super) account_name: &'a str,
    pub(super) account: Arc<AccountReplies>,
    pub(super) message: &'a Message,
    /// Maker of the tags that stand for the person.
    pub(super) tags: PersonTags,
    /// The push as it came; `None` if another system has forwarded it, so that it goes no further.
    pub(super) raw: Option<RawPush<'a>>,
    /// Time by which the reply has to be sent.
    pub(super) deadline: Instant,
}

/// Reply to a push.
#[derive(Debug)]
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
    /// Handing of the message on to human customer service: to this account of it, or to any.
    Transfer { kf_account: Option<String> },
    /// Reply of another system, passed on as it is.
    Forwarded(ForwardedReply),
}

/// Owner of a push.
pub(super) enum Handled {
    /// This system, with its reply.
    Ours(Reply),
    /// Another system of the owner's, or nobody.
    Foreign,
}

impl PushHandler<'_> {
    pub(super) async fn handle(&self) -> Result<Reply, Problem> {
        self.open_send_window();
        let (handled, ()) = futures::join!(self.dispatch(), self.forward_copy());
        match handled? {
            Handled::Ours(reply) => Ok(reply),
            Handled::Foreign => Ok(self.reply_to_foreign().await),
        }
    }

    /// Scans are handled within this future, and what is rarer in one of its own: a future is as
    /// large as the largest that it may hold, and each push moves its own to the heap.
    async fn dispatch(&self) -> Result<Handled, Problem> {
        let reply = match &self.message.kind {
            MessageKind::Event(Event::Scan { scene, .. } | Event::Subscribe { scene, .. }) => {
                match own_scene(scene.as_deref()) {
                    Some(scene) => self.handle_scan(scene).await,
                    None => return Ok(Handled::Foreign),
                }
            }
            MessageKind::Event(Event::MenuScan { waits: true, result, .. }) => {
                match self.state.page_codes.scene(result) {
                    Some(scene) => self.handle_scan(scene).await,
                    None => return Ok(Handled::Foreign),
                }
            }
            MessageKind::Event(Event::Click { key }) => match self.action_of_key(key) {
                Some(action) => Box::pin(self.run_action(action)).await,
                None => return Ok(Handled::Foreign),
            },
            MessageKind::Text { content, chosen, .. } => {
                return Ok(Box::pin(self.answer_text(content, chosen.as_deref())).await);
            }
            MessageKind::Voice { recognition, .. } => {
                return Ok(Box::pin(self.answer_text(recognition, None)).await);
            }
            MessageKind::Event(Event::Unsubscribe) => {
                Box::pin(self.forget_person(&self.person())).await?
            }
            MessageKind::Event(Event::Authorization {
                change: AuthorizationChange::Cancelled,
                person: Some(person),
            }) => Box::pin(self.forget_person(&Person::new(person.expose()))).await?,
            MessageKind::Event(Event::TemplateSent { message, result }) => {
                Box::pin(self.record_template_receipt(*message, result)).await
            }
            MessageKind::Event(Event::SubscriptionSent(sent)) => {
                Box::pin(self.record_notice_receipts(sent)).await
            }
            _ => return Ok(Handled::Foreign),
        };
        Ok(Handled::Ours(reply))
    }

    /// Text reply that depends on the push alone.
    pub(super) fn text_reply(&self, text: String) -> Reply {
        Reply::Text { text, at_s: self.message.create_time }
    }

    /// Reply when a command failed: the owner's text, or the default one.
    pub(super) fn failure_reply(&self, default: &str) -> Reply {
        self.text_reply(self.account.failure.clone().unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn person(&self) -> Person {
        Person::new(self.message.from_user.expose())
    }

    /// Ids of the push's command, equal for every delivery of one event at every replica. The
    /// first is stored; by another one a program of another generation has stored it.
    pub(super) fn command_ids(&self) -> Vec<CommandId> {
        let ids = self.tags.push_ids(self.account_name, self.message);
        ids.into_iter().map(CommandId).collect()
    }
}

/// Scene of a code that this system made.
pub(super) fn own_scene(scene: Option<&str>) -> Option<Scene> {
    scene.and_then(Scene::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_of_a_push_is_small() {
        fn size<F>(_: fn(&'static PushHandler<'static>) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = size(PushHandler::handle);
        assert!(bytes <= 3_072, "{bytes} bytes");
    }
}
